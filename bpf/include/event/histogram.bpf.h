/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Histograms, counted in the kernel: one for all, or one for each key. Read by Histograms,
 * common/core/src/read/histograms.rs.
 *
 *	struct biolatency_key {
 *		__u32 disk;
 *	};
 *	HISTOGRAMS(biolatency_key, 4096);
 *	...
 *	struct biolatency_key key = { .disk = disk };
 *
 *	histogram_count(histogram_cpu(bpf_get_smp_processor_id()), &key, nanoseconds);
 */
#ifndef CORESCOPE_HISTOGRAM_H
#define CORESCOPE_HISTOGRAM_H

#include "base/log2.bpf.h"
#include "base/map.bpf.h"

#define HISTOGRAM_SLOTS 63

/* Slot 0 of a log2 histogram counts 0 and 1, slot n from 2^n to 2^(n+1) - 1; slot n of a linear one counts n. */
struct histogram {
	__u64 sum; /* of the values as they were, before they were scaled for their slot */
	__u64 slots[HISTOGRAM_SLOTS];
};

/* What belongs to one CPU. */
struct histogram_cpu {
	struct histogram histogram;
	__u64 own[8]; /* for what else the tool keeps of each CPU: a cache line */
};

/* What belongs to one key. */
struct histogram_of_key {
	struct histogram histogram;
	__u8 comm[COMM_LEN]; /* the key's name, where it has one that may change */
};

/* How values are scaled for their slot: times are in ns, sizes in bytes. */
enum histogram_unit {
	HISTOGRAM_AS_IS,
	HISTOGRAM_US,
	HISTOGRAM_MS,
	HISTOGRAM_KB,
};

/* Set by user space. */
const volatile bool histogram_by_key;
const volatile bool histogram_linear;
const volatile __u32 histogram_unit;

/* Indexed by CPU instead of per CPU: a program may look at another CPU's. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* the number of CPUs */
	__type(key, __u32);
	__type(value, struct histogram_cpu);
} histogram_cpus SEC(".maps");

static const struct histogram_of_key histogram_none;

static __always_inline struct histogram_cpu *histogram_cpu(__u32 cpu)
{
	return bpf_map_lookup_elem(&histogram_cpus, &cpu);
}

/* Nanoseconds to microseconds: a multiplication where it is exact, because division is slow and BPF has no wide product. */
static __always_inline __u64 ns_to_us(__u64 ns)
{
	if (ns >> 32)
		return ns / 1000;
	return (ns * 274877907) >> 38;
}

static __always_inline __u64 histogram_slot(__u64 value)
{
	const __u32 unit = histogram_unit;

	if (unit == HISTOGRAM_US || unit == HISTOGRAM_MS)
		value = ns_to_us(value);
	if (unit == HISTOGRAM_KB)
		value >>= 10;
	if (unit == HISTOGRAM_MS) {
		value /= 1000;
		barrier_var(value); /* only here, and not always */
	}
	if (!histogram_linear)
		value = log2_slot(value);
	return value < HISTOGRAM_SLOTS ? value : HISTOGRAM_SLOTS - 1;
}

/* Counts a value in a slot of a histogram that several CPUs add to. */
static __always_inline void histogram_add_to(struct histogram *histogram, __u64 slot, __u64 value)
{
	if (slot >= HISTOGRAM_SLOTS) /* which the verifier may have forgotten */
		return;
	__sync_fetch_and_add(&histogram->slots[slot], 1);
	__sync_fetch_and_add(&histogram->sum, value);
}

/* The same in the slot that is its own. */
static __always_inline void histogram_add(struct histogram *histogram, __u64 value)
{
	histogram_add_to(histogram, histogram_slot(value), value);
}

/* For one that belongs to one CPU, in a program that nothing of the tool interrupts there. */
static __always_inline void histogram_add_alone(struct histogram *histogram, __u64 value)
{
	__u64 slot = histogram_slot(value);

	if (slot >= HISTOGRAM_SLOTS)
		return;
	histogram->slots[slot]++;
	histogram->sum += value;
}

#define HISTOGRAMS(key_type, entries)                                                                                  \
	EXPORT(key_type);                                                                                              \
	struct {                                                                                                       \
		__uint(type, BPF_MAP_TYPE_HASH);                                                                       \
		__uint(max_entries, (entries)); /* 1 where there is one histogram for all */                           \
		__type(key, struct key_type);                                                                          \
		__type(value, struct histogram_of_key);                                                                \
	} histograms SEC(".maps");                                                                                     \
	/* The histogram of a key, to name it by; NULL where there is no room, which is counted. */                    \
	static __always_inline struct histogram_of_key *histogram_of(const struct key_type *key)                       \
	{                                                                                                              \
		return map_get(&histograms, key, &histogram_none);                                                     \
	}

#endif
