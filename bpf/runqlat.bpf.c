// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * How long tasks wait for a CPU, from when they become runnable to when they run.
 *
 * The scheduler keeps the start of each wait by itself (sched_info, CONFIG_SCHED_INFO), in the very structures that the
 * switch to the task hands over: one program, and no map of pending waits. The one thing that it forgets is a wait that
 * began on another CPU: when a waiting task is moved, what it has waited so far goes into sums only. The second program
 * takes it from there, so that a task which waits 5 ms and is then moved to an idle CPU has waited 5 ms.
 */
#include "base/core.bpf.h"
#include "task/filter.bpf.h"
#include "event/histogram.bpf.h"
#include "base/lost.bpf.h"

#define MOVING 2 /* TASK_ON_RQ_MIGRATING */
#define MAX_MOVED 4096
#define MAX_IDS 10240

enum runqlat_key {
	RUNQLAT_ALL,
	RUNQLAT_PID,
	RUNQLAT_TID,
	RUNQLAT_PIDNS,
};

struct runqlat_cpu {
	struct histogram histogram;
	/* The run queue's sum of all waits, as it is after the last switch: what it is more by then was waited by others. */
	__u64 waited;
	__u64 padding[7];
};
EXPORT(runqlat_cpu);

struct runqlat_id {
	struct histogram histogram;
	__u8 comm[COMM_LEN];
};
EXPORT(runqlat_id);

/* Indexed by CPU instead of per CPU, for a move looks at the CPU that the task leaves. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* the number of CPUs */
	__type(key, __u32);
	__type(value, struct runqlat_cpu);
} cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_IDS); /* 1 where one histogram is enough */
	__type(key, __u32);
	__type(value, struct runqlat_id);
} ids SEC(".maps");

/* Waits so far of tasks that were moved and have not run since. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_MOVED);
	__type(key, __u32);
	__type(value, __u64);
} moved SEC(".maps");

const volatile __u32 histogram_of = RUNQLAT_ALL;
const volatile bool milliseconds;

__s64 moved_count; /* spares nearly every switch the look into the map */
__u64 cut_short;   /* waits of which the part on another CPU is not known, for want of CONFIG_SCHEDSTATS */
static const struct runqlat_id no_waits;

static __always_inline __u32 id_of(struct task_struct *task)
{
	if (histogram_of == RUNQLAT_PID)
		return task->tgid;
	if (histogram_of == RUNQLAT_TID)
		return task->pid;

	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	struct pid_namespace *namespace = NULL;
	__u32 level = BPF_CORE_READ(pid, level);

	bpf_core_read(&namespace, sizeof(namespace), &pid->numbers[level].ns);
	return BPF_CORE_READ(namespace, ns.inum);
}

static __always_inline void record(struct runqlat_cpu *cpu, struct task_struct *task, __u64 wait)
{
	__u32 slot = log2_slot(milliseconds ? ns_to_us(wait) / 1000 : ns_to_us(wait));
	struct runqlat_id *by_id;
	__u32 id;

	if (histogram_of == RUNQLAT_ALL) {
		histogram_add(&cpu->histogram, wait, slot);
		return;
	}
	id = id_of(task);
	by_id = bpf_map_lookup_elem(&ids, &id);
	if (!by_id) {
		bpf_map_update_elem(&ids, &id, &no_waits, BPF_NOEXIST);
		by_id = bpf_map_lookup_elem(&ids, &id);
		if (!by_id) {
			count_lost(LOST_MAP);
			return;
		}
		if (histogram_of == RUNQLAT_PID)
			BPF_CORE_READ_STR_INTO(&by_id->comm, task, group_leader, comm);
		if (histogram_of == RUNQLAT_TID)
			BPF_CORE_READ_STR_INTO(&by_id->comm, task, comm);
	}
	histogram_add_shared(&by_id->histogram, wait, slot);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(runqlat_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct rq *rq = next->se.cfs_rq->rq;
	struct runqlat_cpu *cpu;
	__u64 queued, wait = 0;
	__u32 index = rq->cpu;

	cpu = bpf_map_lookup_elem(&cpus, &index);
	if (!cpu)
		return 0;
	queued = next->sched_info.last_queued;
	/* The idle task does not wait. */
	if (next->pid && queued && rq->clock > queued)
		wait = rq->clock - queued;
	/* Right after this the scheduler adds the same to its own sum. */
	if (bpf_core_field_exists(rq->rq_sched_info))
		cpu->waited = rq->rq_sched_info.run_delay + wait;
	if (!next->pid || !filter_allows(next))
		return 0;
	if (moved_count) {
		__u32 tid = next->pid;
		__u64 *before = bpf_map_lookup_elem(&moved, &tid);

		if (before) {
			wait += *before;
			bpf_map_delete_elem(&moved, &tid);
			__sync_fetch_and_add(&moved_count, -1);
		}
	}
	record(cpu, next, wait);
	return 0;
}

/* Called with both run queues' locks or with the one that the task leaves, after the task was taken from it. */
SEC("tp_btf/sched_migrate_task")
int BPF_PROG(runqlat_move, struct task_struct *task)
{
	struct rq *rq = task->se.cfs_rq->rq;
	struct runqlat_cpu *cpu;
	__u64 waited, wait, *before;
	__u32 index = rq->cpu, tid = task->pid;

	/* An int in older kernels, a byte in newer ones. */
	if (BPF_CORE_READ_BITFIELD(task, on_rq) != MOVING)
		return 0;
	if (!bpf_core_field_exists(rq->rq_sched_info)) {
		if (filter_allows(task))
			__sync_fetch_and_add(&cut_short, 1);
		return 0;
	}
	cpu = bpf_map_lookup_elem(&cpus, &index);
	if (!cpu)
		return 0;
	waited = rq->rq_sched_info.run_delay;
	wait = waited - cpu->waited;
	/* Nothing is known of a CPU before its first switch. */
	if (!cpu->waited || !filter_allows(task))
		wait = 0;
	cpu->waited = waited;
	if (!wait)
		return 0;
	before = bpf_map_lookup_elem(&moved, &tid);
	if (before) {
		*before += wait;
		return 0;
	}
	if (bpf_map_update_elem(&moved, &tid, &wait, BPF_ANY))
		count_lost(LOST_MAP);
	else
		__sync_fetch_and_add(&moved_count, 1);
	return 0;
}
