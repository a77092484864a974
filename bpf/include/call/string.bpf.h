/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Strings of the current process, and numbers that the verifier follows. */
#ifndef CORESCOPE_STRING_H
#define CORESCOPE_STRING_H

#include "base/core.bpf.h"

/*
 * The number, or 0 where it is more than `most`. The compiler leaves out tests of what it knows, and goes on with another
 * copy of the number than the tested one; the verifier, above all that of 5.10, does not know, and loses the trace.
 */
static __always_inline __u64 bounded(__u64 number, const __u64 most)
{
	barrier_var(number);
	if (number > most)
		number = 0;
	barrier_var(number);
	return number;
}

/* Copies a string, and gives its size with the NUL: `room` at most, and 0 where it cannot be read. */
static __always_inline __u64 user_string(__u8 *to, const __u32 room, const void *from)
{
	long size = bpf_probe_read_user_str(to, room, from);

	/* Some kernels give 0 for an empty string, and write nothing (up to 5.15 at least). */
	if (size == 0) {
		to[0] = 0;
		size = 1;
	}
	return bounded(size < 0 ? 0 : size, room);
}

#endif
