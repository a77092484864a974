/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The power of two that a number lies at. */
#ifndef CORESCOPE_LOG2_H
#define CORESCOPE_LOG2_H

#include "base/core.bpf.h"

/* One comparison for both: without the barrier clang makes a branch for each. */
#define LOG2_STEP(bits)                                                                                                \
	if (value >> (bits)) {                                                                                         \
		value >>= (bits);                                                                                      \
		slot += (bits);                                                                                        \
		barrier_var(value);                                                                                    \
	}

/* n for 2^n to 2^(n+1) - 1, and 0 for 0. */
static __always_inline __u64 log2_slot(__u64 value)
{
	__u64 slot = 0;

	LOG2_STEP(32)
	LOG2_STEP(16)
	LOG2_STEP(8)
	LOG2_STEP(4)
	LOG2_STEP(2)
	return slot + (value >> 1);
}

#endif
