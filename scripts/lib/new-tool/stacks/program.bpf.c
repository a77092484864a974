// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Where in the code processes create others. */
#include "base/core.bpf.h"
#include "base/map.bpf.h"
#include "event/stack.bpf.h"
#include "task/filter.bpf.h"

/* Becomes the Rust type bpf::types::@NAME@_key. */
struct @NAME@_key {
	__u32 pid;
	__u32 reserved;
	__u64 user_stack;
	__u64 kernel_stack;
	__u8 comm[COMM_LEN];
};
EXPORT(@NAME@_key);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct @NAME@_key);
	__type(value, __u64);
} counts SEC(".maps");

const volatile bool user_stacks = true;
const volatile bool kernel_stacks = true;

SEC("tp_btf/task_newtask")
int BPF_PROG(@NAME@_new, struct task_struct *task)
{
	struct @NAME@_key key = {};
	__u64 zero = 0, *count;

	/* A thread is not a process. */
	if (task->pid != task->tgid || !filter_allows_current())
		return 0;
	key.pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(&key.comm, sizeof(key.comm));
	if (user_stacks)
		key.user_stack = stack_id(ctx, BPF_F_USER_STACK, STACK_NONE);
	if (kernel_stacks)
		key.kernel_stack = stack_id(ctx, 0, STACK_NONE);
	count_lost_stack(key.user_stack);
	count_lost_stack(key.kernel_stack);
	count = map_get(&counts, &key, &zero);
	if (count)
		__sync_fetch_and_add(count, 1);
	return 0;
}
