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
#include "event/histogram.bpf.h"
#include "task/filter.bpf.h"
#include "task/task.bpf.h"

#define MOVING 2 /* TASK_ON_RQ_MIGRATING */
#define waited own[0] /* of a CPU: its run queue's sum of all waits after the last switch */

/* One of them; the others are 0. */
struct runqlat_key {
	__u32 pid;
	__u32 tid;
	__u32 pidns; /* the inode number of /proc/PID/ns/pid */
};
HISTOGRAMS(runqlat_key, 10240);

/* Waits so far of tasks that were moved and have not run since, by thread id. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u64);
} moved SEC(".maps");

const volatile bool by_pid, by_tid;

__s64 moved_count; /* spares nearly every switch the look into the map */
__u64 cut_short;   /* waits of which the part on another CPU is not known, for want of CONFIG_SCHEDSTATS */

static __always_inline struct runqlat_key key_of(struct task_struct *task)
{
	return (struct runqlat_key){
		.pid = by_pid ? typed_tgid(task) : 0,
		.tid = by_tid ? typed_tid(task) : 0,
		.pidns = by_pid || by_tid ? 0 : task_pid_namespace(task),
	};
}

static __always_inline void record_by_key(struct task_struct *task, __u64 wait)
{
	struct runqlat_key key = key_of(task);
	struct histogram_of_key *by_key = histogram_of(&key);

	if (by_key && !by_key->comm[0] && !key.pidns)
		copy_comm(by_key->comm, by_pid ? task->group_leader : task);
	if (by_key)
		histogram_add(&by_key->histogram, wait);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(runqlat_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct rq *rq = next->se.cfs_rq->rq;
	struct histogram_cpu *cpu = histogram_cpu(rq->cpu);
	__u64 queued, wait = 0, *before;
	__u32 tid = next->pid;

	if (!cpu)
		return 0;
	queued = next->sched_info.last_queued;
	if (tid && queued && rq->clock > queued) /* the idle task does not wait */
		wait = rq->clock - queued;
	/* Right after this the scheduler adds the same to its own sum. */
	if (bpf_core_field_exists(rq->rq_sched_info))
		cpu->waited = rq->rq_sched_info.run_delay + wait;
	if (!tid || !filter_allows(next))
		return 0;
	before = moved_count ? bpf_map_lookup_elem(&moved, &tid) : NULL;
	if (before) {
		wait += *before;
		bpf_map_delete_elem(&moved, &tid);
		__sync_fetch_and_add(&moved_count, -1);
	}
	if (histogram_by_key)
		record_by_key(next, wait);
	else
		histogram_add_alone(&cpu->histogram, wait);
	return 0;
}

/* Called with both run queues' locks or with the one that the task leaves, after the task was taken from it. */
SEC("tp_btf/sched_migrate_task")
int BPF_PROG(runqlat_move, struct task_struct *task)
{
	struct rq *rq = task->se.cfs_rq->rq;
	struct histogram_cpu *cpu = histogram_cpu(rq->cpu);
	__u64 now, wait, zero = 0, *before;
	__u32 tid = task->pid;

	/* An int in older kernels, a byte in newer ones. */
	if (BPF_CORE_READ_BITFIELD(task, on_rq) != MOVING || !cpu)
		return 0;
	if (!bpf_core_field_exists(rq->rq_sched_info)) {
		if (filter_allows(task))
			__sync_fetch_and_add(&cut_short, 1);
		return 0;
	}
	now = rq->rq_sched_info.run_delay;
	wait = cpu->waited ? now - cpu->waited : 0; /* nothing is known of a CPU before its first switch */
	cpu->waited = now;
	if (!wait || !filter_allows(task))
		return 0;
	before = map_get(&moved, &tid, &zero);
	if (before && !*before)
		__sync_fetch_and_add(&moved_count, 1);
	if (before)
		*before += wait;
	return 0;
}

/* Names are those at the end: exec and prctl(2) pass here. */
SEC("tp_btf/task_rename")
int BPF_PROG(runqlat_rename, struct task_struct *task, const char *comm)
{
	struct runqlat_key key = key_of(task);
	struct histogram_of_key *by_key = bpf_map_lookup_elem(&histograms, &key);

	if (by_key && (by_tid || task->pid == task->tgid))
		bpf_probe_read_kernel_str(by_key->comm, COMM_LEN, comm);
	return 0;
}
