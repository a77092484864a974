// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Victims of the kernel's search for memory.
 *
 * Each victim passes mark_oom_victim(), within out_of_memory(), in the task that could not get its memory: one row each,
 * also where a whole cgroup is killed (memory.oom.group). What is searched for is in the argument of out_of_memory().
 */
#include "base/core.bpf.h"
#include "task/cgroup.bpf.h"
#include "event/events.bpf.h"
#include "task/filter.bpf.h"
#include "task/mm.bpf.h"

struct oomkill_event {
	__u64 time_ns;        /* CLOCK_BOOTTIME */
	__u64 search_pages;   /* that may be used where memory ran out; 0 where it is not known */
	__u64 rss_pages[4];   /* of the victim, in the order of MM_FILEPAGES and its kin */
	__u64 total_vm_pages;
	__u64 pgtables_bytes;
	__u32 constraint;     /* enum oom_constraint */
	__u32 pid;            /* who asked for memory */
	__u32 victim_pid;
	__u32 victim_uid;
	__s32 victim_score_adj;
	__u32 level;          /* of the victim's cgroup */
	__u32 search_level;   /* of the cgroup that is at its limit: the same or one above it */
	__u32 names_len;
	__u8 comm[COMM_LEN];
	__u8 victim_comm[COMM_LEN];
	__u8 names[];         /* of the victim's cgroup and those above it */
};
EVENTS_NOT_NESTED(oomkill_event, CGROUP_NAMES_ROOM);

/*
 * The search that is going on, and the task that it is for. There is one at a time, under the kernel's oom_lock; and no
 * victim outside of one, so that what is left of the last one is never taken for another's.
 */
__u64 search;
__u64 searcher;

SEC("kprobe/out_of_memory")
int BPF_KPROBE(oomkill_search, struct oom_control *control)
{
	search = (__u64)control;
	searcher = bpf_get_current_task();
	return 0;
}

static __always_inline void fill_search(struct oomkill_event *event)
{
	struct oom_control *control = (void *)search;

	event->search_pages = 0;
	event->constraint = CONSTRAINT_NONE;
	event->search_level = 0;
	if (searcher != bpf_get_current_task())
		return;
	/* It is 0 where nobody had to be killed, for the task was about to end anyway. */
	event->search_pages = BPF_CORE_READ(control, totalpages);
	event->constraint = BPF_CORE_READ(control, constraint);
	if (event->constraint == CONSTRAINT_MEMCG)
		event->search_level = BPF_CORE_READ(control, memcg, css.cgroup, level);
}

static __always_inline int marked(struct task_struct *victim)
{
	struct cgroup *cgroup = task_memory_cgroup(victim);
	struct oomkill_event *event;
	struct event_place place;

	if (!filter_allows(victim))
		return 0;
	event = event_begin(&place);
	if (!event)
		return 0;
	event->time_ns = bpf_ktime_get_boot_ns();
	event->pid = current_tgid();
	bpf_get_current_comm(event->comm, COMM_LEN);
	event->victim_pid = task_tgid(victim);
	event->victim_uid = BPF_CORE_READ(victim, cred, uid.val);
	event->victim_score_adj = BPF_CORE_READ(victim, signal, oom_score_adj);
	BPF_CORE_READ_STR_INTO(&event->victim_comm, victim, comm);
	mm_pages(event->rss_pages, victim);
	event->total_vm_pages = BPF_CORE_READ(victim, mm, total_vm);
	event->pgtables_bytes = BPF_CORE_READ(victim, mm, pgtables_bytes.counter);
	fill_search(event);
	event->level = BPF_CORE_READ(cgroup, level);
	event->names_len = cgroup_names(event->names, cgroup);
	event_send(&place, event, sizeof(*event) + event->names_len);
	return 0;
}

SEC("tp_btf/mark_victim")
int BPF_PROG(oomkill_marked, struct task_struct *victim)
{
	return marked(victim);
}

/* The tracepoint gave no more than a thread id up to 6.8 (72ba14deb40a, in stable kernels from 2025 on). */
SEC("kprobe/mark_oom_victim")
int BPF_KPROBE(oomkill_marking, struct task_struct *victim)
{
	/* A process can be marked again while it ends. */
	return BPF_CORE_READ(victim, signal, oom_mm) ? 0 : marked(victim);
}
