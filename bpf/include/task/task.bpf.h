/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What kernels of different ages call the same things of a task. */
#ifndef CORESCOPE_TASK_H
#define CORESCOPE_TASK_H

#include "base/core.bpf.h"
#include "task/ids.bpf.h"

/* Of a kernel stack: x86-64 without KASAN, arm64 with pages of 4 KiB. */
#define THREAD_SIZE (16 * 1024)

#define PF_KTHREAD 0x00200000
#define TASK_DEAD 0x80 /* of a task that leaves the CPU for good */

/* Up to 5.13 a task had `long state`, since 5.14 `unsigned int __state` (2f064a59a11f). */
struct task_struct___state {
	long state;
} __attribute__((preserve_access_index));

/* Of a task that came with its type. */
static __always_inline __u64 task_state(struct task_struct *task)
{
	struct task_struct___state *old = (void *)task;

	return bpf_core_field_exists(old->state) ? old->state : task->__state;
}

/* Up to 6.0 a cgroup kept the ids of its ancestors, since 6.1 pointers to them (7f203bc89eb6). */
struct cgroup___ids {
	__u64 ancestor_ids[0];
} __attribute__((preserve_access_index));

/*
 * The id of a cgroup's ancestor at `level` (the root is level 0, and a cgroup its own last ancestor), or 0 where the cgroup
 * lies higher than that.
 */
static __always_inline __u64 cgroup_ancestor(struct cgroup *cgroup, __u32 level)
{
	struct cgroup___ids *old = (void *)cgroup;
	__u64 id = 0;

	if (BPF_CORE_READ(cgroup, level) < level)
		return 0;
	if (bpf_core_field_exists(old->ancestor_ids)) {
		bpf_core_read(&id, sizeof(id), &old->ancestor_ids[level]);
	} else {
		struct cgroup *ancestor = NULL;

		bpf_core_read(&ancestor, sizeof(ancestor), &cgroup->ancestors[level]);
		id = BPF_CORE_READ(ancestor, kn, id);
	}
	return id;
}

/* The same of the task's cgroup of v2. */
static __always_inline __u64 task_cgroup_ancestor(struct task_struct *task, __u32 level)
{
	return cgroup_ancestor(BPF_CORE_READ(task, cgroups, dfl_cgrp), level);
}

/* The inode number of /proc/PID/ns/pid. */
static __always_inline __u32 task_pid_namespace(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	struct pid_namespace *namespace = NULL;
	__u32 level = BPF_CORE_READ(pid, level);

	bpf_core_read(&namespace, sizeof(namespace), &pid->numbers[level].ns);
	return BPF_CORE_READ(namespace, ns.inum);
}

/* The name of a task that came with its type. In two pieces: bytes just written one by one are slow to be read at once. */
static __always_inline void copy_comm(__u8 *to, struct task_struct *task)
{
	((__u64 *)to)[0] = ((__u64 *)task->comm)[0];
	((__u64 *)to)[1] = ((__u64 *)task->comm)[1];
}

/*
 * Who runs. From 5.11 on (3ca1032ab7ab) the current task comes with its type: its fields are then read like any others,
 * which takes a tenth of the time of the four helpers that give the same. NULL for the uid where nobody asks for it.
 */
static __always_inline void fill_current(__u32 *pid, __u32 *tid, __u32 *uid, __u8 *comm)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)) {
		struct task_struct *task = bpf_get_current_task_btf();

		*pid = typed_tgid(task);
		*tid = typed_tid(task);
		if (uid)
			*uid = task->cred->uid.val;
		copy_comm(comm, task);
	} else {
		__u64 ids = bpf_get_current_pid_tgid();

		*pid = ids_namespace ? ids_tgid((void *)bpf_get_current_task()) : ids >> 32;
		*tid = ids_namespace ? ids_tid((void *)bpf_get_current_task()) : ids;
		if (uid)
			*uid = bpf_get_current_uid_gid();
		bpf_get_current_comm(comm, COMM_LEN);
	}
}

#endif
