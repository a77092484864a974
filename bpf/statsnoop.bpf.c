// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Calls of the stat family: what was asked about, and what came of it. One program, where the calls return; the path is
 * still in the caller's memory, and has just been read.
 */
#include "base/core.bpf.h"
#include "event/events.bpf.h"
#include "task/filter.bpf.h"
#include "call/path.bpf.h"
#include "call/syscall.bpf.h"

#define AT_EMPTY_PATH 0x1000

/* Where a call's arguments are: the low bits of its action, the others are user space's number for its name. */
enum statsnoop_kind {
	STATSNOOP_PATH = 1, /* path */
	STATSNOOP_FD,       /* descriptor */
	STATSNOOP_AT,       /* folder, path, result, flags */
	STATSNOOP_STATX,    /* folder, path, flags */
	STATSNOOP_KINDS = 8,
};

struct statsnoop_event {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u32 pid;
	__u32 tid;
	__s32 ret;
	__s32 fd;       /* the file, or the folder that a relative path starts from */
	__u32 at_flags; /* AT_* */
	__u32 action;
	__u16 itself;   /* 1: asked about the open file `fd`, and not about a path */
	__u16 compat;   /* of a 32-bit caller */
	__u32 names_len; /* names of the open file, or of the folder; the path follows */
	__u32 names_end;
	__u32 path_len; /* with the final NUL; 0 where there was none, or none that could be read */
	__u8 comm[COMM_LEN];
	__u8 data[];
};
EXPORT_ENUM(statsnoop_kind);
EVENTS_NOT_NESTED(statsnoop_event, PATH_BYTES + PATH_NAMES_ROOM);

const volatile bool failed_only;
const volatile bool full_path;

/* The call's arguments: descriptor and flags; gives where the path is in the caller's memory. */
static __always_inline const char *fill_call(struct statsnoop_event *event, struct syscall *call)
{
	event->action = call->action;
	event->compat = call->compat;
	event->at_flags = 0;
	switch (call->action % STATSNOOP_KINDS) {
	case STATSNOOP_PATH:
		event->fd = PATH_AT_CWD;
		return (void *)syscall_argument(call, 0);
	case STATSNOOP_FD:
		event->fd = syscall_argument(call, 0);
		return NULL;
	case STATSNOOP_AT:
		event->at_flags = syscall_argument(call, 3);
		break;
	case STATSNOOP_STATX:
		event->at_flags = syscall_argument(call, 2);
		break;
	}
	event->fd = syscall_argument(call, 0);
	return (void *)syscall_argument(call, 1);
}

static __always_inline bool is_about_descriptor(struct statsnoop_event *event, const char *path, char first)
{
	if (event->action % STATSNOOP_KINDS == STATSNOOP_FD)
		return true;
	if (!(event->at_flags & AT_EMPTY_PATH))
		return false;
	/* Since 6.11 (0ef625bba6fb) no path at all is as good as an empty one. */
	return path ? !first : event->ret >= 0;
}

/* The open file, or the folder that the path starts from where somebody wants to know that. */
static __always_inline const struct path *wanted_path(struct statsnoop_event *event, const char *path)
{
	char first = '/';

	if (full_path || event->at_flags & AT_EMPTY_PATH)
		bpf_probe_read_user(&first, sizeof(first), path);
	event->itself = is_about_descriptor(event, path, first);
	if (!event->itself && (!full_path || !first || first == '/'))
		return NULL;
	if (event->action % STATSNOOP_KINDS == STATSNOOP_FD)
		return path_of_fd(event->fd);
	return path_of_folder(event->fd);
}

static __always_inline int returned(struct syscall *call, long ret)
{
	struct statsnoop_event *event;
	struct event_place place;
	const char *path;
	__u64 used, length;

	if (failed_only && ret >= 0)
		return 0;
	if (!filter_allows_current())
		return 0;
	event = event_begin(&place);
	if (!event)
		return 0;
	event->time_ns = event_time();
	event->ret = ret;
	fill_current(&event->pid, &event->tid, NULL, event->comm);
	path = fill_call(event, call);
	used = path_names(event->data, wanted_path(event, path), &event->names_end, call->noloop);
	event->names_len = used;
	length = path ? user_string(event->data + used, PATH_BYTES, path) : 0;
	event->path_len = length;
	event_send(&place, event, sizeof(*event) + used + length);
	return 0;
}

SYSCALL_EXIT_LOOP(statsnoop_exit, returned)
