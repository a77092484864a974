/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A stream of events to user space through one ring buffer (Linux 5.8).
 *
 *	EVENTS(opensnoop_event, 4096);
 *	...
 *	struct event_place place;
 *	struct opensnoop_event *event = event_begin(&place);
 *
 *	if (!event)
 *		return 0;
 *	... fill it ...
 *	event_send(&place, event, sizeof(*event) + path_length);
 *
 * An event is built in per-CPU scratch memory and copied out with its exact length, so that a short path takes the room
 * of a short path. What finds the buffer full is counted.
 */
#ifndef CORESCOPE_EVENTS_H
#define CORESCOPE_EVENTS_H

#include "base/lost.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024); /* --buffer changes it */
} events SEC(".maps");

/* Wakes the reader each time that this much more was written: a power of two, at most half of the buffer. */
const volatile __u64 wakeup_bytes = 128 * 1024;

/* Whether the rows say when: a look at the clock is a quarter of what a small event costs. */
const volatile bool event_times = true;

static __always_inline __u64 event_time(void)
{
	return event_times ? bpf_ktime_get_boot_ns() : 0; /* CLOCK_BOOTTIME */
}

/*
 * Waking a sleeping reader costs the traced program microseconds, so most events do not: the reader looks by itself ten
 * times a second, and a batch that fills faster than that wakes it once per wakeup_bytes. Counted from what was ever
 * written, not from what is waiting: that would take a look at the reader's position, and at high rates the reader has
 * just written it on another CPU.
 */
static __always_inline __u64 event_flags(__u64 size)
{
	__u64 written = bpf_ringbuf_query(&events, BPF_RB_PROD_POS);

	return ((written + size) ^ written) & ~(wakeup_bytes - 1) ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

static __always_inline void event_output(void *event, __u64 size)
{
	/* The record's header and alignment count as well. */
	if (bpf_ringbuf_output(&events, event, size, event_flags(size + 16)))
		count_lost(LOST_BUFFER);
}

/* `room` is what an event may hold behind the struct: paths, arguments. User space may change it, Setup::set_room(). */
#define EVENTS_SCRATCH(event, room)                                                                                    \
	EXPORT(event);                                                                                                 \
	const volatile __u64 event_room = (room);                                                                      \
	struct {                                                                                                       \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);                                                               \
		__uint(max_entries, 1);                                                                                \
		__uint(key_size, sizeof(__u32));                                                                       \
		__uint(value_size, sizeof(__u64) + sizeof(struct event) + (room));                                     \
	} scratch SEC(".maps");

/*
 * For programs that may interrupt each other on a CPU: one that runs for a packet or a timer and one of a system call, or
 * two at tracepoints, which new kernels preempt. A program that finds the scratch memory of its CPU in use builds its event
 * in the ring buffer instead, where it takes its full room.
 */
#define EVENTS(event, room)                                                                                            \
	EVENTS_SCRATCH(event, room)                                                                                    \
	struct event_place {                                                                                           \
		__u64 *users; /* of the scratch memory; NULL if the event is in the ring buffer */                     \
	};                                                                                                             \
	static __always_inline struct event *event_begin(struct event_place *place)                                    \
	{                                                                                                              \
		__u32 zero = 0;                                                                                        \
		__u64 *users = bpf_map_lookup_elem(&scratch, &zero);                                                   \
		struct event *built;                                                                                   \
                                                                                                                       \
		if (!users)                                                                                            \
			return NULL;                                                                                   \
		place->users = users;                                                                                  \
		/* If the count is 1 after incrementing, nobody else is using the scratch memory. */                   \
		__sync_fetch_and_add(users, 1);                                                                        \
		if (*(volatile __u64 *)users == 1)                                                                     \
			return (struct event *)(users + 1);                                                            \
		__sync_fetch_and_add(users, -1);                                                                       \
		place->users = NULL;                                                                                   \
		built = bpf_ringbuf_reserve(&events, sizeof(struct event) + event_room, 0);                            \
		if (!built)                                                                                            \
			count_lost(LOST_BUFFER);                                                                       \
		return built;                                                                                          \
	}                                                                                                              \
	/* The pointer itself is tested: the verifier knows it, and not what the compiler may have concluded from it. */       \
	static __always_inline void event_send(struct event_place *place, struct event *event, __u64 size)             \
	{                                                                                                              \
		__u64 *users = place->users;                                                                           \
                                                                                                                       \
		barrier_var(users);                                                                                    \
		if (!users) {                                                                                          \
			bpf_ringbuf_submit(event, event_flags(size + 16));                                             \
			return;                                                                                        \
		}                                                                                                      \
		event_output(event, size);                                                                             \
		__sync_fetch_and_add(users, -1);                                                                       \
	}                                                                                                              \
	/* An event that turns out not to be wanted: each that was begun must be sent or discarded. */                 \
	static __always_inline __unused void event_discard(struct event_place *place, struct event *event)             \
	{                                                                                                              \
		__u64 *users = place->users;                                                                           \
                                                                                                                       \
		barrier_var(users);                                                                                    \
		if (!users)                                                                                            \
			bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);                                                  \
		else                                                                                                   \
			__sync_fetch_and_add(users, -1);                                                               \
	}

/*
 * The same without counting who uses the scratch memory, which takes a third of the time of a small event: for a tool that
 * has one program at a time in an event on each CPU.
 *   - Programs where system calls return, and where programs and processes begin and end: no interrupt does any of that,
 *     and those that might be preempted have variants that are not (call/syscall.bpf.h).
 *   - One program by itself that no interrupt runs, or that runs with interrupts off: where it can be preempted the kernel
 *     does not start it on the same CPU again.
 */
#define EVENTS_NOT_NESTED(event, room)                                                                                 \
	EVENTS_SCRATCH(event, room)                                                                                    \
	struct event_place {};                                                                                         \
	static __always_inline struct event *event_begin(struct event_place *place)                                    \
	{                                                                                                              \
		__u32 zero = 0;                                                                                        \
                                                                                                                       \
		return bpf_map_lookup_elem(&scratch, &zero);                                                           \
	}                                                                                                              \
	static __always_inline void event_send(struct event_place *place, struct event *event, __u64 size)             \
	{                                                                                                              \
		event_output(event, size);                                                                             \
	}                                                                                                              \
	static __always_inline __unused void event_discard(struct event_place *place, struct event *event) {}

/*
 * For events of one size, and programs that know before they begin one that it is wanted: built in the ring buffer, which is
 * cheapest, and safe for programs that interrupt each other. All of it must be filled; what is discarded takes its room.
 */
#define EVENTS_IN_PLACE(event)                                                                                         \
	EXPORT(event);                                                                                                 \
	struct event_place {};                                                                                         \
	static __always_inline struct event *event_begin(struct event_place *place)                                    \
	{                                                                                                              \
		struct event *built = bpf_ringbuf_reserve(&events, sizeof(struct event), 0);                           \
                                                                                                                       \
		if (!built)                                                                                            \
			count_lost(LOST_BUFFER);                                                                       \
		return built;                                                                                          \
	}                                                                                                              \
	static __always_inline void event_send(struct event_place *place, struct event *event, __u64 size)             \
	{                                                                                                              \
		bpf_ringbuf_submit(event, event_flags(size + 16));                                                     \
	}                                                                                                              \
	static __always_inline __unused void event_discard(struct event_place *place, struct event *event)             \
	{                                                                                                              \
		bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);                                                          \
	}

#endif
