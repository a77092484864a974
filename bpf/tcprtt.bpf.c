// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The smoothed round-trip time that the kernel keeps of each TCP connection (srtt), at every segment that an established
 * connection receives: tcp_probe is the first thing that tcp_rcv_established() does, on all kernels with the same arguments.
 */
#include "base/core.bpf.h"
#include "event/histogram.bpf.h"
#include "net/sock.bpf.h"
#include "task/filter.bpf.h"

/* What is not asked for is 0. */
struct tcprtt_key {
	__u8 local[16]; /* see sock_address() */
	__u8 remote[16];
	__u32 netns; /* the inode number of /proc/PID/ns/net */
};
HISTOGRAMS(tcprtt_key, 10240);

const volatile bool by_local, by_remote, by_netns;
const volatile bool all_in_one; /* nothing of this and the following is set */

/* Set by user space; 0: any. */
const volatile __u32 only_local_port, only_remote_port, only_netns, only_version;
const volatile bool only_local, only_remote;
const volatile __be32 only_local_address[4], only_remote_address[4];

__u64 unmeasured; /* segments of connections without a round-trip time */

static __always_inline bool is_address(const volatile __be32 *wanted, struct sock *sk, const bool remote)
{
	__be32 address[4];

	sock_address(address, sk, remote);
	return address[3] == wanted[3] && address[2] == wanted[2] && address[1] == wanted[1] && address[0] == wanted[0];
}

static __always_inline bool is_wanted(struct sock *sk)
{
	if (only_local_port && sk->__sk_common.skc_num != only_local_port)
		return false;
	if (only_remote_port && bpf_ntohs(sk->__sk_common.skc_dport) != only_remote_port)
		return false;
	if (only_version && sock_is_ipv4(sk) != (only_version == 4))
		return false;
	if (only_local && !is_address(only_local_address, sk, false))
		return false;
	if (only_remote && !is_address(only_remote_address, sk, true))
		return false;
	if (only_netns && sock_netns(sk) != only_netns)
		return false;
	return !filter_by_cgroup || filter_cgroup_holds(sock_cgroup(sk));
}

static __always_inline struct histogram *histogram_of_ends(struct sock *sk)
{
	struct histogram_of_key *by_key;
	struct tcprtt_key key = {};

	if (by_local)
		sock_address((__be32 *)key.local, sk, false);
	if (by_remote)
		sock_address((__be32 *)key.remote, sk, true);
	if (by_netns)
		key.netns = sock_netns(sk);
	by_key = histogram_of(&key);
	return by_key ? &by_key->histogram : NULL;
}

/* Several may be under way on a CPU: what comes while a system call has the socket is received at its end. */
SEC("tp_btf/tcp_probe")
int BPF_PROG(tcprtt_segment, struct sock *sk)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);
	const bool plain = all_in_one; /* each look at a constant is one instruction or two */
	struct histogram *histogram;
	struct histogram_cpu *cpu;
	__u64 eighths, value;

	if (!tcp || (!plain && !is_wanted(sk)))
		return 0;
	eighths = tcp->srtt_us;
	if (!eighths) {
		__sync_fetch_and_add(&unmeasured, 1);
		return 0;
	}
	value = eighths >> 3;
	if (histogram_unit == HISTOGRAM_MS) {
		value /= 1000;
		barrier_var(value); /* only here, and not always */
	}
	if (!plain && histogram_by_key) {
		histogram = histogram_of_ends(sk);
	} else {
		cpu = histogram_cpu(bpf_get_smp_processor_id());
		histogram = cpu ? &cpu->histogram : NULL;
	}
	if (histogram)
		histogram_add_to(histogram, log2_slot(value), eighths * 125 /* ns */);
	return 0;
}
