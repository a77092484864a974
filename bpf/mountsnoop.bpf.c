// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * System calls that mount and unmount, with their arguments as the caller wrote them.
 *
 * One program sees them as they return: numbers are in the saved registers, and what the pointers name is still in the
 * caller's memory. What each argument means is known in user space only, tools/mountsnoop/src/calls.rs.
 */
#include "base/core.bpf.h"
#include "event/events.bpf.h"
#include "task/filter.bpf.h"
#include "task/start.bpf.h"
#include "call/path.bpf.h"
#include "call/string.bpf.h"
#include "call/syscall.bpf.h"

enum mountsnoop_call {
	MOUNTSNOOP_MOUNT = 1,
	MOUNTSNOOP_UMOUNT,
	MOUNTSNOOP_OLD_UMOUNT, /* of 32-bit callers, without flags */
	MOUNTSNOOP_PIVOT_ROOT,
	MOUNTSNOOP_FSOPEN,
	MOUNTSNOOP_FSPICK,
	MOUNTSNOOP_FSCONFIG,
	MOUNTSNOOP_FSMOUNT,
	MOUNTSNOOP_MOVE_MOUNT,
	MOUNTSNOOP_OPEN_TREE,
	MOUNTSNOOP_MOUNT_SETATTR,
	MOUNTSNOOP_OPEN_TREE_ATTR,
};
EXPORT_ENUM(mountsnoop_call);

#define ARGUMENTS 5

/* What is kept at most: of a string PATH_MAX and one more byte, which tells that there is more. */
enum mountsnoop_bytes {
	MOUNTSNOOP_BLOB = 4096,
	MOUNTSNOOP_STRING = 4097,
};
EXPORT_ENUM(mountsnoop_bytes);

struct mountsnoop_event {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u64 latency_ns; /* 0 where it was not asked for or the start was not seen */
	__u64 args[ARGUMENTS];
	__u32 pid;
	__u32 tid;
	__u32 ppid;
	__u32 mnt_ns;
	__s32 ret;
	__u16 call;
	__u16 compat; /* of a 32-bit caller */
	/* Bytes that follow for each argument, a string's NUL included; 0 for numbers and for what cannot be read. */
	__u16 lengths[ARGUMENTS];
	__u8 comm[COMM_LEN];
	__u8 parent_comm[COMM_LEN];
	__u16 names_len; /* behind them: of what the target's path starts at, see path.bpf.h */
	__u32 names_end; /* enum path_end; PATH_UNKNOWN where it starts at the root of the process */
	__u8 data[];
};
EVENTS_NOT_NESTED(mountsnoop_event, ARGUMENTS * MOUNTSNOOP_STRING + PATH_NAMES_ROOM);

/* Of the call that a thread is in: with --detailed. */
struct mountsnoop_start {
	__u64 time_ns; /* CLOCK_BOOTTIME */
};
STARTS(mountsnoop_start);

/* Which arguments are strings, and whether the fourth is a block of bytes whose length is the fifth. */
#define STRING(index) (1 << (index))
#define BLOB 0x80

static __always_inline __u32 pointers(struct syscall *call)
{
	switch (call->action) {
	case MOUNTSNOOP_MOUNT: return STRING(0) | STRING(1) | STRING(2) | STRING(4);
	case MOUNTSNOOP_UMOUNT: return STRING(0);
	case MOUNTSNOOP_OLD_UMOUNT: return STRING(0);
	case MOUNTSNOOP_PIVOT_ROOT: return STRING(0) | STRING(1);
	case MOUNTSNOOP_FSOPEN: return STRING(0);
	case MOUNTSNOOP_FSPICK: return STRING(1);
	case MOUNTSNOOP_MOVE_MOUNT: return STRING(1) | STRING(3);
	case MOUNTSNOOP_OPEN_TREE: return STRING(1);
	case MOUNTSNOOP_MOUNT_SETATTR: return STRING(1) | BLOB;
	case MOUNTSNOOP_OPEN_TREE_ATTR: return STRING(1) | BLOB;
	case MOUNTSNOOP_FSCONFIG:
		switch ((__u32)syscall_argument(call, 1)) {
		case FSCONFIG_SET_STRING: return STRING(2) | STRING(3);
		case FSCONFIG_SET_PATH: return STRING(2) | STRING(3);
		case FSCONFIG_SET_PATH_EMPTY: return STRING(2) | STRING(3);
		case FSCONFIG_SET_BINARY: return STRING(2) | BLOB;
		default: return STRING(2);
		}
	default: return 0;
	}
}

/* Copies what an argument points to behind the others; gives the size of all. */
static __always_inline __u64 fill(struct mountsnoop_event *event, const __u32 index, __u64 used, __u32 kinds)
{
	void *pointer = (void *)event->args[index];
	__u64 length = 0;

	if (pointer && kinds & STRING(index)) {
		length = user_string(event->data + used, MOUNTSNOOP_STRING, pointer);
	} else if (pointer && index == 3 && kinds & BLOB) {
		__u64 size = event->args[4];

		if (size > MOUNTSNOOP_BLOB)
			size = MOUNTSNOOP_BLOB;
		if (!bpf_probe_read_user(event->data + used, size, pointer))
			length = size;
	}
	event->lengths[index] = length;
	/* Read back, so that the verifier sees the same whatever was copied, and goes on once. */
	return bounded(used + *(volatile __u16 *)&event->lengths[index], (index + 1) * MOUNTSNOOP_STRING);
}

/* Where the target's path starts, unless that is the root of the process. */
static __always_inline const struct path *target_start(struct mountsnoop_event *event, struct syscall *call)
{
	switch (call->action) {
	case MOUNTSNOOP_MOUNT:
	case MOUNTSNOOP_PIVOT_ROOT: return path_start(PATH_AT_CWD, (void *)event->args[1]);
	case MOUNTSNOOP_UMOUNT:
	case MOUNTSNOOP_OLD_UMOUNT: return path_start(PATH_AT_CWD, (void *)event->args[0]);
	case MOUNTSNOOP_FSPICK:
	case MOUNTSNOOP_MOUNT_SETATTR: return path_start(event->args[0], (void *)event->args[1]);
	case MOUNTSNOOP_MOVE_MOUNT: return path_start(event->args[2], (void *)event->args[3]);
	}
	return NULL;
}

/* Where there is no room the call has a line without its latency. */
static __always_inline int entered(struct syscall *call)
{
	struct mountsnoop_start *start = start_current();

	if (!start || (start->time_ns && syscall_begins_again(call)))
		return 0;
	start->time_ns = bpf_ktime_get_boot_ns();
	return 0;
}

static __always_inline int returned(struct syscall *call, long ret)
{
	struct task_struct *task, *parent;
	struct mountsnoop_event *event;
	struct event_place place;
	struct mountsnoop_start start;
	__u64 now, used, latency = 0;
	__u32 kinds;

	now = bpf_ktime_get_boot_ns();
	if (start_take(&start))
		latency = now - start.time_ns;
	task = (void *)bpf_get_current_task();
	if (!filter_allows(task))
		return 0;
	event = event_begin(&place);
	if (!event)
		return 0;
	parent = BPF_CORE_READ(task, real_parent);
	event->time_ns = now;
	event->latency_ns = latency;
	fill_current(&event->pid, &event->tid, NULL, event->comm);
	event->ppid = task_tgid(parent);
	event->mnt_ns = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
	event->ret = ret;
	event->call = call->action;
	event->compat = call->compat;
	BPF_CORE_READ_STR_INTO(&event->parent_comm, parent, comm);
	event->args[0] = syscall_argument(call, 0);
	event->args[1] = syscall_argument(call, 1);
	event->args[2] = syscall_argument(call, 2);
	event->args[3] = syscall_argument(call, 3);
	event->args[4] = syscall_argument(call, 4);
	kinds = pointers(call);
	used = fill(event, 0, 0, kinds);
	used = fill(event, 1, used, kinds);
	used = fill(event, 2, used, kinds);
	used = fill(event, 3, used, kinds);
	used = fill(event, 4, used, kinds);
	event->names_len = path_names(event->data + used, target_start(event, call), &event->names_end, call->noloop);
	used = bounded(used + event->names_len, ARGUMENTS * MOUNTSNOOP_STRING + PATH_NAMES_ROOM);
	event_send(&place, event, sizeof(*event) + used);
	return 0;
}

SYSCALL_ENTER(mountsnoop_enter, entered)
SYSCALL_EXIT_LOOP(mountsnoop_exit, returned)
