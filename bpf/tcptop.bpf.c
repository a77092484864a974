// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What TCP connections transfer, and whose they are. No program runs for a segment: the kernel counts already.
 *
 * A socket iterator reads the totals of all open connections whenever user space asks. The tracepoint of a connection's
 * states gives the rest: its begin, from which on it is known to be counted from zero, and its end with the final
 * totals. Owners come from state changes that a system call makes, and from a search among all open files.
 *
 * All of them write the same record. A record says when it was true, and user space puts them in order.
 */
#include "base/core.bpf.h"
#include "event/events.bpf.h"
#include "net/owner.bpf.h"

enum tcptop_kind {
	TCPTOP_CONNECT, /* a connection begins from this side */
	TCPTOP_ACCEPT,  /* a connection begins from the other side */
	TCPTOP_SEEN,    /* these are its totals */
	TCPTOP_USED,    /* its owner closes it */
	TCPTOP_END,     /* these are its final totals */
};

struct tcptop_record {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u64 sock;    /* names the connection while it lasts */
	struct sock_owner owner;
	__u32 netns; /* the inode number of /proc/PID/ns/net */
	__u8 kind;
	__u8 open; /* whether some process has it open */
	__u8 syn;  /* 1 if `sent` seems to count a SYN, for connections whose begin was not seen */
	__u8 reserved[5];
	/* Of SEEN and END only; in the event buffer the others are cut here. */
	__u64 sent; /* with the SYN, if this side sent the first one */
	__u64 received;
	struct sock_ends ends;
};
EVENTS(tcptop_record, 0);
EXPORT(owner_found);
EXPORT_ENUM(tcptop_kind);

/* What all records have. */
static __always_inline void fill(struct tcptop_record *record, struct sock *sk, __u32 kind)
{
	record->time_ns = bpf_ktime_get_boot_ns();
	record->sock = (__u64)sk;
	record->netns = sock_netns(sk);
	record->kind = kind;
}

/* `state` is the last one before TCP_CLOSE. */
static __always_inline void fill_totals(struct tcptop_record *record, struct tcp_sock *tcp, int state, bool open)
{
	record->sent = tcp_sent(tcp, state);
	record->received = tcp_received(tcp);
	record->syn = record->sent == tcp->bytes_sent - tcp->bytes_retrans + 1;
	record->open = open;
	sock_ends(&record->ends, &tcp->inet_conn.icsk_inet);
}

SEC("iter/tcp")
int tcptop_sockets(struct bpf_iter__tcp *ctx)
{
	/* Read once: each read of the context is a pointer of its own to the verifier, to be checked again. */
	struct sock_common *common = ctx->sk_common;
	struct tcptop_record record = {};
	struct tcp_sock *tcp;
	int state;

	if (!common)
		return 0;
	/* Not the half of a socket that waits for a handshake or for old segments. */
	tcp = bpf_skc_to_tcp_sock(common);
	if (!tcp)
		return 0;
	state = tcp->inet_conn.icsk_inet.sk.__sk_common.skc_state;
	if (state == TCP_LISTEN || state == TCP_CLOSE)
		return 0;
	fill(&record, (struct sock *)tcp, TCPTOP_SEEN);
	fill_totals(&record, tcp, state, sock_is_open(&tcp->inet_conn.icsk_inet.sk));
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}

SEC("iter/task_file")
int tcptop_files(struct bpf_iter__task_file *ctx)
{
	return owner_search(ctx);
}

static __always_inline void send(struct sock *sk, __u32 kind, int state, bool open)
{
	struct tcp_sock *tcp = kind == TCPTOP_END ? bpf_skc_to_tcp_sock(sk) : NULL;
	bool owner = open && owner_is_current(sk);
	struct tcptop_record *record;
	struct event_place place;

	if ((kind == TCPTOP_USED && !owner) || (kind == TCPTOP_END && !tcp))
		return;
	record = event_begin(&place);
	if (!record)
		return;
	/* What an earlier one has left there. */
	__builtin_memset(&record->owner, 0, offsetof(struct tcptop_record, sent) - offsetof(struct tcptop_record, owner));
	fill(record, sk, kind);
	if (owner)
		owner_fill(&record->owner);
	if (tcp)
		fill_totals(record, tcp, state, open);
	event_send(&place, record, tcp ? sizeof(*record) : offsetof(struct tcptop_record, sent));
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(tcptop_state, struct sock *sk, int old, int new)
{
	__u32 kind;

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	if (new == TCP_SYN_SENT)
		kind = TCPTOP_CONNECT;
	else if (new == TCP_SYN_RECV && old == TCP_LISTEN)
		kind = TCPTOP_ACCEPT;
	else if (new == TCP_FIN_WAIT1 || new == TCP_LAST_ACK)
		kind = TCPTOP_USED;
	else if (new == TCP_CLOSE && old != TCP_LISTEN)
		kind = TCPTOP_END;
	else
		return 0;
	/* One copy of what follows, and not one for each kind: the verifier takes a millisecond for each. */
	barrier_var(kind);
	send(sk, kind, old, kind != TCPTOP_ACCEPT && sock_is_open(sk));
	return 0;
}

/*
 * A connection that the other side has reset ends in the midst of a packet. Its owner shows when it closes the socket,
 * which by then has no file any more.
 */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(tcptop_destroy, struct sock *sk)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);

	if (tcp && (tcp->bytes_received || tcp->bytes_sent))
		send(sk, TCPTOP_USED, TCP_CLOSE, true);
	return 0;
}
