// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What programs of tools that count are compared with (scripts/instructions): nothing at all, one update of a map, and
 * both stacks with one update. No tool loads them.
 *
 * An update of what is there already, in the hash table where that is cheapest: with one for all CPUs it takes 50 to 90
 * instructions more.
 */
#include "base/core.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} sums SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 1024);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, 127 * sizeof(__u64));
} stacks SEC(".maps");

static __always_inline int update(void)
{
	__u32 key = 1;
	__u64 value = 1;

	bpf_map_update_elem(&sums, &key, &value, BPF_ANY);
	return 0;
}

#define EMPTY_AND_UPDATE(hook, section)                                                                                \
	SEC(section) int yardstick_empty_##hook(void *ctx) { return 0; }                                               \
	SEC(section) int yardstick_update_##hook(void *ctx) { return update(); }

EMPTY_AND_UPDATE(switch, "tp_btf/sched_switch")
EMPTY_AND_UPDATE(exit, "tp_btf/sys_exit")
EMPTY_AND_UPDATE(exit_classic, "tracepoint/raw_syscalls/sys_exit")

/* The kernel's own way to know stacks by number, which costs less than any other. */
SEC("tp_btf/sched_switch")
int yardstick_stacks_switch(void *ctx)
{
	bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK);
	bpf_get_stackid(ctx, &stacks, 0);
	return update();
}
