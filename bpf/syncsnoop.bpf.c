// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Calls that write back what the caches hold: who made them, for which file, and how long they took. The start is kept
 * from the entry to the exit; all else is seen at the exit.
 */
#include "syncsnoop/event.bpf.h"
#include "syncsnoop/uring.bpf.h"
#include "task/start.bpf.h"
#include "call/syscall.bpf.h"

/* Of a thread's call that has not returned: also of one that a signal interrupts, and the kernel begins again. */
struct syncsnoop_start {
	__u64 time_ns;           /* 0: none is known */
	const struct path *path; /* of the descriptor: to be known again, and not to be followed */
};
STARTS(syncsnoop_start);

/* The open file of a call that has a descriptor. */
static __always_inline const struct path *described_path(struct syscall *call)
{
	switch (call->action % SYNCSNOOP_KINDS) {
	case SYNCSNOOP_FD:
	case SYNCSNOOP_RANGE:
	case SYNCSNOOP_RANGE2:
		return path_of_fd(syscall_argument(call, 0));
	}
	return NULL;
}

/* Where there is no room, the row says that its start is not known. */
static __always_inline int entered(struct syscall *call)
{
	struct syncsnoop_start *start = start_current();

	if (!start || (start->time_ns && syscall_begins_again(call)))
		return 0;
	start->path = described_path(call);
	start->time_ns = bpf_ktime_get_boot_ns();
	return 0;
}

static long note_file(struct task_struct *task, struct vm_area_struct *area, const struct path **path)
{
	struct file *file = area->vm_file;

	*path = file ? __builtin_preserve_access_index(&file->f_path) : NULL;
	return 0;
}

/* The file that is mapped at an address. Its memory stays readable as long as the program runs (RCU). */
static __always_inline const struct path *mapped_path(__u64 address)
{
	const struct path *path = NULL;

	bpf_find_vma(bpf_get_current_task_btf(), address, note_file, &path, 0);
	return path;
}

/* A 64-bit argument: of 32-bit callers it is two. */
static __always_inline __u64 wide_argument(struct syscall *call, const __u32 native, const __u32 low)
{
	if (call->compat)
		return syscall_argument(call, low) | syscall_argument(call, low + 1) << 32;
	return syscall_argument(call, native);
}

static __always_inline void fill_call(struct syncsnoop_event *event, struct syscall *call)
{
	event->action = call->action;
	event->compat = call->compat;
	event->uring = false;
	event->fd = syscall_argument(call, 0);
	event->from = 0;
	event->bytes = 0;
	event->flags = 0;
	switch (call->action % SYNCSNOOP_KINDS) {
	case SYNCSNOOP_MEMORY:
		event->from = syscall_argument(call, 0);
		event->bytes = syscall_argument(call, 1);
		event->flags = syscall_argument(call, 2);
		break;
	case SYNCSNOOP_RANGE:
		event->from = wide_argument(call, 1, 1);
		event->bytes = wide_argument(call, 2, 3);
		event->flags = call->compat ? syscall_argument(call, 5) : syscall_argument(call, 3);
		break;
	case SYNCSNOOP_RANGE2:
		event->flags = syscall_argument(call, 1);
		event->from = wide_argument(call, 2, 2);
		event->bytes = wide_argument(call, 3, 4);
		break;
	}
}

static __always_inline int returned(struct syscall *call, long ret)
{
	struct syncsnoop_start start = {};
	struct syncsnoop_event *event;
	struct event_place place;
	const struct path *path;
	__u64 used, now;

	now = bpf_ktime_get_boot_ns();
	start_take(&start);
	if (start.time_ns && now - start.time_ns < min_latency_ns)
		return 0;
	if (!filter_allows((void *)bpf_get_current_task()))
		return 0;
	path = described_path(call);
	/* Another thread may have closed the file, and opened another one. */
	if (start.time_ns && start.path != path)
		path = NULL;
	/* bpf_find_vma() came with bpf_loop(), 5.17 (7c7e3d31e785). */
	if (!call->noloop && call->action % SYNCSNOOP_KINDS == SYNCSNOOP_MEMORY)
		path = mapped_path(syscall_argument(call, 0));
	event = event_begin(&place);
	if (!event)
		return 0;
	event->time_ns = now;
	event->start_ns = start.time_ns;
	event->ret = ret;
	fill_current(&event->pid, &event->tid, NULL, event->comm);
	fill_call(event, call);
	used = path_names(event->data, path, &event->names_end, call->noloop);
	event->names_len = used;
	event_send(&place, event, sizeof(*event) + used);
	return 0;
}

SYSCALL_ENTER(syncsnoop_enter, entered)
SYSCALL_EXIT_LOOP(syncsnoop_exit, returned)
URING(submitted, completed)
