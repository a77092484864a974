// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* How many processes end, by name, and how long they have lived. */
#include "base/core.bpf.h"
#include "base/map.bpf.h"
#include "task/filter.bpf.h"

/* Becomes the Rust type bpf::types::@NAME@_key. */
struct @NAME@_key {
	__u8 comm[COMM_LEN];
};
EXPORT(@NAME@_key);

struct @NAME@_sum {
	__u64 count;
	__u64 total_ns;
};
EXPORT(@NAME@_sum);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, struct @NAME@_key);
	__type(value, struct @NAME@_sum);
} sums SEC(".maps");

static const struct @NAME@_sum no_sum;

SEC("tp_btf/sched_process_exit")
int BPF_PROG(@NAME@_exit, struct task_struct *task)
{
	struct @NAME@_key key = {};
	struct @NAME@_sum *sum;

	/* Threads end as well: the first one stands for its process. */
	if (task->pid != task->tgid || !filter_allows(task))
		return 0;
	BPF_CORE_READ_STR_INTO(&key.comm, task, comm);
	sum = map_get(&sums, &key, &no_sum);
	if (!sum)
		return 0;
	/* Atomic: processes of one name end on several CPUs. */
	__sync_fetch_and_add(&sum->count, 1);
	__sync_fetch_and_add(&sum->total_ns, bpf_ktime_get_ns() - task->start_time);
	return 0;
}
