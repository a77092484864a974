// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Processes as they end. */
#include "base/core.bpf.h"
#include "event/events.bpf.h"
#include "task/filter.bpf.h"

/* Becomes the Rust type bpf::types::@NAME@_event. */
struct @NAME@_event {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u32 pid;
	__u32 tid;
	__u8 comm[COMM_LEN];
};
EVENTS_IN_PLACE(@NAME@_event);

SEC("tp_btf/sched_process_exit")
int BPF_PROG(@NAME@_exit, struct task_struct *task)
{
	struct @NAME@_event *event;
	struct event_place place;

	/* Threads end as well: the first one stands for its process. */
	if (task->pid != task->tgid || !filter_allows(task))
		return 0;
	event = event_begin(&place);
	if (!event)
		return 0;
	event->time_ns = bpf_ktime_get_boot_ns();
	event->pid = task->tgid;
	event->tid = task->pid;
	BPF_CORE_READ_STR_INTO(&event->comm, task, comm);
	event_send(&place, event, sizeof(*event));
	return 0;
}
