/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What could not be recorded, counted: user space reports it, so that nothing is lost in silence. */
#ifndef CORESCOPE_LOST_H
#define CORESCOPE_LOST_H

#include "core.bpf.h"

/* The order is that of REASONS in common/core/src/lost.rs. */
enum lost_reason {
	LOST_BUFFER, /* the ring buffer was full */
	LOST_MAP,    /* a map was full */
	LOST_STACK,  /* a stack could not be stored */
	LOST_REASONS,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LOST_REASONS);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

static __always_inline void count_lost(__u32 reason)
{
	__u64 *count = bpf_map_lookup_elem(&lost, &reason);

	/* Atomic, for an interrupt on the same CPU may lose something as well. */
	if (count)
		__sync_fetch_and_add(count, 1);
}

#endif
