/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tasks by number: what the kernel's find_vpid() and pid_task() do. The kernel offers them to programs from 6.2 on only
 * (bpf_task_from_pid), and just for the numbers of the initial namespace.
 */
#ifndef CORESCOPE_PID_H
#define CORESCOPE_PID_H

#include "call/path.bpf.h"
#include "task/task.bpf.h"

/* include/linux/xarray.h: what a slot holds is a node if its lowest bits are 10; a node has 64 slots. */
#define PID_NODE_TAG 2
#define PID_NODE_SLOTS 64
#define PID_NODE_LEVELS 4 /* 64^4 is more than PID_MAX_LIMIT */

/* The pid structure of `number` as the current task counts, in its own pid namespace; NULL where there is none. */
static __always_inline struct pid *pid_find(__s32 number)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct pid *own = BPF_CORE_READ(task, thread_pid);
	struct pid_namespace *ns = NULL;
	__u32 depth = BPF_CORE_READ(own, level);
	__u64 entry;

	if (number <= 0)
		return NULL;
	bpf_core_read(&ns, sizeof(ns), &own->numbers[depth].ns);
	entry = (__u64)BPF_CORE_READ(ns, idr.idr_rt.xa_head);
	for (int level = 0; level < PID_NODE_LEVELS && (entry & 3) == PID_NODE_TAG; level++) {
		struct xa_node *node = (void *)(entry - PID_NODE_TAG);
		__u32 slot = (__u32)number >> BPF_CORE_READ(node, shift);

		/* The first node covers all numbers that are in use. */
		if (level == 0 && slot >= PID_NODE_SLOTS)
			return NULL;
		entry = 0;
		bpf_core_read(&entry, sizeof(entry), &node->slots[slot % PID_NODE_SLOTS]);
	}
	return (entry & 3) ? NULL : (struct pid *)entry;
}

/* The task behind a pid structure; NULL where it is gone. */
static __always_inline struct task_struct *pid_task(struct pid *pid)
{
	struct hlist_node *first = BPF_CORE_READ(pid, tasks[PIDTYPE_PID].first);

	return first ? (void *)first - bpf_core_field_offset(struct task_struct, pid_links) : NULL;
}

/* Its number in the tool's PID namespace. */
static __always_inline __s32 pid_number(struct pid *pid)
{
	return ids_namespace ? ids_of(pid) : BPF_CORE_READ(pid, numbers[0].nr);
}

#define PID_ANON_INODE_MAGIC 0x09041934
#define PID_FS_MAGIC 0x50494446
#define PID_PROC_MAGIC 0x9fa0

/*
 * The pid structure behind a pidfd of the current process. `sure`: the kernel took it for one; otherwise any anonymous
 * file may look like one.
 */
static __always_inline struct pid *pid_of_fd(__s32 fd, bool sure)
{
	struct file *file = path_file(fd);
	struct inode *inode = BPF_CORE_READ(file, f_inode);

	switch (BPF_CORE_READ(inode, i_sb, s_magic)) {
	case PID_FS_MAGIC: /* since 6.9 (cb12fd8e0dab) */
		return BPF_CORE_READ(inode, i_private);
	case PID_PROC_MAGIC: /* a folder of /proc serves as well */
		return sure ? BPF_CORE_READ(container_of(inode, struct proc_inode, vfs_inode), pid) : NULL;
	case PID_ANON_INODE_MAGIC:
		return sure ? BPF_CORE_READ(file, private_data) : NULL;
	default:
		return NULL;
	}
}

#endif
