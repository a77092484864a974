// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * New programs: what exec started, and with -x what it could not start.
 *
 * A successful exec is seen by one program, where the kernel has just copied file name and arguments into the new
 * process: whichever system call, thread or kernel helper asked for it. A failed one is seen where the system call
 * returns; the caller's memory still holds what it asked for.
 */
#include "base/core.bpf.h"
#include "event/events.bpf.h"
#include "task/filter.bpf.h"
#include "call/path.bpf.h"
#include "call/string.bpf.h"
#include "call/syscall.bpf.h"

#define ARGS_BYTES 8192 /* what the scratch memory holds; more is built in the ring buffer itself */
#define FAILED_ARGS 256
#define FAILED_ARG_BYTES 4096

/* What is kept of the arguments at most. */
enum execsnoop_bytes {
	EXECSNOOP_MOST = 2 * 1024 * 1024,
};

enum execsnoop_flags {
	EXECSNOOP_CUT = 1,        /* there were more arguments than are kept */
	EXECSNOOP_UNREADABLE = 2, /* an argument could not be read */
	EXECSNOOP_SCRIPT = 4,     /* the arguments are those of an interpreter, the file name among them */
	EXECSNOOP_DELETED = 8,    /* the file that the kernel executes has no name any more, or never had one */
};

/* Files of which names are walked, see path.bpf.h. */
enum execsnoop_file {
	EXECSNOOP_EXE,   /* what the kernel executes: of a script its interpreter */
	EXECSNOOP_CWD,   /* the current folder */
	EXECSNOOP_BY_FD, /* what the caller named by a descriptor */
	EXECSNOOP_FILES,
};
#define FILES_BYTES (EXECSNOOP_FILES * PATH_NAMES_ROOM)

/* System calls whose failures are seen. */
enum execsnoop_call {
	EXECSNOOP_EXECVE = 1,
	EXECSNOOP_EXECVEAT,
};

struct execsnoop_event {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u32 pid;
	__u32 ppid;
	__u32 uid;
	__u32 cpu;
	__s32 ret;
	__u32 flags;
	__u32 names_len[EXECSNOOP_FILES]; /* first behind the event, of each enum execsnoop_file */
	__u32 names_end[EXECSNOOP_FILES]; /* enum path_end */
	__u32 path_len;                   /* then this, with the final NUL */
	__u32 args_len;                   /* and the arguments, each with its NUL */
	__u8 comm[COMM_LEN];
	__u8 parent_comm[COMM_LEN];
	__u8 data[];
};
EVENTS_NOT_NESTED(execsnoop_event, PATH_BYTES + ARGS_BYTES + (FAILED_ARG_BYTES > FILES_BYTES ? FAILED_ARG_BYTES : FILES_BYTES));
EXPORT_ENUM(execsnoop_bytes);
EXPORT_ENUM(execsnoop_call);
EXPORT_ENUM(execsnoop_file);
EXPORT_ENUM(execsnoop_flags);

const volatile bool with_exe, with_cwd;
const volatile __u32 max_args = 20;
const volatile __u32 max_bytes = ARGS_BYTES;

static __always_inline void fill_task(struct execsnoop_event *event, struct task_struct *task, int ret)
{
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);

	event->time_ns = bpf_ktime_get_boot_ns();
	event->pid = task_tgid(task);
	event->ppid = task_tgid(parent);
	event->uid = BPF_CORE_READ(task, cred, uid.val);
	event->cpu = bpf_get_smp_processor_id();
	event->ret = ret;
	event->flags = 0;
	__builtin_memset(event->names_len, 0, sizeof(event->names_len));
	BPF_CORE_READ_STR_INTO(&event->comm, task, comm);
	BPF_CORE_READ_STR_INTO(&event->parent_comm, parent, comm);
}

/*
 * Appends the names of a file's path to the `used` bytes behind the event; gives the size of all. The file is the one behind
 * a descriptor, or with -1 the current folder or what is executed.
 */
static __always_inline int fill_file(__u32 which, __u32 used, __s32 fd, const bool noloop)
{
	struct event_place place;
	struct execsnoop_event *event = event_begin(&place); /* the one that is being filled */
	__u64 index = bounded(which, EXECSNOOP_FILES - 1);
	const struct path *from;

	if (!event)
		return 0;
	if (fd >= 0)
		from = path_of_fd(fd);
	else if (which == EXECSNOOP_CWD)
		from = path_of_cwd();
	else
		from = path_of_file(BPF_CORE_READ(path_task(), mm, exe_file));
	used = bounded(used, (EXECSNOOP_FILES - 1) * PATH_NAMES_ROOM);
	event->names_len[index] = path_names(event->data + used, from, &event->names_end[index], noloop);
	return used + event->names_len[index];
}

/* Global functions, which the verifier follows once each, and not at each of their calls. */
__noinline int execsnoop_file(__u32 which, __u32 used, __s32 fd)
{
	return fill_file(which, used, fd, false);
}

__noinline int execsnoop_file_noloop(__u32 which, __u32 used, __s32 fd)
{
	return fill_file(which, used, fd, true);
}

/* The descriptor of what the caller named by one, if it is a script, which its interpreter needs open; else -1. */
static __always_inline __s32 script_fd(struct linux_binprm *program, bool is_script)
{
	char head[PATH_HEAD_BYTES] = {};

	if (!is_script || bpf_probe_read_kernel_str(head, sizeof(head), BPF_CORE_READ(program, fdpath)) < 0)
		return -1;
	return PATH_FD_BEHIND(head, "/dev/fd/");
}

/* What is executed, behind the event: the names of its files. Gives their size. */
static __always_inline __u64 fill_files(struct execsnoop_event *event, struct task_struct *task,
					struct linux_binprm *program, const bool noloop)
{
	int (*const fill)(__u32, __u32, __s32) = noloop ? execsnoop_file_noloop : execsnoop_file;
	bool is_script = BPF_CORE_READ(program, interp) != BPF_CORE_READ(program, filename);
	__u64 used = 0;

	if (is_script)
		event->flags |= EXECSNOOP_SCRIPT;
	if (with_exe) {
		if (!BPF_CORE_READ(task, mm, exe_file, f_inode, __i_nlink))
			event->flags |= EXECSNOOP_DELETED;
		used = fill(EXECSNOOP_EXE, used, -1);
	}
	if (with_cwd)
		used = fill(EXECSNOOP_CWD, used, -1);
	if (BPF_CORE_READ(program, fdpath))
		used = fill(EXECSNOOP_BY_FD, used, script_fd(program, is_script));
	return bounded(used, FILES_BYTES);
}

/* Appends the name of the program and up to `room` bytes of the arguments; gives the size of all behind the event. */
static __always_inline __u64 fill_args(struct execsnoop_event *event, __u64 used, struct task_struct *task,
				       struct linux_binprm *program, __u64 room)
{
	unsigned long start = BPF_CORE_READ(task, mm, arg_start);
	__u64 length = BPF_CORE_READ(task, mm, arg_end) - start;
	long path = bpf_probe_read_kernel_str(event->data + used, PATH_BYTES, BPF_CORE_READ(program, filename));

	if (path < 0 || path > PATH_BYTES)
		path = 0;
	if (room > max_bytes)
		room = max_bytes;
	if (length > room) {
		length = room;
		event->flags |= EXECSNOOP_CUT;
	}
	if (bpf_probe_read_user(event->data + used + path, length, (void *)start)) {
		length = 0;
		event->flags |= EXECSNOOP_UNREADABLE;
	}
	event->path_len = path;
	event->args_len = length;
	return used + path + length;
}

/* A record in the ring buffer itself, for arguments that the scratch memory does not hold: of an event with its files. */
static __always_inline void send_large(struct execsnoop_event *event, __u64 used, struct task_struct *task,
				       struct linux_binprm *program, const __u64 room)
{
	const __u64 size = sizeof(*event) + FILES_BYTES + PATH_BYTES + room;
	struct execsnoop_event *large = bpf_ringbuf_reserve(&events, size, 0);

	if (!large) {
		count_lost(LOST_BUFFER);
		return;
	}
	bpf_probe_read_kernel(large, sizeof(*event) + used, event);
	fill_args(large, used, task, program, room);
	bpf_ringbuf_submit(large, event_flags(size));
}

/* The current task has begun to execute a program. */
static __always_inline int executed(struct linux_binprm *program, const bool noloop)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct execsnoop_event *event;
	struct event_place place;
	__u64 used;

	if (!filter_allows(task))
		return 0;
	event = event_begin(&place);
	if (!event)
		return 0;
	fill_task(event, task, 0);
	used = fill_files(event, task, program, noloop);
	if (max_bytes > ARGS_BYTES) {
		__u64 length = BPF_CORE_READ(task, mm, arg_end) - BPF_CORE_READ(task, mm, arg_start);

		if (length > max_bytes)
			length = max_bytes;
		if (length > ARGS_BYTES) {
			if (length > 256 * 1024)
				send_large(event, used, task, program, EXECSNOOP_MOST);
			else if (length > 32 * 1024)
				send_large(event, used, task, program, 256 * 1024);
			else
				send_large(event, used, task, program, 32 * 1024);
			event_discard(&place, event);
			return 0;
		}
	}
	event_send(&place, event, sizeof(*event) + fill_args(event, used, task, program, ARGS_BYTES));
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(execsnoop_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *program)
{
	return executed(program, false);
}

/* For kernels before 5.17, see SYSCALL_EXIT_LOOP. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(execsnoop_exec_noloop, struct task_struct *task, pid_t old_pid, struct linux_binprm *program)
{
	return executed(program, true);
}

/*
 * For kernels that would preempt the other one, see SYSCALL_EXIT of syscall.bpf.h. Not the classic tracepoint, which does
 * not tell whether there is an interpreter: the last thing that loads a program does, when it cannot fail any more.
 */
SEC("kprobe/finalize_exec")
int BPF_KPROBE(execsnoop_exec_classic, struct linux_binprm *program)
{
	return executed(program, false);
}

/* The arguments of a call that failed, as they are copied one by one. */
struct failed_arguments {
	struct execsnoop_event *event;
	__u64 vector; /* in the caller's memory */
	__u64 used;
	bool compat;
};

/* Pointers of 32-bit callers are shorter. */
static __always_inline long read_pointer(const char **argument, struct failed_arguments *all, __u32 i)
{
	*argument = NULL;
	if (all->compat)
		return bpf_probe_read_user(argument, 4, (void *)(all->vector + i * 4));
	return bpf_probe_read_user(argument, 8, (void *)(all->vector + i * 8));
}

/* Copies argument `i`; false where it was the last one. */
static __always_inline bool copy_argument(struct failed_arguments *all, __u32 i)
{
	struct execsnoop_event *event = all->event;
	const char *argument;
	__u64 length;

	if (read_pointer(&argument, all, i)) {
		event->flags |= EXECSNOOP_UNREADABLE;
		return false;
	}
	if (!argument)
		return false;
	if (i > max_args || i >= FAILED_ARGS || all->used > PATH_BYTES + ARGS_BYTES) {
		event->flags |= EXECSNOOP_CUT;
		return false;
	}
	length = user_string(event->data + bounded(all->used, PATH_BYTES + ARGS_BYTES), FAILED_ARG_BYTES, argument);
	if (!length) {
		event->flags |= EXECSNOOP_UNREADABLE;
		return false;
	}
	if (length == FAILED_ARG_BYTES)
		event->flags |= EXECSNOOP_CUT;
	all->used += length;
	return true;
}

static long copy_called(__u32 i, void *all)
{
	return !copy_argument(all, i);
}

static __always_inline int failed(struct syscall *call, long ret)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct failed_arguments all = {};
	struct execsnoop_event *event;
	struct event_place place;
	const char *path;
	__u64 path_len;

	if (ret >= 0 || !filter_allows(task))
		return 0;
	event = event_begin(&place);
	if (!event)
		return 0;
	fill_task(event, task, ret);
	path = (void *)syscall_argument(call, call->action == EXECSNOOP_EXECVEAT ? 1 : 0);
	path_len = user_string(event->data, PATH_BYTES, path);
	if (!path_len)
		event->flags |= EXECSNOOP_UNREADABLE;
	event->path_len = path_len;
	all.event = event;
	all.vector = syscall_argument(call, call->action == EXECSNOOP_EXECVEAT ? 2 : 1);
	all.compat = call->compat;
	/* From memory, for the verifier would follow each length by itself. */
	all.used = *(volatile __u32 *)&event->path_len;
	if (call->noloop) {
		for (__u32 i = 0; i <= FAILED_ARGS && copy_argument(&all, i); i++)
			;
	} else {
		bpf_loop(FAILED_ARGS + 1, copy_called, &all, 0);
	}
	event->args_len = all.used - event->path_len;
	event_send(&place, event, sizeof(*event) + bounded(all.used, PATH_BYTES + ARGS_BYTES + FAILED_ARG_BYTES));
	return 0;
}

SYSCALL_EXIT_LOOP(execsnoop_failed, failed)
