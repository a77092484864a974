/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which process a TCP connection belongs to: the one that works on it, or else one that has it open.
 *
 *	struct mytool_event { ...; struct sock_owner owner; };
 *	...
 *	if (owner_is_current(sk))
 *		owner_fill(&event->owner);
 *
 * A connection that is older than the tool, or that only interrupts have to do with, gets its owner from a search among all
 * open files, an iterator that user space runs (common/core/src/net/search.rs):
 *
 *	SEC("iter/task_file")
 *	int mytool_files(struct bpf_iter__task_file *ctx)
 *	{
 *		return owner_search(ctx);
 *	}
 *
 * Both know only owners that the filters allow.
 */
#ifndef CORESCOPE_OWNER_H
#define CORESCOPE_OWNER_H

#include "net/sock.bpf.h"
#include "task/filter.bpf.h"

struct sock_owner {
	__u32 pid; /* 0 if it is not known */
	__u8 comm[COMM_LEN];
};

/* What a search writes of each connection that a process has open. */
struct owner_found {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u64 sock;    /* names the connection while it lasts */
	struct sock_owner owner;
	__u32 reserved;
};

/*
 * Whether the current task is at work on this socket: it holds the socket's lock, as system calls do. Programs that run
 * for a packet or a timer must not blame the task that was interrupted.
 */
static __always_inline bool owner_is_current(struct sock *sk)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return sk->sk_lock.owned && !(BPF_CORE_READ(task, flags) & PF_KTHREAD) && filter_allows(task);
}

/* Threads may have names of their own. */
static __always_inline void owner_name(struct sock_owner *owner, struct task_struct *task)
{
	BPF_CORE_READ_STR_INTO(&owner->comm, task, group_leader, comm);
}

/* The current task, where owner_is_current(). */
static __always_inline void owner_fill(struct sock_owner *owner)
{
	owner->pid = current_tgid();
	owner_name(owner, (void *)bpf_get_current_task());
}

/* All of an iterator over open files. */
static __always_inline int owner_search(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct owner_found found = {};
	struct sock *sk;
	__u16 family;

	if (!task || !file)
		return 0;
	sk = sock_from_file(file);
	if (!sk || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if ((family != AF_INET && family != AF_INET6) || BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN)
		return 0;
	if (!filter_allows(task))
		return 0;
	found.time_ns = bpf_ktime_get_boot_ns();
	found.sock = (__u64)sk;
	found.owner.pid = typed_tgid(task);
	owner_name(&found.owner, task);
	bpf_seq_write(ctx->meta->seq, &found, sizeof(found));
	return 0;
}

#endif
