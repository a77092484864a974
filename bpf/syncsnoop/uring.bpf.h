/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The same through io_uring(7): kept where it is submitted, sent where it completes. */
#ifndef SYNCSNOOP_URING_H
#define SYNCSNOOP_URING_H

#include "event.bpf.h"
#include "call/uring.bpf.h"

URING_KEPT(sizeof(struct syncsnoop_event));

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

#endif
