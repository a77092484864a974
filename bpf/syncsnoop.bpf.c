// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Calls that write back what the caches hold: who made them, for which file, and how long they took. The start is kept
 * from the entry to the exit; all else is seen at the exit.
 */
#include "base/core.bpf.h"
#include "event/events.bpf.h"
#include "task/filter.bpf.h"
#include "task/start.bpf.h"
#include "call/path.bpf.h"
#include "call/syscall.bpf.h"
#include "call/uring.bpf.h"

/* Where a call's arguments are: the low bits of its action, the others are user space's number for its name. */
enum syncsnoop_kind {
	SYNCSNOOP_ALL = 1, /* none */
	SYNCSNOOP_FD,      /* descriptor */
	SYNCSNOOP_MEMORY,  /* address, length, flags */
	SYNCSNOOP_RANGE,   /* descriptor, offset, length, flags */
	SYNCSNOOP_RANGE2,  /* descriptor, flags, offset, length */
	SYNCSNOOP_KINDS = 8,
};

struct syncsnoop_event {
	__u64 time_ns;  /* CLOCK_BOOTTIME, when it returned */
	__u64 start_ns; /* when it was called; 0 if that was before it was traced */
	__u64 from;     /* address or offset */
	__u64 bytes;
	__u32 pid;
	__u32 tid;
	__s32 ret;
	__s32 fd;
	__u32 flags;
	__u16 action;
	__u8 compat; /* of a 32-bit caller */
	__u8 uring;  /* through io_uring(7) */
	__u32 names_len;
	__u32 names_end;
	__u8 comm[COMM_LEN];
	__u8 data[];
};
EXPORT_ENUM(syncsnoop_kind);
EVENTS_NOT_NESTED(syncsnoop_event, PATH_NAMES_ROOM);
URING_KEPT(sizeof(struct syncsnoop_event));

const volatile __u64 min_latency_ns;

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

#define ONLY_DATA 1 /* IORING_FSYNC_DATASYNC */

/* The event up to its result. */
static __always_inline int submitted(struct io_kiocb *request, __u32 action)
{
	struct io_sync *asked = uring_asked(request);
	struct syncsnoop_event event = {};
	bool of_range = action % SYNCSNOOP_KINDS == SYNCSNOOP_RANGE;

	if (!filter_allows_current())
		return 0;
	fill_current(&event.pid, &event.tid, NULL, event.comm);
	event.uring = true;
	event.flags = BPF_CORE_READ(asked, flags);
	event.fd = BPF_CORE_READ(request, cqe.fd);
	event.from = BPF_CORE_READ(asked, off);
	event.bytes = BPF_CORE_READ(asked, len);
	event.action = !of_range && event.flags & ONLY_DATA ? uring_actions[URING_FDATASYNC] : action;
	event.start_ns = bpf_ktime_get_boot_ns();
	uring_keep(request, &event);
	return 0;
}

static __always_inline int completed(struct io_kiocb *request, int ret)
{
	struct syncsnoop_event *kept = uring_find(request), *event;
	__u64 used, now = bpf_ktime_get_boot_ns();
	struct event_place place;

	if (!kept)
		return 0;
	event = now - kept->start_ns < min_latency_ns ? NULL : event_begin(&place);
	if (event) {
		*event = *kept;
		event->time_ns = now;
		event->ret = ret;
		used = path_names(event->data, path_of_file(BPF_CORE_READ(request, file)), &event->names_end, false);
		event->names_len = used;
		event_send(&place, event, sizeof(*event) + used);
	}
	uring_forget(request);
	return 0;
}

SYSCALL_ENTER(syncsnoop_enter, entered)
SYSCALL_EXIT_LOOP(syncsnoop_exit, returned)
URING(submitted, completed)
