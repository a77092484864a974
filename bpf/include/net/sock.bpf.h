/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What sockets are connected to, and what TCP has transferred. Which process they belong to: net/owner.bpf.h.
 *
 * For programs that get typed pointers (tp_btf, iterators, fentry): fields are loaded as in C, for a few nanoseconds each
 * would add up in a walk over all sockets. But for pointers: where a program loads one, the verifier searches all of the
 * kernel's types for what it may be used for (since 6.4), a millisecond each time that it comes by.
 */
#ifndef CORESCOPE_SOCK_H
#define CORESCOPE_SOCK_H

#include "base/core.bpf.h"
#include <bpf/bpf_endian.h>

#define AF_INET 2
#define AF_INET6 10
#define SOCKFS_MAGIC 0x534f434b

/* Both ends of a connection. IPv4 addresses are in the first four bytes; ports are numbers, not network bytes. */
struct sock_ends {
	__u8 local[16];
	__u8 remote[16];
	__u16 local_port;
	__u16 remote_port;
	__u16 family;
	__u16 reserved;
};

/* The inode number of /proc/PID/ns/net. */
static __always_inline __u32 sock_netns(struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

static __always_inline void copy_address(__u8 *to, struct in6_addr *address)
{
	__be32 *words = (__be32 *)to;

	words[0] = address->in6_u.u6_addr32[0];
	words[1] = address->in6_u.u6_addr32[1];
	words[2] = address->in6_u.u6_addr32[2];
	words[3] = address->in6_u.u6_addr32[3];
}

static __always_inline void sock_ends(struct sock_ends *ends, struct inet_sock *inet)
{
	struct sock *sk = &inet->sk;

	ends->family = sk->__sk_common.skc_family;
	if (ends->family == AF_INET6) {
		copy_address(ends->local, &sk->__sk_common.skc_v6_rcv_saddr);
		copy_address(ends->remote, &sk->__sk_common.skc_v6_daddr);
	} else {
		*(__be32 *)ends->local = sk->__sk_common.skc_rcv_saddr;
		*(__be32 *)ends->remote = sk->__sk_common.skc_daddr;
	}
	/* skc_num is the same port until the end of a connection, where the kernel clears it. */
	ends->local_port = bpf_ntohs(inet->inet_sport);
	ends->remote_port = bpf_ntohs(sk->__sk_common.skc_dport);
}

/* Whether the connection is one of IPv4. That of an IPv6 socket may be: its addresses are mapped then (RFC 4291, 2.5.5.2). */
static __always_inline bool sock_is_ipv4(struct sock *sk)
{
	__be32 *remote = sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32;

	return sk->__sk_common.skc_family == AF_INET || (!remote[0] && !remote[1] && remote[2] == bpf_htonl(0xffff));
}

/* The address of one end as an IPv6 socket has it, that of IPv4 mapped: the same for the same address, in whichever socket. */
static __always_inline void sock_address(__be32 *to, struct sock *sk, const bool remote)
{
	if (sk->__sk_common.skc_family == AF_INET6) {
		copy_address((__u8 *)to, remote ? &sk->__sk_common.skc_v6_daddr : &sk->__sk_common.skc_v6_rcv_saddr);
		return;
	}
	to[0] = to[1] = 0;
	to[2] = bpf_htonl(0xffff);
	to[3] = remote ? sk->__sk_common.skc_daddr : sk->__sk_common.skc_rcv_saddr;
}

/* Up to 5.14 the pointer to a socket's cgroup had flags in its lowest bits (8520e224f547, also in newer 5.10). */
struct sock_cgroup_data___flags {
	__u64 val;
} __attribute__((preserve_access_index));

/*
 * The cgroup of v2 that a socket belongs to: that of the process which made it, or listened where it was accepted. It stays
 * the same where the process moves on. NULL where it is not known.
 */
static __always_inline struct cgroup *sock_cgroup(struct sock *sk)
{
	struct sock_cgroup_data___flags *old = (void *)&sk->sk_cgrp_data;
	__u64 flags;

	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup))
		return BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
	flags = BPF_CORE_READ(old, val);
	return flags & 1 ? NULL : (struct cgroup *)(flags & ~3ULL);
}

/* Whether a FIN of ours was queued: it takes a sequence number as if it were a byte. */
static __always_inline bool tcp_has_fin(int state)
{
	return state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING || state == TCP_LAST_ACK;
}

/*
 * Payload bytes that were sent, each counted once however often it was retransmitted, plus one where the connection was
 * opened from this side, for its SYN. `state` is the state, or the last one before TCP_CLOSE.
 *
 * Sequence numbers tell it exactly. bytes_sent - bytes_retrans does nearly: what a full queue of the sending interface
 * drops is sent once more without being counted as a retransmission.
 */
static __always_inline __u64 tcp_sent(struct tcp_sock *tcp, int state)
{
	/* Read in this order, for an acknowledgement may come in between: too little is put right by the next look. */
	__u64 acked = tcp->bytes_acked;
	__u32 unacked = tcp->snd_una;
	__u32 next = tcp->snd_nxt;
	bool fin = tcp_has_fin(state) && next == tcp->write_seq;

	return acked + (__u32)(next - unacked) - fin;
}

/* Payload bytes that were received in order. The kernel's count includes the FIN of the other side. */
static __always_inline __u64 tcp_received(struct tcp_sock *tcp)
{
	__u64 received = tcp->bytes_received;
	/* tcp_fin() alone sets SOCK_DONE; sk_shutdown and the state tell of our own end as well. */
	bool fin = tcp->inet_conn.icsk_inet.sk.__sk_common.skc_flags & (1 << SOCK_DONE);

	return received && fin ? received - 1 : received;
}

/* Whether a process has the socket open. One that was not yet accepted, was closed or is the kernel's own has no file. */
static __always_inline bool sock_is_open(struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_socket, file);
}

/* The socket of an open file, or NULL. bpf_sock_from_file() came with 5.11 only. */
static __always_inline struct sock *sock_from_file(struct file *file)
{
	struct socket *socket = file->private_data;

	/* A socket's file that was opened with O_PATH has no private data. */
	if (!socket || file->f_inode->i_sb->s_magic != SOCKFS_MAGIC)
		return NULL;
	return BPF_CORE_READ(socket, sk);
}

#endif
