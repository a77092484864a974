/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Process and thread ids as the PID namespace of the tool has them (pid_namespaces(7)): those that its user knows. Set by Filter
 * in common/core/src/object/filter.rs, which in a namespace also leaves out tasks that have no id there.
 *
 * `typed_` is for tasks that came with their type, of which fields are loaded without a helper.
 */
#ifndef CORESCOPE_IDS_H
#define CORESCOPE_IDS_H

#include "base/core.bpf.h"

/* The inode number of the namespace; 0 for the initial one, whose ids are the kernel's own. */
const volatile __u32 ids_namespace;

#define IDS_LEVELS 32 /* MAX_PID_NS_LEVEL */

/* The id behind a pid structure; 0 where it has none in the namespace. */
static __always_inline __u32 ids_of(struct pid *pid)
{
	__u32 level = BPF_CORE_READ(pid, level);

	for (__u32 i = 1; i <= IDS_LEVELS && i <= level; i++) {
		struct pid_namespace *namespace = NULL;
		__u32 number = 0;

		bpf_core_read(&namespace, sizeof(namespace), &pid->numbers[i].ns);
		if (BPF_CORE_READ(namespace, ns.inum) != ids_namespace)
			continue;
		bpf_core_read(&number, sizeof(number), &pid->numbers[i].nr);
		return number;
	}
	return 0;
}

static __always_inline __u32 ids_tid(struct task_struct *task)
{
	return ids_of(BPF_CORE_READ(task, thread_pid));
}

static __always_inline __u32 ids_tgid(struct task_struct *task)
{
	return ids_of(BPF_CORE_READ(task, signal, pids[PIDTYPE_TGID]));
}

#define task_tid(task) (ids_namespace ? ids_tid(task) : BPF_CORE_READ(task, pid))
#define task_tgid(task) (ids_namespace ? ids_tgid(task) : BPF_CORE_READ(task, tgid))
#define typed_tid(task) (ids_namespace ? ids_tid(task) : (task)->pid)
#define typed_tgid(task) (ids_namespace ? ids_tgid(task) : (task)->tgid)

static __always_inline __u32 current_tgid(void)
{
	if (ids_namespace)
		return ids_tgid((void *)bpf_get_current_task());
	return bpf_get_current_pid_tgid() >> 32;
}

#endif
