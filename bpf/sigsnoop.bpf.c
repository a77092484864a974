// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Signals, where the kernel makes them: whoever asked for them, and whatever became of them. With -k the system calls
 * that send them instead, which may fail before there is a signal.
 */
#include "task/context.bpf.h"
#include "call/kill.bpf.h"

#define SIGILL 4
#define SIGTRAP 5
#define SIGBUS 7
#define SIGFPE 8
#define SIGSEGV 11
#define SIGCHLD 17
#define SIGSYS 31
#define CLD_FIRST 1 /* CLD_EXITED */
#define CLD_LAST 6  /* CLD_CONTINUED */

#define SI_USER 0
#define SI_KERNEL 0x80
#define SI_TIMER -2

/* What the kernel passes instead of a siginfo. */
#define SEND_SIG_NOINFO 0 /* as if the current process had called kill(2) */
#define SEND_SIG_PRIV 1   /* from the kernel itself */

const volatile bool with_children;
const volatile bool filter_by_tcomm;
const volatile __u64 filter_tcomm[COMM_LEN / 8];

/* What tells a parent of a child. */
static __always_inline bool sigsnoop_is_child(int signal, __s32 code)
{
	return signal == SIGCHLD && code >= CLD_FIRST && code <= CLD_LAST;
}

/* How a siginfo begins; the process is that of a child, or who sent the signal (sigaction(2)). */
struct sigsnoop_info {
	__s32 signal, error, code, unused, pid;
};

/* What the signal comes with. False for one that the kernel says to be its own. */
static __always_inline bool sigsnoop_read(__u64 *context, void *pointer, struct sigsnoop_info *info)
{
	__u64 number = SEND_SIG_NOINFO;

	if (!bpf_probe_read_kernel(info, sizeof(*info), pointer))
		return true;
	/* A number instead of a pointer: read from memory, for the verifier takes it for a pointer that is never NULL. */
	bpf_probe_read_kernel(&number, sizeof(number), &context[1]);
	info->code = number == SEND_SIG_PRIV ? SI_KERNEL : SI_USER;
	return number != SEND_SIG_PRIV;
}

/* Signals of faults: what their own codes tell is done by the task that gets them. */
static __always_inline bool sigsnoop_is_fault(int signal, __s32 code)
{
	const __u32 faults = 1 << SIGILL | 1 << SIGTRAP | 1 << SIGBUS | 1 << SIGFPE | 1 << SIGSEGV | 1u << SIGSYS;

	return code == SI_KERNEL || (code > 0 && (__u32)signal < 32 && faults >> signal & 1);
}

/* Whether the current process has this number in the target's pid namespace, or its current thread has. */
static __always_inline bool sigsnoop_current_is(__s32 pid, struct task_struct *target)
{
	struct task_struct *current = (void *)bpf_get_current_task();
	struct pid *process = BPF_CORE_READ(current, group_leader, thread_pid), *thread = BPF_CORE_READ(current, thread_pid);
	__u32 level = BPF_CORE_READ(target, thread_pid, level);
	__s32 number = 0;

	bpf_core_read(&number, sizeof(number), &process->numbers[level].nr);
	if (number == pid)
		return true;
	bpf_core_read(&number, sizeof(number), &thread->numbers[level].nr);
	return number == pid;
}

/*
 * Whether the current process sent the signal, or caused it as one that reads a bad address does. Otherwise it is an
 * accident that it ran then.
 */
static __always_inline bool sigsnoop_from_current(void *context, struct task_struct *target, int signal,
						  struct sigsnoop_info *info)
{
	struct task_struct *current = (void *)bpf_get_current_task();

	if (BPF_CORE_READ(current, flags) & PF_KTHREAD)
		return false;
	if (sigsnoop_is_fault(signal, info->code))
		return current == target;
	/* A parent that ends, or a tracer that lets go, speaks for a child that has ended before. */
	if (sigsnoop_is_child(signal, info->code))
		return sigsnoop_current_is(info->pid, target);
	/* Timers of CPU time may run out in a system call. Who claims it of another process's timer has sent it. */
	if (info->code == SI_TIMER && BPF_CORE_READ(current, tgid) == target->tgid)
		return false;
	return task_at_work(context);
}

static __always_inline bool sigsnoop_target_allowed(struct task_struct *target)
{
	__u64 comm[COMM_LEN / 8] = {};

	if (!kill_tpid_allowed(typed_tgid(target)))
		return false;
	if (!filter_by_tcomm)
		return true;
	bpf_probe_read_kernel_str(comm, sizeof(comm), target->comm);
	return comm[0] == filter_tcomm[0] && comm[1] == filter_tcomm[1];
}

SEC("tp_btf/signal_generate")
int BPF_PROG(sigsnoop_generate, int signal, void *pointer, struct task_struct *target, int group, int result)
{
	struct task_struct *sender = (void *)bpf_get_current_task();
	struct signal_event *event;
	struct event_place place;
	struct sigsnoop_info info;
	bool by_task;

	if ((failed_only && !result) || !kill_signal_allowed(signal) || !sigsnoop_target_allowed(target))
		return 0;
	by_task = sigsnoop_read(ctx, pointer, &info);
	if (!with_children && sigsnoop_is_child(signal, info.code))
		return 0;
	if (!by_task || !sigsnoop_from_current(ctx, target, signal, &info))
		sender = NULL;
	/* What no process sent is none of a process that the user asks for, and in the cgroup of its target. */
	if (!sender && (filter_tgid || filter_tgids[0]))
		return 0;
	if (!filter_allows(sender ?: target))
		return 0;
	event = event_begin(&place);
	if (!event)
		return 0;
	event->time_ns = bpf_ktime_get_boot_ns();
	event->signal = signal;
	event->code = info.code;
	event->tpid = typed_tgid(target);
	event->ttid = group ? 0 : typed_tid(target);
	event->result = result;
	event->call = KILL_NONE;
	event->compat = false;
	event->pid = event->tid = 0;
	event->comm[0] = 0;
	if (sender)
		fill_current(&event->pid, &event->tid, NULL, event->comm);
	copy_comm(event->tcomm, target);
	event_send(&place, event, sizeof(*event));
	return 0;
}

SYSCALL_EXIT(sigsnoop_exit, kill_returned)
