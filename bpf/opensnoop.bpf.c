// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Opened files, where the system call returns: its arguments, its result and the path are all there to be read. */
#include "base/core.bpf.h"
#include "event/events.bpf.h"
#include "task/filter.bpf.h"
#include "call/path.bpf.h"
#include "call/string.bpf.h"
#include "call/syscall.bpf.h"
#include "call/uring.bpf.h"

/* fcntl.h, the same for all architectures but alpha, parisc and sparc. */
#define OPEN_ACCESS_MODE 3
#define OPEN_CREATES (0100 | 020000000) /* O_CREAT, and the bit of O_TMPFILE that O_DIRECTORY does not have */
#define OPEN_BY_CREAT (01 | 0100 | 01000) /* O_WRONLY | O_CREAT | O_TRUNC */
#define FLAG_SETS 32

/* How a system call takes its arguments. */
enum opensnoop_call {
	OPENSNOOP_OPEN = 1,
	OPENSNOOP_CREAT,
	OPENSNOOP_OPENAT,
	OPENSNOOP_OPENAT2,
	OPENSNOOP_BY_HANDLE,
};

struct opensnoop_event {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u32 pid;
	__u32 tid;
	__u32 uid;
	__s32 ret;
	__s32 dirfd;
	__u32 flags;
	__u16 mode;
	__u16 call;              /* enum opensnoop_call */
	__u8 compat;             /* of a 32-bit caller */
	__u8 uring;              /* through io_uring(7) */
	__u16 path_len;          /* with its NUL; 0 where it cannot be read */
	__u16 names_len;         /* behind it: of the folder that the path starts at, or of the file, see path.bpf.h */
	__u16 resolve;           /* of openat2 */
	__u32 names_end;         /* enum path_end */
	__u8 comm[COMM_LEN];
	__u8 data[];
};
EVENTS_NOT_NESTED(opensnoop_event, PATH_BYTES + PATH_NAMES_ROOM);
URING_KEPT(sizeof(struct opensnoop_event) + PATH_BYTES + PATH_NAMES_ROOM);
EXPORT_ENUM(opensnoop_call);

const volatile bool failed_only;
const volatile bool full_path;
const volatile bool with_uid = true;
const volatile __u32 access_modes;         /* a bit for each access mode to show, */
const volatile __u32 flag_sets[FLAG_SETS]; /* and flags to show where all of a set are there; a 0 ends the list */

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

/* Whether an open with these flags is to be shown, which are the call's other arguments as well. */
static __always_inline bool flags_wanted(struct opensnoop_event *event)
{
	__u32 flags = event->flags;

	/* Whatever lies there otherwise is no mode. */
	if (!(flags & OPEN_CREATES))
		event->mode = 0;
	if (!access_modes && !flag_sets[0])
		return true;
	if (access_modes & (1 << (flags & OPEN_ACCESS_MODE)))
		return true;
	for (int i = 0; i < FLAG_SETS && flag_sets[i]; i++) {
		if ((flags & flag_sets[i]) == flag_sets[i])
			return true;
	}
	return false;
}

/* What says where the path starts, which is there already, or which file a handle stands for; gives the size of all. */
static __always_inline __u64 fill_names(struct opensnoop_event *event, __u64 path_len, const bool noloop)
{
	const struct path *from = NULL;
	__u64 names_len = 0;

	if (event->call == OPENSNOOP_BY_HANDLE)
		from = event->ret >= 0 ? path_of_fd(event->ret) : NULL;
	else if (full_path && path_len && event->data[0] != '/')
		from = path_of_folder(event->dirfd);
	event->names_end = PATH_UNKNOWN;
	if (full_path || event->call == OPENSNOOP_BY_HANDLE)
		names_len = path_names(event->data + path_len, from, &event->names_end, noloop);
	event->path_len = path_len;
	event->names_len = names_len;
	return bounded(path_len + names_len, PATH_BYTES + PATH_NAMES_ROOM);
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

/* What a ring's request keeps, before 7.2: there the name's pointer is in a struct of its own. */
struct io_open___pointer {
	struct filename *filename;
} __attribute__((preserve_access_index));

static __always_inline const char *asked_path(struct io_open *asked)
{
	struct io_open___pointer *older = (void *)asked;

	if (bpf_core_type_exists(struct delayed_filename))
		return BPF_CORE_READ(asked, filename.__incomplete_filename, name);
	return BPF_CORE_READ(older, filename, name);
}

/* The event up to its result. */
static __always_inline int submitted(struct io_kiocb *request, __u32 call)
{
	struct io_open *asked = uring_asked(request);
	struct opensnoop_event *event;
	struct event_place place;
	long path_len;

	if (!filter_allows_current())
		return 0;
	event = event_begin(&place);
	if (!event)
		return 0;
	event->ret = 0;
	fill_current(&event->pid, &event->tid, with_uid ? &event->uid : NULL, event->comm);
	event->call = call;
	event->compat = false;
	event->uring = true;
	event->dirfd = BPF_CORE_READ(asked, dfd);
	event->flags = BPF_CORE_READ(asked, how.flags);
	event->mode = BPF_CORE_READ(asked, how.mode);
	event->resolve = BPF_CORE_READ(asked, how.resolve);
	if (flags_wanted(event)) {
		path_len = bpf_probe_read_kernel_str(event->data, PATH_BYTES, asked_path(asked));
		fill_names(event, path_len < 0 ? 0 : bounded(path_len, PATH_BYTES), false);
		uring_keep(request, event);
	}
	event_discard(&place, event);
	return 0;
}

static __always_inline int completed(struct io_kiocb *request, int ret)
{
	struct opensnoop_event *event = uring_find(request);

	if (!event)
		return 0;
	event->time_ns = event_time();
	event->ret = ret;
	if (!failed_only || ret < 0)
		event_output(event, sizeof(*event) + bounded(event->path_len + event->names_len, PATH_BYTES + PATH_NAMES_ROOM));
	uring_forget(request);
	return 0;
}

SYSCALL_EXIT_LOOP(opensnoop_exit, returned)
URING(submitted, completed)
FILTER_COMMAND(opensnoop)
