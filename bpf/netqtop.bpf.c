// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Packets by queue of a network device and by size: where the kernel hands them to a driver to be sent, and where it takes
 * what a driver has received. What the device itself cuts into segments (TSO), or was merged (GRO), is one packet there.
 */
#include "base/core.bpf.h"
#include "base/map.bpf.h"
#include "net/sock.bpf.h"
#include "task/filter.bpf.h"

#define ETH_HLEN 14
#define ARPHRD_ETHER 1
#define ARPHRD_LOOPBACK 772
#define NAME_LEN 16
#define SIZES 5

struct netqtop_key {
	__u32 ifindex;
	__u16 queue; /* as the packet has it (queue_mapping) */
	__u16 received;
};
EXPORT(netqtop_key);

struct netqtop_sum {
	__u64 bytes;
	__u64 packets[SIZES]; /* below 64 bytes, 512, 2048, 16384, and larger ones */
	/* What is known of the device: */
	__u32 sending_queues;
	__u32 receiving_queues;
	__u8 name[NAME_LEN];
	__u64 is_veth;
};
EXPORT(netqtop_sum);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, struct netqtop_key);
	__type(value, struct netqtop_sum);
} sums SEC(".maps");

static const struct netqtop_sum no_sum;

const volatile __u32 only_netns; /* the inode number of /proc/PID/ns/net */
const volatile bool by_name;
const volatile __u64 only_name[2], only_name_bits[2]; /* up to its NUL: behind it are remains of an earlier name */

static __always_inline bool is_wanted(const struct net_device *device)
{
	const __u64 *name = (const __u64 *)device->name;

	if (by_name && ((name[0] & only_name_bits[0]) != only_name[0] || (name[1] & only_name_bits[1]) != only_name[1]))
		return false;
	return device->nd_net.net->ns.inum == only_netns;
}

static __always_inline void describe(struct netqtop_sum *sum, const struct net_device *device)
{
	char kind[8] = {};

	sum->sending_queues = device->real_num_tx_queues;
	sum->receiving_queues = device->real_num_rx_queues;
	BPF_CORE_READ_STR_INTO(&sum->name, device, name);
	bpf_probe_read_kernel_str(kind, sizeof(kind), BPF_CORE_READ(device, rtnl_link_ops, kind));
	sum->is_veth = kind[0] == 'v' && kind[1] == 'e' && kind[2] == 't' && kind[3] == 'h' && !kind[4];
}

static __always_inline void count(const struct net_device *device, __u32 queue, bool received, __u64 bytes)
{
	struct netqtop_key key = { .ifindex = device->ifindex, .queue = queue, .received = received };
	struct netqtop_sum *sum = map_get(&sums, &key, &no_sum);
	__u32 size = 4;

	if (!sum)
		return;
	if (!sum->name[0])
		describe(sum, device);
	if (bytes < 64)
		size = 0;
	else if (bytes < 512)
		size = 1;
	else if (bytes < 2048)
		size = 2;
	else if (bytes < 16384)
		size = 3;
	__sync_fetch_and_add(&sum->packets[size], 1);
	__sync_fetch_and_add(&sum->bytes, bytes);
}

/* Of the socket that sends it. The halves of one that waits for a handshake or for old segments have none. */
static __always_inline bool is_of_cgroup(const struct sk_buff *skb)
{
	struct sock *sk = skb->sk;
	int state;

	if (!sk)
		return false;
	state = sk->__sk_common.skc_state;
	return state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV && filter_cgroup_holds(sock_cgroup(sk));
}

SEC("tp_btf/net_dev_start_xmit")
int BPF_PROG(netqtop_send, const struct sk_buff *skb, const struct net_device *device)
{
	if (is_wanted(device) && (!filter_by_cgroup || is_of_cgroup(skb)))
		count(device, skb->queue_mapping, false, skb->len);
	return 0;
}

/* What came over Ethernet is without the header by now, which counts in a device's statistics. */
SEC("tp_btf/netif_receive_skb")
int BPF_PROG(netqtop_receive, struct sk_buff *skb)
{
	struct net_device *device = skb->dev;
	__u16 type = device->type;
	__u32 bytes = skb->len;

	if (!is_wanted(device))
		return 0;
	if (type == ARPHRD_ETHER || type == ARPHRD_LOOPBACK)
		bytes += ETH_HLEN;
	count(device, skb->queue_mapping, true, bytes);
	return 0;
}
