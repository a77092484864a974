/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which tasks a tool looks at. The settings are constants when the program is loaded: the verifier drops the checks of
 * those that are not set, so an unused filter costs nothing. Set by Filter in common/core/src/object/filter.rs.
 */
#ifndef CORESCOPE_FILTER_H
#define CORESCOPE_FILTER_H

#include "base/core.bpf.h"
#include "base/lost.bpf.h"
#include "task/task.bpf.h"

#define FILTER_IDS 64 /* as in common/core/src/object/filter.rs */

const volatile bool filter_any; /* one look for all that follow: the verifier drops checks, but not what they load */
const volatile bool filter_by_uid;
const volatile bool filter_by_comm;
const volatile bool filter_by_cgroup;
const volatile bool filter_by_cgroup_map;
const volatile bool filter_by_mntns_map;
const volatile __u32 filter_tgid;
const volatile __u32 filter_tid;
const volatile __u32 filter_tgids[FILTER_IDS]; /* more than one: the list ends with its first 0 */
const volatile __u32 filter_tids[FILTER_IDS];
const volatile __u32 filter_ppid;
const volatile __u32 filter_command; /* --exec: the process that is to run the command */
const volatile __u32 filter_uid;
const volatile __u64 filter_comm[COMM_LEN / 8];
const volatile __u32 filter_cgroup_level;

/* The id of the cgroup at the path of --cgroup; 0 if it is gone. A service that starts again gets another one. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} filter_cgroup SEC(".maps");

/* Its id; 0 while there is none. */
static __always_inline __u64 filter_cgroup_id(void)
{
	__u32 zero = 0;
	__u64 *id = bpf_map_lookup_elem(&filter_cgroup, &zero);

	return id ? *id : 0;
}

/* Whether it holds this one, of something that has a cgroup and is no task. */
static __always_inline bool filter_cgroup_holds(struct cgroup *cgroup)
{
	__u64 id = filter_cgroup_id();

	return id && cgroup && cgroup_ancestor(cgroup, filter_cgroup_level) == id;
}

static __always_inline bool filter_cgroup_has(struct task_struct *task, struct cgroup *charged)
{
	__u64 id = filter_cgroup_id();

	if (!id)
		return false;
	return task_cgroup_ancestor(task, filter_cgroup_level) == id ||
	       (charged && cgroup_ancestor(charged, filter_cgroup_level) == id);
}

/* Sets of cgroup and mount namespace ids that the user pinned, --cgroupmap and --mntnsmap: the one inner map of each. */
struct filter_ids {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u64);
};
struct filter_set {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct filter_ids);
};
struct filter_set filter_cgroups SEC(".maps");
struct filter_set filter_mntns SEC(".maps");

static __always_inline bool filter_set_has(void *set, __u64 id)
{
	__u32 zero = 0;
	void *ids = bpf_map_lookup_elem(set, &zero);

	return ids && bpf_map_lookup_elem(ids, &id);
}

static __always_inline bool filter_comm_matches(struct task_struct *task)
{
	__u64 comm[COMM_LEN / 8] = {};

	BPF_CORE_READ_STR_INTO(&comm, task, comm);
	return comm[0] == filter_comm[0] && comm[1] == filter_comm[1];
}

/* What --exec started: the command from its exec on, and all that it starts. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __u8);
} filter_processes SEC(".maps");

static __always_inline bool filter_started(__u32 tgid)
{
	return bpf_map_lookup_elem(&filter_processes, &tgid);
}

static __always_inline void filter_add(__u32 tgid)
{
	__u8 one = 1;

	if (bpf_map_update_elem(&filter_processes, &tgid, &one, BPF_ANY))
		count_lost(LOST_MAP);
}

/*
 * What a tool with --exec has once, for the programs that follow the command: FILTER_COMMAND(opensnoop). They are loaded
 * with --exec only. Until the command is executed its process waits for the tool, which is nothing to show.
 */
#define FILTER_COMMAND(tool)                                                                                           \
	SEC("tp_btf/sched_process_exec")                                                                               \
	int BPF_PROG(tool##_command_exec, struct task_struct *task)                                                    \
	{                                                                                                              \
		if (typed_tgid(task) == filter_command)                                                                \
			filter_add(task->tgid);                                                                        \
		return 0;                                                                                              \
	}                                                                                                              \
	SEC("tp_btf/sched_process_fork")                                                                               \
	int BPF_PROG(tool##_command_fork, struct task_struct *parent, struct task_struct *child)                       \
	{                                                                                                              \
		if (child->tgid != parent->tgid && filter_started(parent->tgid))                                       \
			filter_add(child->tgid);                                                                       \
		return 0;                                                                                              \
	}                                                                                                              \
	/* Not sched_process_exit: of threads that end at once one may be the last and another still have to pass it. */       \
	SEC("tp_btf/sched_process_free")                                                                               \
	int BPF_PROG(tool##_command_free, struct task_struct *task)                                                    \
	{                                                                                                              \
		__u32 tgid = task->tgid;                                                                               \
                                                                                                                       \
		if (task->pid == tgid)                                                                                 \
			bpf_map_delete_elem(&filter_processes, &tgid);                                                 \
		return 0;                                                                                              \
	}

static __always_inline bool filter_lists(const volatile __u32 *ids, __u32 id)
{
	for (int i = 0; i < FILTER_IDS && ids[i]; i++) {
		if (ids[i] == id)
			return true;
	}
	return false;
}

static __always_inline __u32 filter_parent(struct task_struct *task)
{
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);

	return task_tgid(parent);
}

/* What is left to ask of a task when its ids are right. */
static __always_inline bool filter_allows_apart_from_ids(struct task_struct *task, struct cgroup *charged)
{
	__u64 id;

	if (filter_tgids[0] && !filter_lists(filter_tgids, task_tgid(task)))
		return false;
	if (filter_tids[0] && !filter_lists(filter_tids, task_tid(task)))
		return false;
	if (filter_ppid && filter_parent(task) != filter_ppid)
		return false;
	if (filter_by_uid && BPF_CORE_READ(task, cred, uid.val) != filter_uid)
		return false;
	if (filter_by_comm && !filter_comm_matches(task))
		return false;
	if (filter_by_cgroup && !filter_cgroup_has(task, charged))
		return false;
	if (filter_by_cgroup_map) {
		id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
		if (!filter_set_has(&filter_cgroups, id))
			return false;
	}
	if (filter_by_mntns_map) {
		id = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
		if (!filter_set_has(&filter_mntns, id))
			return false;
	}
	return true;
}

/* Whether the user asked for this task, or it works for a cgroup that the user asked for, which is charged for that. */
static __always_inline bool filter_allows_for(struct task_struct *task, struct cgroup *charged)
{
	if (!filter_any)
		return true;
	/* Who has no id in the tool's PID namespace is not there to be seen. */
	if (ids_namespace && !ids_tid(task))
		return false;
	if (filter_tgid && task_tgid(task) != filter_tgid)
		return false;
	if (filter_tid && task_tid(task) != filter_tid)
		return false;
	if (filter_command && !filter_started(BPF_CORE_READ(task, tgid)))
		return false;
	return filter_allows_apart_from_ids(task, charged);
}

/* Whether the user asked for this task. It may be any task, not just the current one. */
static __always_inline bool filter_allows(struct task_struct *task)
{
	return filter_allows_for(task, NULL);
}

/* The same of the current task, for programs that run very often: no helper is called where all are allowed. */
static __always_inline bool filter_allows_current(void)
{
	__u64 ids;

	if (!filter_any)
		return true;
	if (ids_namespace)
		return filter_allows((void *)bpf_get_current_task());
	if (filter_tgid || filter_tid || filter_command) {
		ids = bpf_get_current_pid_tgid();
		if (filter_tgid && ids >> 32 != filter_tgid)
			return false;
		if (filter_tid && (__u32)ids != filter_tid)
			return false;
		if (filter_command && !filter_started(ids >> 32))
			return false;
	}
	if (!filter_tgids[0] && !filter_tids[0] && !filter_ppid && !filter_by_uid && !filter_by_comm && !filter_by_cgroup &&
	    !filter_by_cgroup_map && !filter_by_mntns_map)
		return true;
	return filter_allows_apart_from_ids((void *)bpf_get_current_task(), NULL);
}

#endif
