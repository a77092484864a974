/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What began in a task and has not ended yet: a system call, a wait. With the task itself (task storage), or by thread id
 * where the kernel's task storage is not for the hook: Setup::keep_starts() decides.
 *
 *	struct syncsnoop_start {
 *		__u64 time_ns; // 0: nothing has begun, or its begin was not seen
 *		...
 *	};
 *	STARTS(syncsnoop_start);
 *	...
 *	start.time_ns = bpf_ktime_get_boot_ns();
 *	start_keep(&start);
 *	...
 *	if (start_take(&start))
 *		latency = now - start.time_ns;
 *
 * Those are for the current task, as is start_current(); start_of(), start_new() and start_forget() for any.
 */
#ifndef CORESCOPE_START_H
#define CORESCOPE_START_H

#include "base/core.bpf.h"

/* Set by user space. Programs like these can use the task's storage from 5.13 on (a10787e6d58c). */
const volatile bool starts_by_task = true;

#define STARTS(kept)                                                                                                   \
	struct {                                                                                                       \
		__uint(type, BPF_MAP_TYPE_TASK_STORAGE);                                                               \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                                                  \
		__type(key, int);                                                                                      \
		__type(value, struct kept);                                                                            \
	} starts SEC(".maps");                                                                                         \
	struct {                                                                                                       \
		__uint(type, BPF_MAP_TYPE_HASH);                                                                       \
		__uint(max_entries, 1); /* room for the machine's threads, set before load */                          \
		__type(key, __u32);                                                                                    \
		__type(value, struct kept);                                                                            \
	} starts_by_tid SEC(".maps");                                                                                  \
	/* What is kept of a task; NULL if there is nothing. */                                                        \
	static __always_inline __unused struct kept *start_of(struct task_struct *task)                                \
	{                                                                                                              \
		__u32 tid;                                                                                             \
                                                                                                                       \
		if (starts_by_task)                                                                                    \
			return bpf_task_storage_get(&starts, task, NULL, 0);                                           \
		tid = task->pid;                                                                                       \
		return bpf_map_lookup_elem(&starts_by_tid, &tid);                                                      \
	}                                                                                                              \
	/* The same, made if it is not there; NULL if there is no room. */                                             \
	static __always_inline __unused struct kept *start_new(struct task_struct *task)                               \
	{                                                                                                              \
		struct kept none = {}, *start;                                                                         \
		__u32 tid;                                                                                             \
                                                                                                                       \
		if (starts_by_task)                                                                                    \
			return bpf_task_storage_get(&starts, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);              \
		tid = task->pid;                                                                                       \
		start = bpf_map_lookup_elem(&starts_by_tid, &tid);                                                     \
		if (start)                                                                                             \
			return start;                                                                                  \
		bpf_map_update_elem(&starts_by_tid, &tid, &none, BPF_NOEXIST);                                         \
		return bpf_map_lookup_elem(&starts_by_tid, &tid);                                                      \
	}                                                                                                              \
	/* Of a task that ends. */                                                                                     \
	static __always_inline __unused void start_forget(struct task_struct *task)                                    \
	{                                                                                                              \
		__u32 tid;                                                                                             \
                                                                                                                       \
		if (starts_by_task)                                                                                    \
			return;                                                                                        \
		tid = task->pid;                                                                                       \
		bpf_map_delete_elem(&starts_by_tid, &tid);                                                             \
	}                                                                                                              \
	/* What is kept of the current task, made if it is not there; NULL if there is no room. */                     \
	static __always_inline __unused struct kept *start_current(void)                                               \
	{                                                                                                              \
		struct kept none = {}, *start;                                                                         \
		__u32 tid;                                                                                             \
                                                                                                                       \
		if (starts_by_task)                                                                                    \
			return bpf_task_storage_get(&starts, bpf_get_current_task_btf(), NULL,                         \
						    BPF_LOCAL_STORAGE_GET_F_CREATE);                                   \
		tid = bpf_get_current_pid_tgid();                                                                      \
		start = bpf_map_lookup_elem(&starts_by_tid, &tid);                                                     \
		if (start)                                                                                             \
			return start;                                                                                  \
		bpf_map_update_elem(&starts_by_tid, &tid, &none, BPF_NOEXIST);                                         \
		return bpf_map_lookup_elem(&starts_by_tid, &tid);                                                      \
	}                                                                                                              \
	/* Keeps what begins in the current task; false if there is no room. */                                        \
	static __always_inline __unused bool start_keep(const struct kept *start)                                      \
	{                                                                                                              \
		struct kept *place = start_current();                                                                  \
                                                                                                                       \
		if (place)                                                                                             \
			*place = *start;                                                                               \
		return place;                                                                                          \
	}                                                                                                              \
	/* Gives what has begun in the current task, which ends with this; false if its begin was not seen. */         \
	static __always_inline __unused bool start_take(struct kept *taken)                                            \
	{                                                                                                              \
		struct kept *start;                                                                                    \
		__u32 tid;                                                                                             \
                                                                                                                       \
		if (starts_by_task) {                                                                                  \
			start = bpf_task_storage_get(&starts, bpf_get_current_task_btf(), NULL, 0);                    \
			if (!start || !start->time_ns)                                                                 \
				return false;                                                                          \
			*taken = *start;                                                                               \
			start->time_ns = 0;                                                                            \
			return true;                                                                                   \
		}                                                                                                      \
		tid = bpf_get_current_pid_tgid();                                                                      \
		start = bpf_map_lookup_elem(&starts_by_tid, &tid);                                                     \
		if (!start)                                                                                            \
			return false;                                                                                  \
		*taken = *start;                                                                                       \
		bpf_map_delete_elem(&starts_by_tid, &tid);                                                             \
		return true;                                                                                           \
	}

#endif
