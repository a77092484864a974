// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Capability checks: what the kernel asked of the current task, and the answer.
 *
 * One of three hooks, the first that the kernel has:
 *   - the exit of cap_capable() (fexit), where arguments and result are seen at once;
 *   - the tracepoint of 6.14 (d48da4d5ed7b), which does not tell whether the check is one for the audit log;
 *   - entry and return of the function by kprobes, where the arguments are kept in between: arm64 before 6.4.
 */
#include "core.bpf.h"
#include "events.bpf.h"
#include "event_stack.bpf.h"
#include "filter.bpf.h"

/* The options of a check, include/linux/security.h, and that they are not known. */
#define CAP_OPT_NOAUDIT 2
#define CAPABLE_UNKNOWN (1u << 31)

#define ENOMEM 12
#define EEXIST 17

enum capable_unique {
	CAPABLE_ALL,
	CAPABLE_BY_PID,
	CAPABLE_BY_CGROUP,
};

struct capable_event {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u32 pid;
	__u32 tid;
	__u32 uid;
	__u32 capability;
	__u32 options;
	__s32 ret;
	__u32 user_ns;
	__u32 reserved;
	__u8 comm[COMM_LEN];
	struct event_stacks stacks;
};
EVENTS(capable_event, 0);

/* What has been sent, for --unique. */
struct capable_seen {
	__u64 owner; /* the start of the process, for its id may come again; the id of the cgroup */
	__u64 stacks;
	__u32 pid;
	__u32 capability;
	__u32 options;
	__s32 ret;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16 * 1024);
	__type(key, struct capable_seen);
	__type(value, __u8);
} seen SEC(".maps");

/* Events of checks that have begun, by thread: one each, for they do not sleep. For the kprobes only. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct capable_event)); /* and room for stacks, set before load */
} begun SEC(".maps");

const volatile bool audited_only = true;
const volatile __u32 unique_by;
const volatile __u32 own_pid; /* the tool's, whose look at other processes takes checks as well */

static __always_inline bool wanted(__u32 options)
{
	if (audited_only && options & CAP_OPT_NOAUDIT)
		return false;
	if (bpf_get_current_pid_tgid() >> 32 == own_pid)
		return false;
	return filter_allows((struct task_struct *)bpf_get_current_task());
}

/* All but the answer. */
static __always_inline void fill(void *ctx, struct capable_event *event, struct user_namespace *namespace,
				 __u32 capability, __u32 options)
{
	event->time_ns = bpf_ktime_get_boot_ns();
	fill_current(&event->pid, &event->tid, &event->uid, event->comm);
	event->capability = capability;
	event->options = options;
	event->user_ns = BPF_CORE_READ(namespace, ns.inum);
	event->reserved = 0;
	event_stacks(ctx, &event->stacks);
}

/* Whether it is the first of its kind, where the user wants to see just those. */
static __always_inline bool is_new(struct capable_event *event)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct capable_seen key = {};
	__u8 yes = 1;

	if (!unique_by)
		return true;
	if (unique_by == CAPABLE_BY_CGROUP) {
		key.owner = bpf_get_current_cgroup_id();
	} else {
		key.owner = BPF_CORE_READ(task, group_leader, start_boottime);
		key.pid = event->pid;
	}
	key.stacks = event_stacks_hash(&event->stacks);
	key.capability = event->capability;
	key.options = event->options & CAP_OPT_NOAUDIT;
	key.ret = event->ret;
	if (bpf_map_lookup_elem(&seen, &key))
		return false;
	/* Of two CPUs with the same check one comes first. */
	return bpf_map_update_elem(&seen, &key, &yes, BPF_NOEXIST) != -EEXIST;
}

static __always_inline int checked(void *ctx, struct user_namespace *namespace, __u32 capability, __u32 options, int ret)
{
	struct capable_event *event;
	struct event_place place;

	if (!wanted(options))
		return 0;
	event = event_begin(&place);
	if (!event)
		return 0;
	fill(ctx, event, namespace, capability, options);
	event->ret = ret;
	if (is_new(event))
		event_send(&place, event, sizeof(*event) + event_stacks_bytes(&event->stacks));
	else
		event_discard(&place, event);
	return 0;
}

SEC("fexit/cap_capable")
int BPF_PROG(capable_exit, const struct cred *cred, struct user_namespace *namespace, int capability, unsigned int options,
	     int ret)
{
	return checked(ctx, namespace, capability, options, ret);
}

SEC("tp_btf/cap_capable")
int BPF_PROG(capable_check, const struct cred *cred, struct user_namespace *namespace,
	     const struct user_namespace *capable_namespace, int capability, int ret)
{
	return checked(ctx, namespace, capability, CAPABLE_UNKNOWN, ret);
}

/*
 * Before the entry, for programs are attached in this order: of two kprobes the kernel runs the younger one first, and the
 * stack is whole only until this one has put its trampoline in place of the function's caller.
 */
SEC("kretprobe/cap_capable")
int BPF_KRETPROBE(capable_return, int ret)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct capable_event *event = bpf_map_lookup_elem(&begun, &tid);
	__u64 size;

	if (!event)
		return 0;
	event->ret = ret;
	if (is_new(event)) {
		size = sizeof(*event) + event_stacks_bytes(&event->stacks);
		if (bpf_ringbuf_output(&events, event, size, event_flags(size)))
			count_lost(LOST_BUFFER);
	}
	bpf_map_delete_elem(&begun, &tid);
	return 0;
}

/* The stacks are taken here: from the return of a function not all kernels find the way to its caller. */
SEC("kprobe/cap_capable")
int BPF_KPROBE(capable_enter, const struct cred *cred, struct user_namespace *namespace, int capability,
	       unsigned int options)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct capable_event *event;
	struct event_place place;
	long error;

	if (!wanted(options))
		return 0;
	event = event_begin(&place);
	if (!event)
		return 0;
	fill(ctx, event, namespace, capability, options);
	/* In the ring buffer it cannot wait. */
	error = place.users ? bpf_map_update_elem(&begun, &tid, event, BPF_NOEXIST) : -ENOMEM;
	if (error)
		count_lost(LOST_MAP);
	/* The kernel has missed the return of the last one. */
	if (place.users && error == -EEXIST)
		bpf_map_update_elem(&begun, &tid, event, BPF_EXIST);
	event_discard(&place, event);
	return 0;
}
