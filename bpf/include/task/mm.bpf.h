/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How much memory a process has mapped, in pages, on kernels that count it in different ways. */
#ifndef CORESCOPE_MM_H
#define CORESCOPE_MM_H

#include "base/core.bpf.h"

/* How many CPUs there may be: user space sets it, so that a load does not take longer than it must. */
const volatile __u32 mm_cpus = 1;

/* Up to 6.1 each thread of a process kept some of its pages for itself, since 6.2 each CPU does (f1a7941243c1). */
struct mm_rss_stat___counts {
	atomic_long_t count[NR_MM_COUNTERS];
} __attribute__((preserve_access_index));
struct mm_struct___counts {
	struct mm_rss_stat___counts rss_stat;
} __attribute__((preserve_access_index));
struct task_rss_stat___counts {
	int count[NR_MM_COUNTERS];
} __attribute__((preserve_access_index));
struct task_struct___counts {
	struct task_rss_stat___counts rss_stat;
} __attribute__((preserve_access_index));

/* A per-CPU variable of which both addresses can be had: the common one, and that of each CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} mm_anchor SEC(".maps");

/* The number in a pointer that the verifier does not let one reckon with. */
static __always_inline __u64 mm_address(void *pointer)
{
	__u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), &pointer);
	return address;
}

/*
 * The pages of `task`, a thread of the process: `pages` is in the order of MM_FILEPAGES and its kin. Exact, but for what
 * other threads have changed last up to 6.1: 64 pages of each at most.
 */
static __always_inline void mm_pages(__u64 pages[NR_MM_COUNTERS], struct task_struct *task)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	struct mm_struct___counts *old = (void *)mm;
	struct task_struct___counts *thread = (void *)task;
	__s64 counts[NR_MM_COUNTERS] = {};

	if (bpf_core_field_exists(old->rss_stat.count)) {
		int own[NR_MM_COUNTERS] = {};

		BPF_CORE_READ_INTO(&counts, old, rss_stat.count);
		if (bpf_core_field_exists(thread->rss_stat.count))
			BPF_CORE_READ_INTO(&own, thread, rss_stat.count);
		for (int i = 0; i < NR_MM_COUNTERS; i++)
			counts[i] += own[i];
	} else {
		struct bpf_array *anchor = (void *)mm_address(&mm_anchor);
		__u64 common = (__u64)BPF_CORE_READ(anchor, pptrs[0]);
		__u64 parts[NR_MM_COUNTERS];
		__u32 zero = 0;

#pragma unroll
		for (int i = 0; i < NR_MM_COUNTERS; i++) {
			counts[i] = BPF_CORE_READ(mm, rss_stat[i].count);
			parts[i] = (__u64)BPF_CORE_READ(mm, rss_stat[i].counters) - common;
		}
		for (__u32 cpu = 0; cpu < mm_cpus; cpu++) {
			void *here = bpf_map_lookup_percpu_elem(&mm_anchor, &zero, cpu);
			__u64 base;

			if (!here)
				break;
			base = mm_address(here);
#pragma unroll
			for (int i = 0; i < NR_MM_COUNTERS; i++) {
				__s32 part = 0;

				bpf_probe_read_kernel(&part, sizeof(part), (void *)(base + parts[i]));
				counts[i] += part;
			}
		}
	}
#pragma unroll
	for (int i = 0; i < NR_MM_COUNTERS; i++)
		pages[i] = counts[i] > 0 ? counts[i] : 0;
}

#endif
