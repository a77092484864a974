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

#include "lost.bpf.h"

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
 * Where an event is built. Programs of tracepoints can be preempted in new kernels, and be interrupted in all: who finds
 * the scratch memory of the CPU in use builds the event in the ring buffer instead, where it takes its full room.
 */
struct event_place {
	__u64 *users; /* of the scratch memory; none where the event is in the buffer */
};

/*
 * Counting who is there takes a third of the time of a small event. It is spared by a tool that has one program at a
 * time in an event on each CPU, event_begin_alone() and event_send_alone():
 *   - programs where system calls return, where programs and processes begin and end: no interrupt does any of that, and
 *     those that might be preempted have twins that are not (syscall.bpf.h);
 *   - one program by itself that no interrupt runs, or that runs with interrupts off: where it can be preempted the
 *     kernel does not start it on the same CPU again.
 */

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

static __always_inline void event_send(struct event_place *place, void *event, __u64 size)
{
	/* The record's header and alignment count as well. */
	__u64 flags = event_flags(size + 16);

	if (!place->users) {
		bpf_ringbuf_submit(event, flags);
		return;
	}
	if (bpf_ringbuf_output(&events, event, size, flags))
		count_lost(LOST_BUFFER);
	__sync_fetch_and_add(place->users, -1);
}

static __always_inline void event_send_alone(void *event, __u64 size)
{
	if (bpf_ringbuf_output(&events, event, size, event_flags(size + 16)))
		count_lost(LOST_BUFFER);
}

/* `room` is what an event may hold behind the struct: paths, arguments. User space may change it, object::set_room(). */
#define EVENTS_SCRATCH(event, room)                                                                                    \
	EXPORT(event);                                                                                                 \
	const volatile __u64 event_room = (room);                                                                      \
	struct {                                                                                                       \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);                                                               \
		__uint(max_entries, 1);                                                                                \
		__uint(key_size, sizeof(__u32));                                                                       \
		__uint(value_size, sizeof(__u64) + sizeof(struct event) + (room));                                     \
	} scratch SEC(".maps");

#define EVENTS(event, room)                                                                                            \
	EVENTS_SCRATCH(event, room)                                                                                    \
	static __always_inline struct event *event_begin(struct event_place *place)                                    \
	{                                                                                                              \
		__u32 zero = 0;                                                                                        \
		__u64 *users = bpf_map_lookup_elem(&scratch, &zero);                                                   \
		struct event *built;                                                                                   \
                                                                                                                       \
		if (!users)                                                                                            \
			return NULL;                                                                                   \
		place->users = users;                                                                                  \
		/* Alone is who finds just itself after it has come in. */                                             \
		__sync_fetch_and_add(users, 1);                                                                        \
		if (*(volatile __u64 *)users == 1)                                                                     \
			return (struct event *)(users + 1);                                                            \
		__sync_fetch_and_add(users, -1);                                                                       \
		place->users = NULL;                                                                                   \
		built = bpf_ringbuf_reserve(&events, sizeof(struct event) + event_room, 0);                            \
		if (!built)                                                                                            \
			count_lost(LOST_BUFFER);                                                                       \
		return built;                                                                                          \
	}

#define EVENTS_ALONE(event, room)                                                                                      \
	EVENTS_SCRATCH(event, room)                                                                                    \
	static __always_inline struct event *event_begin_alone(void)                                                   \
	{                                                                                                              \
		__u32 zero = 0;                                                                                        \
                                                                                                               \
		return bpf_map_lookup_elem(&scratch, &zero);                                                           \
	}

#endif
