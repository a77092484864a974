/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What could not be recorded, counted: user space reports it, so that nothing is lost in silence. */
#ifndef CORESCOPE_LOST_H
#define CORESCOPE_LOST_H

#include "base/core.bpf.h"

enum lost_reason {
	LOST_BUFFER, /* the ring buffer was full */
	LOST_MAP,    /* a map was full */
	LOST_STACK,  /* a stack could not be stored */
	LOST_REASONS,
};

/* Of one CPU: a cache line. */
struct lost_counts {
	__u64 of[8];
};

/*
 * User space reads it as memory. While a process is in a look-up by bpf(2), the kernel starts no program of a kprobe or a
 * classic tracepoint on its CPU (bpf_disable_instrumentation()), whoever runs there meanwhile: it would cost events.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* one for each CPU, set before load */
	__type(key, __u32);
	__type(value, struct lost_counts);
} lost SEC(".maps");

static __always_inline void count_lost(const __u32 reason)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct lost_counts *counts = bpf_map_lookup_elem(&lost, &cpu);

	/* Atomic, for an interrupt on the same CPU may lose something as well. */
	if (counts)
		__sync_fetch_and_add(&counts->of[reason], 1);
}

#endif
