// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* How long processes live. */
#include "base/core.bpf.h"
#include "event/histogram.bpf.h"
#include "task/filter.bpf.h"

/* Becomes the Rust type bpf::types::@NAME@_key. */
struct @NAME@_key {
	__u32 ppid; /* 0 where there is one histogram for all */
};
HISTOGRAMS(@NAME@_key, 10240);

SEC("tp_btf/sched_process_exit")
int BPF_PROG(@NAME@_exit, struct task_struct *task)
{
	struct @NAME@_key key = {};
	struct histogram_of_key *by_key;
	struct histogram_cpu *cpu;
	__u64 life;

	/* Threads end as well: the first one stands for its process. */
	if (task->pid != task->tgid || !filter_allows(task))
		return 0;
	life = bpf_ktime_get_ns() - task->start_time;
	if (!histogram_by_key) {
		cpu = histogram_cpu(bpf_get_smp_processor_id());
		if (cpu)
			histogram_add_alone(&cpu->histogram, life);
		return 0;
	}
	key.ppid = BPF_CORE_READ(task, real_parent, tgid);
	by_key = histogram_of(&key);
	if (by_key)
		histogram_add(&by_key->histogram, life);
	return 0;
}
