/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Histograms, counted in the kernel. One size for all: read by common/core/src/output/histogram.rs. */
#ifndef CORESCOPE_HISTOGRAM_H
#define CORESCOPE_HISTOGRAM_H

#include "base/core.bpf.h"

#define HISTOGRAM_SLOTS 63

/* Slot 0 of a log2 histogram counts 0 and 1, slot n from 2^n to 2^(n+1) - 1; slot n of a linear one counts n. */
struct histogram {
	__u64 sum; /* of the values as they were, before they were scaled for their slot */
	__u64 slots[HISTOGRAM_SLOTS];
};

static __always_inline __u32 log2_slot(__u64 value)
{
	__u32 slot = 0;

	if (value >> 32) {
		slot += 32;
		value >>= 32;
	}
	if (value >> 16) {
		slot += 16;
		value >>= 16;
	}
	if (value >> 8) {
		slot += 8;
		value >>= 8;
	}
	if (value >> 4) {
		slot += 4;
		value >>= 4;
	}
	if (value >> 2) {
		slot += 2;
		value >>= 2;
	}
	return slot + (value >> 1);
}

/* Nanoseconds to microseconds: a multiplication where it is exact, as division is slow and BPF has no wide product. */
static __always_inline __u64 ns_to_us(__u64 ns)
{
	if (ns >> 32)
		return ns / 1000;
	return (ns * 274877907) >> 38;
}

/* For histograms that belong to one CPU. */
static __always_inline void histogram_add(struct histogram *histogram, __u64 value, __u32 slot)
{
	if (slot >= HISTOGRAM_SLOTS)
		slot = HISTOGRAM_SLOTS - 1;
	histogram->slots[slot]++;
	histogram->sum += value;
}

/* For histograms that several CPUs add to. */
static __always_inline void histogram_add_shared(struct histogram *histogram, __u64 value, __u32 slot)
{
	if (slot >= HISTOGRAM_SLOTS)
		slot = HISTOGRAM_SLOTS - 1;
	__sync_fetch_and_add(&histogram->slots[slot], 1);
	__sync_fetch_and_add(&histogram->sum, value);
}

#endif
