/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Signals that processes send by system calls, for sigsnoop and killsnoop:
 *
 *	SYSCALL_EXIT(killsnoop_exit, kill_returned)
 *
 * They are seen where they return, for one that fails makes no signal. Its settings and the numbers of the calls come
 * from common/core/src/object/kill.rs.
 */
#ifndef CORESCOPE_KILL_H
#define CORESCOPE_KILL_H

#include "event/events.bpf.h"
#include "task/filter.bpf.h"
#include "task/pid.bpf.h"
#include "call/syscall.bpf.h"

/* The order is that of CALLS in common/core/src/object/kill.rs. */
enum kill_call {
	KILL_NONE, /* a signal, by whatever means */
	KILL_KILL,
	KILL_TKILL,
	KILL_TGKILL,
	KILL_PIDFD,
	KILL_QUEUE,
	KILL_TGQUEUE,
};

/* A signal, or an attempt to send one. */
struct signal_event {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u32 pid;     /* of the sender; 0: no process sent it */
	__u32 tid;
	__s32 signal;
	__s32 code; /* si_code */
	__s32 tpid; /* of the target; of a call 0 and less as given, and what is not found as well */
	__u32 ttid; /* 0: the signal is for the process */
	__s32 result;
	__u16 call;    /* enum kill_call */
	__u16 compat;  /* of a 32-bit caller */
	__u8 comm[COMM_LEN];
	__u8 tcomm[COMM_LEN]; /* empty: there is no such task */
};
EVENTS_NOT_NESTED(signal_event, 0);

#define KILL_SIGNALS 128 /* more than there are, and a power of two */

const volatile bool filter_by_signal;
const volatile __u8 filter_signals[KILL_SIGNALS];
const volatile bool filter_by_tpid;
const volatile __s32 filter_tpid;
const volatile bool failed_only;

static __always_inline bool kill_signal_allowed(__s32 signal)
{
	__u64 index = (__u32)signal;

	if (!filter_by_signal)
		return true;
	if (index >= KILL_SIGNALS)
		return false;
	/* The compiler knows that the mask changes nothing; the verifier does not. */
	barrier_var(index);
	return filter_signals[index & (KILL_SIGNALS - 1)];
}

static __always_inline bool kill_tpid_allowed(__s32 tpid)
{
	return !filter_by_tpid || tpid == filter_tpid;
}

#define KILL_FOR_THREAD 1 /* flags of pidfd_send_signal(2), since 6.9 */
#define KILL_FOR_GROUP 4
#define KILL_PIDFD_OF_THREAD 0200 /* O_EXCL */
#define KILL_SELF_THREAD -10000   /* instead of a descriptor, in new kernels */
#define KILL_SELF_PROCESS -10001

#define KILL_ESRCH -3
#define KILL_EBADF -9
#define KILL_EINVAL -22

/*
 * Whom a call is for: `tpid` as given until the task is known, `ttid` where it is for a thread. NULL: nobody has that
 * number, or it is not for one process. All of it goes to memory, where the verifier does not follow each case by itself.
 */
static __always_inline struct pid *kill_pidfd_target(struct signal_event *event, struct syscall *call, long result)
{
	__s32 fd = syscall_argument(call, 0);
	__u32 flags = syscall_argument(call, 3);
	struct pid *pid;
	bool thread;

	if (fd == KILL_SELF_THREAD || fd == KILL_SELF_PROCESS) {
		thread = fd == KILL_SELF_THREAD;
		pid = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), thread_pid);
	} else {
		thread = BPF_CORE_READ(path_file(fd), f_flags) & KILL_PIDFD_OF_THREAD;
		pid = pid_of_fd(fd, result != KILL_EBADF && result != KILL_EINVAL);
	}
	if (flags)
		thread = flags == KILL_FOR_THREAD;
	event->tpid = pid_number(pid);
	event->ttid = thread ? event->tpid : 0;
	return pid;
}

static __always_inline struct pid *kill_target(struct signal_event *event, struct syscall *call, long result)
{
	__s32 number;

	if (call->action == KILL_PIDFD)
		return kill_pidfd_target(event, call, result);
	number = syscall_argument(call, 0);
	event->tpid = number;
	event->ttid = 0;
	if (call->action == KILL_TGKILL || call->action == KILL_TGQUEUE)
		number = syscall_argument(call, 1);
	if (call->action == KILL_TGKILL || call->action == KILL_TGQUEUE || call->action == KILL_TKILL)
		event->ttid = number;
	return pid_find(number);
}

/* What a call does is known when it returns: one that fails makes no signal. */
static __always_inline int kill_returned(struct syscall *call, long result)
{
	struct signal_event *event;
	struct event_place place;
	struct task_struct *task;
	struct pid *pid;
	__s32 signal;

	if (failed_only && result >= 0)
		return 0;
	signal = syscall_argument(call, call->action == KILL_TGKILL || call->action == KILL_TGQUEUE ? 2 : 1);
	if (!kill_signal_allowed(signal) || !filter_allows_current())
		return 0;
	event = event_begin(&place);
	if (!event)
		return 0;
	event->time_ns = bpf_ktime_get_boot_ns();
	fill_current(&event->pid, &event->tid, NULL, event->comm);
	event->signal = signal;
	event->code = 0;
	event->result = result;
	event->call = call->action;
	event->compat = call->compat;
	event->tcomm[0] = 0;
	pid = kill_target(event, call, result);
	/* There may be a thread of that number in another process than the call named. */
	task = result == KILL_ESRCH ? NULL : pid_task(pid);
	if (task) {
		event->tpid = task_tgid(task);
		if (event->ttid)
			event->ttid = task_tid(task);
		BPF_CORE_READ_STR_INTO(&event->tcomm, task, comm);
	}
	if (call->action == KILL_PIDFD && (__u32)syscall_argument(call, 3) == KILL_FOR_GROUP)
		event->tpid = -event->tpid;
	if (kill_tpid_allowed(event->tpid))
		event_send(&place, event, sizeof(*event));
	else
		event_discard(&place, event);
	return 0;
}

#endif
