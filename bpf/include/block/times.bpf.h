/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When a request was made and when its driver got it (CLOCK_MONOTONIC). Requests remember both themselves, but not always:
 * the first if the queue counts its I/O or has a scheduler, the second if something asks for statistics, as writeback throttling
 * does by default. Others are noted as they are issued, from the first one on that lacks it.
 *
 *	REQUEST_TIMES(biolatency)
 */
#ifndef CORESCOPE_TIMES_H
#define CORESCOPE_TIMES_H

#include "base/lost.bpf.h"
#include "block/request.bpf.h"

/* By request, whose memory is used again: entries are never deleted. 0: it has been taken. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct request *);
	__type(value, __u64);
} request_issued SEC(".maps");

bool requests_lack_times;

static __always_inline void request_note_issue(struct request *request)
{
	__u64 now = bpf_ktime_get_ns(), key = (__u64)request, *noted;

	noted = bpf_map_lookup_elem(&request_issued, &key);
	if (noted)
		*noted = now;
	else if (bpf_map_update_elem(&request_issued, &key, &now, BPF_ANY))
		count_lost(LOST_MAP);
}

#define REQUEST_TIMES(tool)                                                                                            \
	SEC("tp_btf/block_rq_issue")                                                                                   \
	int tool##_issue(__u64 *ctx)                                                                                   \
	{                                                                                                              \
		struct request *request;                                                                               \
                                                                                                                       \
		if (!requests_lack_times)                                                                              \
			return 0;                                                                                      \
		request = request_of(ctx);                                                                             \
		if (request_wanted(request))                                                                           \
			request_note_issue(request);                                                                   \
		return 0;                                                                                              \
	}

/* When the driver got a request that ends; 0 if that is not known. To be asked once. */
static __always_inline __u64 request_issue_time(struct request *request)
{
	__u64 time = request->io_start_time_ns, *noted, key = (__u64)request;

	if (time)
		return time;
	if (!requests_lack_times) {
		requests_lack_times = true;
		return 0;
	}
	noted = bpf_map_lookup_elem(&request_issued, &key);
	if (noted) {
		time = *noted;
		*noted = 0;
	}
	return time;
}

#endif
