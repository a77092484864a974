// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Processes as they end: how, and after which life.
 *
 * Threads end one by one, and a process with the last of them. Since 6.16 the tracepoint says which one that is, and is
 * early enough for the arguments to be still there. Up to 6.15 two threads that end at the same moment both find that
 * nobody is left; the map `ended` gives the row to the first of them.
 */
#include "base/core.bpf.h"
#include "event/events.bpf.h"
#include "task/filter.bpf.h"

#define ARGS_BYTES 4096
#define SIGNAL_GROUP_EXIT 0x4
#define EEXIST 17

enum exitsnoop_flags {
	EXITSNOOP_ARGS = 1, /* the arguments could be read */
	EXITSNOOP_CUT = 2,  /* there were more than are kept */
};

struct exitsnoop_event {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u64 age_ns;
	__u32 pid;
	__u32 tid;
	__u32 ppid;
	__s32 status; /* as of wait(2) */
	__u32 flags;
	__u32 args_len;
	__u8 comm[COMM_LEN];
	__u8 data[];
};
EVENTS_NOT_NESTED(exitsnoop_event, ARGS_BYTES);
EXPORT_ENUM(exitsnoop_flags);

const volatile bool knows_last; /* the tracepoint has its argument group_dead */
const volatile bool per_thread;
const volatile bool only_failed;
const volatile bool with_args;

/* A process, by its first thread. The time tells it from a later one at the same address, should a deletion fail. */
struct exitsnoop_process {
	__u64 address;
	__u64 started_ns;
};

/* Up to 6.15: processes that have their row, as long as another of their threads may come and see the same. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct exitsnoop_process);
	__type(value, __u8);
} ended SEC(".maps");

/* Whether the process has no row yet, where several threads may be the last. */
static __always_inline bool is_first_to_tell(struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	struct exitsnoop_process process = {(__u64)leader, leader->start_boottime};
	__u8 value = 0;
	int error;

	/* The others were here before, for they are gone already. */
	if (task->signal->nr_threads == 1)
		return !bpf_map_lookup_elem(&ended, &process);
	/* An int up to 6.3: the kernel's own function is called, and leaves the upper half open (d7ba4cc900bf). */
	error = bpf_map_update_elem(&ended, &process, &value, BPF_NOEXIST);
	/* Where the map is full, rather two rows than none. */
	return error != -EEXIST;
}

/* The kernel frees the first thread after all others. */
SEC("tp_btf/sched_process_free")
int BPF_PROG(exitsnoop_free, struct task_struct *task)
{
	struct exitsnoop_process process = {(__u64)task, task->start_boottime};

	if (bpf_map_lookup_elem(&ended, &process))
		bpf_map_delete_elem(&ended, &process);
	return 0;
}

/* Whether the task is the one that a row is about: itself, or the process by its first thread. */
static __always_inline bool is_subject(struct task_struct *task)
{
	return per_thread || task->pid == task->tgid;
}

/* The status of a process is that of its group exit, or its first thread's: as wait(2) has it. */
static __always_inline int status_of(struct task_struct *task)
{
	if (!per_thread) {
		struct signal_struct *signal = task->signal;

		if (signal->flags & SIGNAL_GROUP_EXIT)
			return signal->group_exit_code;
	}
	return is_subject(task) ? task->exit_code : BPF_CORE_READ(task, group_leader, exit_code);
}

/* The arguments behind the event; gives their size. */
static __always_inline __u64 fill_args(struct exitsnoop_event *event, struct task_struct *task)
{
	struct mm_struct *mm;
	unsigned long start;
	__u64 length;

	if (!with_args)
		return 0;
	/* Kernel threads have no memory of their own, and up to 6.15 nobody has any more. */
	mm = BPF_CORE_READ(task, mm);
	if (!mm)
		return 0;
	start = BPF_CORE_READ(mm, arg_start);
	length = BPF_CORE_READ(mm, arg_end) - start;
	if (length > ARGS_BYTES) {
		length = ARGS_BYTES;
		event->flags |= EXITSNOOP_CUT;
	}
	if (bpf_probe_read_user(event->data, length, (void *)start))
		return 0;
	event->flags |= EXITSNOOP_ARGS;
	event->args_len = length;
	return length;
}

/*
 * The task, the current one, ends; `last`: no other thread of the process is left. A first thread is read by itself,
 * another one's by helpers: the verifier takes a millisecond for each pointer that a program loads (sock.bpf.h).
 */
static __always_inline int ends(struct task_struct *task, bool last)
{
	struct exitsnoop_event *event;
	struct event_place place;
	int status;

	if (!per_thread && !last)
		return 0;
	if (!filter_allows(task))
		return 0;
	status = status_of(task);
	if (only_failed && !status)
		return 0;
	if (!per_thread && !knows_last && !is_first_to_tell(task))
		return 0;
	event = event_begin(&place);
	if (!event)
		return 0;
	event->time_ns = bpf_ktime_get_boot_ns();
	event->pid = typed_tgid(task);
	event->tid = per_thread ? typed_tid(task) : event->pid;
	event->ppid = filter_parent(task);
	event->status = status;
	event->flags = 0;
	event->args_len = 0;
	if (is_subject(task)) {
		event->age_ns = event->time_ns - task->start_boottime;
		copy_comm(event->comm, task);
	} else {
		event->age_ns = event->time_ns - BPF_CORE_READ(task, group_leader, start_boottime);
		BPF_CORE_READ_STR_INTO(&event->comm, task, group_leader, comm);
	}
	event_send(&place, event, sizeof(*event) + fill_args(event, task));
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(exitsnoop_exit, struct task_struct *task)
{
	return ends(task, knows_last ? ctx[1] : !task->signal->live.counter);
}

/* For kernels that would preempt the other one, see SYSCALL_EXIT of syscall.bpf.h. All of them know the last one. */
SEC("tracepoint/sched/sched_process_exit")
int exitsnoop_exit_classic(struct trace_event_raw_sched_process_exit *ctx)
{
	return ends(bpf_get_current_task_btf(), ctx->group_dead);
}
