// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Opened files, where the system call returns: its arguments, its result and the path are all there to be read. */
#include "opensnoop/event.bpf.h"
#include "opensnoop/uring.bpf.h"
#include "call/string.bpf.h"
#include "call/syscall.bpf.h"

#define OPEN_BY_CREAT (01 | 0100 | 01000) /* O_WRONLY | O_CREAT | O_TRUNC */

/* The call's arguments; gives where the path is in the caller's memory. */
static __always_inline const char *fill_call(struct opensnoop_event *event, struct syscall *call)
{
	const char *path;

	event->call = call->action;
	event->compat = call->compat;
	event->uring = false;
	event->dirfd = PATH_AT_CWD;
	event->resolve = 0;
	if (call->action == OPENSNOOP_OPEN || call->action == OPENSNOOP_CREAT) {
		path = (void *)syscall_argument(call, 0);
		event->flags = call->action == OPENSNOOP_CREAT ? OPEN_BY_CREAT : syscall_argument(call, 1);
		event->mode = syscall_argument(call, call->action == OPENSNOOP_CREAT ? 1 : 2);
	} else {
		event->dirfd = syscall_argument(call, 0);
		path = (void *)syscall_argument(call, 1);
		event->flags = syscall_argument(call, 2);
		event->mode = syscall_argument(call, 3);
	}
	if (call->action == OPENSNOOP_OPENAT2) {
		struct open_how how = {};

		bpf_probe_read_user(&how, sizeof(how), (void *)syscall_argument(call, 2));
		event->flags = how.flags;
		event->mode = how.mode;
		event->resolve = how.resolve;
	}
	return path;
}

static __always_inline int returned(struct syscall *call, long ret)
{
	struct opensnoop_event *event;
	struct event_place place;
	const char *path;
	__u64 path_len = 0;

	if (failed_only && ret >= 0)
		return 0;
	if (!filter_allows_current())
		return 0;
	event = event_begin(&place);
	if (!event)
		return 0;
	event->time_ns = event_time();
	event->ret = ret;
	fill_current(&event->pid, &event->tid, with_uid ? &event->uid : NULL, event->comm);
	path = fill_call(event, call);
	if (!flags_wanted(event)) {
		event_discard(&place, event);
		return 0;
	}
	if (event->call != OPENSNOOP_BY_HANDLE)
		path_len = user_string(event->data, PATH_BYTES, path);
	event_send(&place, event, sizeof(*event) + fill_names(event, path_len, call->noloop));
	return 0;
}

SYSCALL_EXIT_LOOP(opensnoop_exit, returned)
URING(submitted, completed)
FILTER_COMMAND(opensnoop)
