/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A histogram that is fine enough for percentiles: each power of two has 64 slots of one width, so that a slot is at most a
 * 64th as wide as the values in it are large. Read by LogLinear, common/core/src/read/log_linear.rs.
 */
#ifndef CORESCOPE_LOG_LINEAR_H
#define CORESCOPE_LOG_LINEAR_H

#include "base/log2.bpf.h"

#define LOG_LINEAR_BITS 6
#define LOG_LINEAR_SLOTS 2048 /* values up to 2^37 - 1: two minutes in ns */

struct log_linear {
	__u64 slots[LOG_LINEAR_SLOTS];
};

static __always_inline __u64 log_linear_slot(__u64 value)
{
	__u64 shift, slot = value;

	if (value >> LOG_LINEAR_BITS) {
		shift = log2_slot(value) - LOG_LINEAR_BITS;
		slot = (shift << LOG_LINEAR_BITS) + (value >> shift);
	}
	return slot < LOG_LINEAR_SLOTS ? slot : LOG_LINEAR_SLOTS - 1;
}

static __always_inline void log_linear_add(struct log_linear *histogram, __u64 value)
{
	__u64 slot = log_linear_slot(value);

	if (slot < LOG_LINEAR_SLOTS) /* which the verifier may have forgotten */
		__sync_fetch_and_add(&histogram->slots[slot], 1);
}

#endif
