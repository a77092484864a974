/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stacks of the current task, each stored once and known by its id. Sized and read by common/symbols.
 *
 *	key.kernel_stack = stack_id(ctx, 0, STACK_NONE);
 *	key.user_stack = stack_id(ctx, BPF_F_USER_STACK, STACK_NONE);
 *	...
 *	count_lost_stack(key.kernel_stack);
 *
 * Not bpf_get_stackid(): its map has one place for each of a few thousand hash values, so that of 1,000 stacks in 16,384
 * places some 30 find their place taken and are lost. Here the id is a 64-bit hash of the addresses, which takes as long,
 * and the map holds as many stacks as it is made for.
 */
#ifndef CORESCOPE_STACK_H
#define CORESCOPE_STACK_H

#include "base/core.bpf.h"
#include "base/lost.bpf.h"

enum stack_special {
	STACK_NONE, /* there is no such stack, as that of a kernel thread in user space */
	STACK_LOST, /* there was no room for it */
	STACK_FIRST,
};

struct stack {
	__u64 depth;
	__u64 addresses[];
};

/* --perf-max-stack-depth */
const volatile __u32 stack_depth = 127;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* --stack-storage-size */
	__uint(key_size, sizeof(__u64));
	__uint(value_size, sizeof(struct stack) + 127 * sizeof(__u64)); /* of stack_depth */
} stacks SEC(".maps");

/* For programs that no other program of the tool interrupts, or that share one with it only where both may not. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct stack) + 127 * sizeof(__u64)); /* likewise */
} stack_scratch SEC(".maps");

static __always_inline __u64 stack_hash(struct stack *stack)
{
	const __u32 most = stack_depth;
	__u64 depth = stack->depth, hash = depth;

	for (__u32 i = 0; i < most; i++) {
		if (i >= depth)
			break;
		hash = hash * 0x9e3779b97f4a7c15 + stack->addresses[i];
	}
	return hash < STACK_FIRST ? hash + STACK_FIRST : hash;
}

/*
 * `before` is a stack that this one may well be again, as the last one of the same task, or STACK_NONE: then it is not
 * looked for.
 */
static __always_inline __u64 stack_id(void *ctx, __u64 flags, __u64 before)
{
	__u32 zero = 0;
	struct stack *stack = bpf_map_lookup_elem(&stack_scratch, &zero);
	__u64 id;
	long size;

	if (!stack)
		return STACK_LOST;
	size = bpf_get_stack(ctx, stack->addresses, stack_depth * sizeof(__u64), flags);
	if (size <= 0)
		return STACK_NONE;
	stack->depth = size / sizeof(__u64);
	id = stack_hash(stack);
	/* No stack is ever taken out of the map. */
	if (id == before || bpf_map_lookup_elem(&stacks, &id))
		return id;
	bpf_map_update_elem(&stacks, &id, stack, BPF_NOEXIST);
	/* Another CPU may have been first. */
	return bpf_map_lookup_elem(&stacks, &id) ? id : STACK_LOST;
}

/* To be called where the stack is put to use: one that nobody would have seen is no loss. */
static __always_inline void count_lost_stack(__u64 id)
{
	if (id == STACK_LOST)
		count_lost(LOST_STACK);
}

#endif
