/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An open, as user space reads it, and which ones are wanted. */
#ifndef OPENSNOOP_EVENT_H
#define OPENSNOOP_EVENT_H

#include "base/core.bpf.h"
#include "event/events.bpf.h"
#include "task/filter.bpf.h"
#include "call/path.bpf.h"

/* fcntl.h, the same for all architectures but alpha, parisc and sparc. */
#define OPEN_ACCESS_MODE 3
#define OPEN_CREATES (0100 | 020000000) /* O_CREAT, and the bit of O_TMPFILE that O_DIRECTORY does not have */
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
EXPORT_ENUM(opensnoop_call);

const volatile bool failed_only;
const volatile bool full_path;
const volatile bool with_uid = true;
const volatile __u32 access_modes;         /* a bit for each access mode to show, */
const volatile __u32 flag_sets[FLAG_SETS]; /* and flags to show where all of a set are there; a 0 ends the list */

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

#endif
