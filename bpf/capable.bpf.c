// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Capability checks: what the kernel asked of the current task, and the answer.
 *
 * One of three hooks:
 *   - the exit of cap_capable() (fexit), where arguments and answer are seen at once;
 *   - its entry (kprobe), where the answer is still to come and found out as the kernel does: for kernels that would preempt
 *     the first one, and then skip it for others (7.2), and for those without fexit (arm64 before 6.4). The return of the
 *     function would tell, but the kernel misses returns where many tasks are within the function at a time;
 *   - the tracepoint of 6.14 (d48da4d5ed7b), which does not tell whether the check is one for the audit log.
 */
#include "base/core.bpf.h"
#include "event/events.bpf.h"
#include "event/event_stack.bpf.h"
#include "task/filter.bpf.h"

/* The options of a check, include/linux/security.h, and that they are not known. */
#define CAP_OPT_NOAUDIT 2
#define CAPABLE_UNKNOWN (1u << 31)

#define EPERM 1
#define EEXIST 17

enum capable_unique {
	CAPABLE_ALL,
	CAPABLE_BY_PID,
	CAPABLE_BY_CGROUP,
};
EXPORT_ENUM(capable_unique);

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
EVENTS_NOT_NESTED(capable_event, 0);

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

const volatile bool audited_only = true;
const volatile bool denied_only;
const volatile __u64 capabilities = ~0ULL; /* a bit for each that is wanted */
const volatile __u32 unique_by;
const volatile __u32 own_pid; /* the tool's, whose look at other processes takes checks as well */

static __always_inline bool wanted(__u32 capability, __u32 options)
{
	if (audited_only && options & CAP_OPT_NOAUDIT)
		return false;
	if (!(capabilities >> (capability & 63) & 1))
		return false;
	if (current_tgid() == own_pid)
		return false;
	return filter_allows_current();
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

static __always_inline int checked(void *ctx, __u32 user_ns, __u32 capability, __u32 options, int ret)
{
	struct event_place place;
	struct capable_event *event;

	if (denied_only && !ret)
		return 0;
	event = event_begin(&place);
	if (!event)
		return 0;
	event->time_ns = bpf_ktime_get_boot_ns();
	fill_current(&event->pid, &event->tid, &event->uid, event->comm);
	event->capability = capability;
	event->options = options;
	event->ret = ret;
	event->user_ns = user_ns;
	event->reserved = 0;
	event_stacks(ctx, &event->stacks);
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
	return wanted(capability, options) ? checked(ctx, namespace->ns.inum, capability, options, ret) : 0;
}

SEC("tp_btf/cap_capable")
int BPF_PROG(capable_check, const struct cred *cred, struct user_namespace *namespace,
	     const struct user_namespace *capable_namespace, int capability, int ret)
{
	if (!wanted(capability, CAPABLE_UNKNOWN))
		return 0;
	return checked(ctx, namespace->ns.inum, capability, CAPABLE_UNKNOWN, ret);
}

#define USER_NS_LEVELS 33 /* the first one, and 32 below each other: create_user_ns() */

/*
 * What cap_capable() is going to answer: a task has what is in its effective set in its own user namespace, nothing in those
 * above and beside, and everything in those below whose owner it is. Neither credentials nor owners change under a check.
 */
static __always_inline int answer(const struct cred *cred, struct user_namespace *namespace, __u32 capability)
{
	struct user_namespace *own = BPF_CORE_READ(cred, user_ns), *parent;
	__u64 effective = 0; /* kernel_cap_t: two numbers of 32 bits until 6.3 (f122a08b197d) */

	for (int i = 0; i < USER_NS_LEVELS; i++) {
		if (namespace == own) {
			bpf_core_read(&effective, sizeof(effective), &cred->cap_effective);
			return effective >> (capability & 63) & 1 ? 0 : -EPERM;
		}
		if (BPF_CORE_READ(namespace, level) <= BPF_CORE_READ(own, level))
			return -EPERM;
		parent = BPF_CORE_READ(namespace, parent);
		if (parent == own && BPF_CORE_READ(namespace, owner.val) == BPF_CORE_READ(cred, euid.val))
			return 0;
		namespace = parent;
	}
	return -EPERM;
}

SEC("kprobe/cap_capable")
int BPF_KPROBE(capable_enter, const struct cred *cred, struct user_namespace *namespace, int capability,
	       unsigned int options)
{
	if (!wanted(capability, options))
		return 0;
	return checked(ctx, BPF_CORE_READ(namespace, ns.inum), capability, options, answer(cred, namespace, capability));
}
