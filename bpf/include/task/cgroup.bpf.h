/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The path of a cgroup, taken in the kernel: it is exact also where the cgroup is gone by the time that it is printed.
 *
 *	event->names_len = cgroup_names(event->data, cgroup);
 *
 * writes the names of the way up, the innermost first, each with its NUL; none for the root of a hierarchy. What is
 * behind `to` must hold CGROUP_NAMES_ROOM bytes. The names are whole if they are as many as the cgroup's level.
 */
#ifndef CORESCOPE_CGROUP_H
#define CORESCOPE_CGROUP_H

#include "base/core.bpf.h"
#include "call/path.bpf.h"

#define CGROUP_NAMES_ROOM PATH_NAMES_ROOM
#define CGROUP_DEPTH 64

/* Up to 6.14 a node of kernfs had `parent`, since 6.15 `__parent` (633488947ef6). */
struct kernfs_node___parent {
	struct kernfs_node *parent;
} __attribute__((preserve_access_index));

static __always_inline struct kernfs_node *cgroup_parent_node(struct kernfs_node *node)
{
	struct kernfs_node___parent *old = (void *)node;

	if (bpf_core_field_exists(old->parent))
		return BPF_CORE_READ(old, parent);
	return BPF_CORE_READ(node, __parent);
}

/*
 * The cgroup that a task's memory belongs to: its one cgroup of v2, or where the memory controller is used with v1 that of
 * the controller's hierarchy.
 */
static __always_inline struct cgroup *task_memory_cgroup(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup *unified = BPF_CORE_READ(set, dfl_cgrp), *memory;
	struct cgroup_subsys_state *state = NULL;

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		return unified;
	bpf_core_read(&state, sizeof(state), &set->subsys[bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id)]);
	memory = BPF_CORE_READ(state, cgroup);
	/* The state is an ancestor's where the controller is not enabled for the cgroup itself. */
	return !memory || BPF_CORE_READ(memory, root) == BPF_CORE_READ(unified, root) ? unified : memory;
}

static __always_inline __u32 cgroup_names(__u8 *to, struct cgroup *cgroup)
{
	struct kernfs_node *node = BPF_CORE_READ(cgroup, kn), *parent;
	__u64 used = 0, more;

	for (int i = 0; i < CGROUP_DEPTH && used <= PATH_BYTES; i++) {
		parent = cgroup_parent_node(node);
		more = parent ? path_name(to, used, BPF_CORE_READ(node, name)) : 0;
		if (!more)
			break;
		used = more;
		node = parent;
	}
	return bounded(used, CGROUP_NAMES_ROOM);
}

#endif
