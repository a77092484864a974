/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Opens through io_uring(7): kept where they are submitted, sent where they complete. */
#ifndef OPENSNOOP_URING_H
#define OPENSNOOP_URING_H

#include "event.bpf.h"
#include "call/uring.bpf.h"

URING_KEPT(sizeof(struct opensnoop_event) + PATH_BYTES + PATH_NAMES_ROOM);

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

#endif
