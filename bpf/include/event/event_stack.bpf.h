/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stacks of the current task that travel in an event, behind its struct: as long as they are deep, and without a map that
 * could be full. Set up and read by common/symbols (EventStacks).
 *
 *	struct capable_event {
 *		...
 *		struct event_stacks stacks;
 *	};
 *	EVENTS_NOT_NESTED(capable_event, 0);
 *	...
 *	event_stacks(ctx, &event->stacks);
 *	event_send(&place, event, sizeof(*event) + event_stacks_bytes(&event->stacks));
 *
 * For summaries, where the same stack comes again and again, see stack.bpf.h.
 */
#ifndef CORESCOPE_EVENT_STACK_H
#define CORESCOPE_EVENT_STACK_H

#include "base/core.bpf.h"

/* What each stack may take; 0: it is not asked for. The room behind the event is made for both. */
const volatile __u32 kernel_stack_bytes;
const volatile __u32 user_stack_bytes;

struct event_stacks {
	__u32 kernel_bytes;
	__u32 user_bytes;
	__u64 addresses[]; /* the kernel's, then the user's: the innermost function first */
};

static __always_inline __u32 event_stack(void *ctx, void *place, const __u32 room, __u64 flags)
{
	long bytes = room ? bpf_get_stack(ctx, place, room, flags) : 0;

	/* A kernel thread has no user stack. */
	return bytes < 0 || bytes > room ? 0 : bytes;
}

static __always_inline void event_stacks(void *ctx, struct event_stacks *stacks)
{
	void *place = stacks->addresses;
	__u32 kernel = event_stack(ctx, place, kernel_stack_bytes, 0);
	__u32 user = event_stack(ctx, place + kernel, user_stack_bytes, BPF_F_USER_STACK);

	stacks->kernel_bytes = kernel;
	stacks->user_bytes = user;
}

/* What the addresses take. */
static __always_inline __u64 event_stacks_bytes(struct event_stacks *stacks)
{
	const __u64 room = kernel_stack_bytes + user_stack_bytes;
	__u64 bytes = (__u64)stacks->kernel_bytes + stacks->user_bytes;

	return bytes > room ? room : bytes;
}

/* The same number for the same stacks. */
static __always_inline __u64 event_stacks_hash(struct event_stacks *stacks)
{
	const __u32 most = (kernel_stack_bytes + user_stack_bytes) / sizeof(__u64);
	__u32 words = (stacks->kernel_bytes + stacks->user_bytes) / sizeof(__u64);
	__u64 hash = stacks->kernel_bytes;

	for (__u32 i = 0; i < most; i++) {
		if (i >= words)
			break;
		hash = hash * 0x9e3779b97f4a7c15 + stacks->addresses[i];
	}
	return hash;
}

#endif
