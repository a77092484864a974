// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Off-CPU time by stack: how long threads were away from the CPU, and where in the code they left it.
 *
 * One program at the context switch, where the thread that leaves is still the current one: its stacks are taken and the
 * time noted; for the thread that comes back the time in between is added up.
 *
 * Not bpf_get_task_stack() for the kernel stack of the thread that comes back, with which all this takes a quarter less:
 * it leaves out the functions of the scheduler, and with them what is waited for, as a mutex or a completion.
 */
#include "base/core.bpf.h"
#include "task/filter.bpf.h"
#include "base/map.bpf.h"
#include "event/stack.bpf.h"
#include "task/start.bpf.h"
#include "task/task.bpf.h"

struct offcputime_key {
	__u32 pid;
	__u32 tid;
	__u64 user_stack;
	__u64 kernel_stack;
	__u8 comm[COMM_LEN];
};
EXPORT(offcputime_key);

struct offcputime_sum {
	__u64 total_ns;
	__u64 count;
};
EXPORT(offcputime_sum);

/* Of a thread that is away, or was. */
struct offcputime_start {
	__u64 time_ns; /* CLOCK_MONOTONIC; 0: it is not away, or nobody asked for it */
	__u64 user_stack;
	__u64 kernel_stack;
};
STARTS(offcputime_start);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set before load */
	__type(key, struct offcputime_key);
	__type(value, struct offcputime_sum);
} sums SEC(".maps");

const volatile bool user_stacks = true;
const volatile bool kernel_stacks = true;
const volatile bool user_threads_only;
const volatile bool kernel_threads_only;
const volatile bool filter_by_state;
const volatile __u64 state_mask; /* 0: only threads that were runnable */
const volatile __u64 min_ns;
const volatile __u64 max_ns = ~0ULL;

static const struct offcputime_sum no_sum;

static __always_inline bool wanted(struct task_struct *task, __u64 state)
{
	bool kernel = task->flags & PF_KTHREAD;

	if ((user_threads_only && kernel) || (kernel_threads_only && !kernel))
		return false;
	if (filter_by_state && (state_mask ? !(state & state_mask) : state != 0))
		return false;
	return filter_allows(task);
}

/* Gives the time, or 0 where it did not look. */
static __always_inline __u64 leaves(void *ctx, struct task_struct *task, bool preempt)
{
	/* Who was preempted runs on as soon as it may, whatever state it was about to enter. */
	__u64 state = preempt ? 0 : task_state(task);
	struct offcputime_start *leave;

	if (state & TASK_DEAD) {
		start_forget(task);
		return 0;
	}
	if (!wanted(task, state))
		return 0;
	leave = start_new(task);
	if (!leave) {
		count_lost(LOST_MAP);
		return 0;
	}
	if (user_stacks && !(task->flags & PF_KTHREAD))
		leave->user_stack = stack_id(ctx, BPF_F_USER_STACK, leave->user_stack);
	if (kernel_stacks)
		leave->kernel_stack = stack_id(ctx, 0, leave->kernel_stack);
	leave->time_ns = bpf_ktime_get_ns();
	return leave->time_ns;
}

/* `now` is 0 where nobody has looked yet. */
static __always_inline void returns(struct task_struct *task, __u64 now)
{
	struct offcputime_start *leave = start_of(task);
	struct offcputime_key key = {};
	struct offcputime_sum *sum;
	__u64 away_ns;

	if (!leave || !leave->time_ns)
		return;
	away_ns = (now ? now : bpf_ktime_get_ns()) - leave->time_ns;
	leave->time_ns = 0;
	if (away_ns < min_ns || away_ns > max_ns)
		return;
	key.pid = typed_tgid(task);
	key.tid = typed_tid(task);
	key.user_stack = leave->user_stack;
	key.kernel_stack = leave->kernel_stack;
	copy_comm(key.comm, task);
	count_lost_stack(key.user_stack);
	count_lost_stack(key.kernel_stack);
	sum = map_get(&sums, &key, &no_sum);
	if (!sum)
		return;
	/* Not atomic: the key holds the thread, which comes back on one CPU at a time. */
	sum->total_ns += away_ns;
	sum->count++;
}

/* Since 5.18 a fourth argument, the state, follows; it is read from the task instead. */
SEC("tp_btf/sched_switch")
int BPF_PROG(offcputime_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u64 now = 0;

	/* The idle tasks, one per CPU, all have the id 0; that they were away means that there was work. */
	if (prev->pid)
		now = leaves(ctx, prev, preempt);
	if (next->pid)
		returns(next, now);
	return 0;
}
