// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * System calls, counted where they return, by call or by process.
 *
 * A count is a place in an array that belongs to the CPU: no hash and no atomic instruction. The kernel does not start
 * a program of sys_exit on a CPU where it is running already.
 */
#include "base/core.bpf.h"
#include "task/filter.bpf.h"
#include "task/start.bpf.h"
#include "base/map.bpf.h"
#include "call/syscall.bpf.h"
#include "task/task.bpf.h"

#define MAX_PROCESSES 16384
#define MAX_ERRNO 4095
#define ENOSYS 38

/* What is special in a system call: the number that syscall_native and syscall_compat have for it. */
enum syscount_call {
	SYSCOUNT_CALL,
	SYSCOUNT_FORKS, /* returns in the child as well */
	SYSCOUNT_EXECS,
	SYSCOUNT_EXITS, /* does not return */
};
EXPORT_ENUM(syscount_call);

/* Where a system call is counted. */
enum syscount_place {
	SYSCOUNT_NATIVE = 0, /* and its number */
	SYSCOUNT_COMPAT = SYSCALLS,
	SYSCOUNT_OTHER = 2 * SYSCALLS, /* numbers of no system call, and those of x32 */
	SYSCOUNT_PLACES,
};
EXPORT_ENUM(syscount_place);

struct syscount_count {
	__u64 calls;
	__u64 errors;
	__u64 total_ns;
};

struct syscount_cpu {
	struct syscount_count counts[SYSCOUNT_PLACES];
};
EXPORT(syscount_cpu);
EXPORT(syscount_count);

struct syscount_process {
	struct syscount_count count;
	__u64 named_ns; /* CLOCK_MONOTONIC: of several CPUs' names the latest is the process's */
	__u8 comm[COMM_LEN];
	__u64 ended;
};
EXPORT(syscount_process);

/* Indexed by CPU: user space reads what a CPU has counted with one system call. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* the number of CPUs */
	__type(key, __u32);
	__type(value, struct syscount_cpu);
} cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_PROCESSES);
	__type(key, __u32);
	__type(value, struct syscount_process);
} processes SEC(".maps");

/* The call that a thread is in, with -L. */
struct syscount_start {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 number;
	__u32 again; /* a signal has interrupted it, and the kernel may begin it again: still the same call */
};
STARTS(syscount_start);

/* Calls that a signal has interrupted and that have not returned, by thread. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct syscount_start);
} interrupted SEC(".maps");

const volatile bool by_process;
const volatile bool latency;
const volatile bool failed_only;
const volatile __u32 only_error; /* errno */
const volatile bool one_call;
const volatile __u32 only_native = SYSCOUNT_PLACES; /* places */
const volatile __u32 only_compat = SYSCOUNT_PLACES;
const volatile __u32 sigreturn_native; /* places of rt_sigreturn */
const volatile __u32 sigreturn_compat;
const volatile __u32 restart_native; /* numbers of restart_syscall, by which the kernel goes on with some calls */
const volatile __u32 restart_compat;

static const struct syscount_process no_calls;

/* A process is called what its first thread is called. */
static __always_inline void name_process(struct syscount_process *process)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	BPF_CORE_READ_STR_INTO(&process->comm, task, group_leader, comm);
	process->named_ns = bpf_ktime_get_ns();
}

static __always_inline struct syscount_process *current_process(void)
{
	__u32 tgid = current_tgid();
	struct syscount_process *process = map_get(&processes, &tgid, &no_calls);

	if (process && !process->named_ns)
		name_process(process);
	return process;
}

static __always_inline void count(__u64 place, __u32 error, bool execs, __u64 ns)
{
	struct syscount_process *process;
	__u32 cpu = bpf_get_smp_processor_id();
	struct syscount_count *count;
	struct syscount_cpu *counts;

	if (by_process) {
		process = current_process();
		if (!process)
			return;
		if (execs)
			name_process(process);
		count = &process->count;
	} else {
		counts = bpf_map_lookup_elem(&cpus, &cpu);
		barrier_var(place); /* the verifier of 5.10 must see the test of the very register that is used */
		if (!counts || place >= SYSCOUNT_PLACES)
			return;
		count = &counts->counts[place];
	}
	count->calls++;
	if (error)
		count->errors++;
	if (latency)
		count->total_ns += ns;
}

/* Since this call was entered; 0 if that was not seen: before the tool, or because seccomp refused it. */
static __always_inline __u64 time_since_entry(__u64 number)
{
	struct syscount_start start;
	__u64 ns;

	if (!start_take(&start) || start.number != number)
		return 0;
	ns = bpf_ktime_get_ns() - start.time_ns;
	return ns ? ns : 1;
}

/* Whether to count a call here that failed with `error`, or with 0 did not fail. */
static __always_inline bool wanted(__u32 place, __u32 error)
{
	if (one_call && place != only_native && place != only_compat)
		return false;
	if (failed_only && !error)
		return false;
	if (only_error && error != only_error)
		return false;
	return filter_allows_current();
}

static __always_inline int returned(__u64 number, bool compat, long ret, __u64 ns)
{
	__u32 error = (unsigned long)ret >= (unsigned long)-MAX_ERRNO ? -ret : 0;
	__u32 place, special;
	bool execs = false;

	if (number < SYSCALLS) {
		place = compat ? SYSCOUNT_COMPAT + number : number;
		if (ret == 0) {
			special = compat ? syscall_compat[number] : syscall_native[number];
			if (special == SYSCOUNT_FORKS)
				return 0;
			execs = special == SYSCOUNT_EXECS;
		}
	} else if ((__s32)number == -1 && error != ENOSYS) {
		/* The end of a signal handler: number and result are those that the interrupted code had in its registers. */
		place = compat ? sigreturn_compat : sigreturn_native;
		error = 0;
	} else {
		place = SYSCOUNT_OTHER;
	}
	if (!wanted(place, error))
		return 0;
	count(place, error, execs, ns);
	return 0;
}

/* Not a return to the caller: the kernel begins the call again, or lets it return EINTR when the signal has been handled. */
static __always_inline int interrupts(__u64 number)
{
	struct syscount_start start = {};
	__u32 tid = bpf_get_current_pid_tgid();

	if (!filter_allows_current())
		return 0;
	if (latency && (!start_take(&start) || start.number != number))
		start.time_ns = 0;
	start.number = number;
	start.again = true;
	bpf_map_update_elem(&interrupted, &tid, &start, BPF_ANY);
	if (latency && start.time_ns)
		start_keep(&start);
	return 0;
}

/* Gives the call of this thread that a signal has interrupted. */
static __always_inline bool take_interrupted(struct syscount_start *taken)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct syscount_start *start = bpf_map_lookup_elem(&interrupted, &tid);

	if (!start)
		return false;
	*taken = *start;
	bpf_map_delete_elem(&interrupted, &tid);
	return true;
}

static __always_inline __u64 time_of(struct syscount_start *start)
{
	return latency && start->time_ns ? bpf_ktime_get_ns() - start->time_ns : 0;
}

/* The end of a signal handler. Of an interrupted call this is the return, or the kernel goes on with it now. */
static __always_inline int returns_from_handler(bool compat, long ret)
{
	struct syscount_start start;

	if (take_interrupted(&start)) {
		if (ret == -EINTR)
			returned(start.number, compat, ret, time_of(&start));
		else if (latency && start.time_ns)
			start_keep(&start);
	}
	return returned(-1, compat, ret, 0);
}

/* Whatever becomes of a call, its start is no other's. Without times there is nothing to be carried along. */
static __always_inline int returns(__u64 number, long ret)
{
	bool compat = syscall_is_compat();
	struct syscount_start start;

	if (number < SYSCALLS && syscall_is_interrupted(ret))
		return interrupts(number);
	if ((__s32)number == -1)
		return returns_from_handler(compat, ret);
	if (number == (compat ? restart_compat : restart_native) && take_interrupted(&start))
		return returned(start.number, compat, ret, time_of(&start));
	return returned(number, compat, ret, latency ? time_since_entry(number) : 0);
}

static __always_inline int enters(__u64 number)
{
	struct syscount_start *start;

	if (!filter_allows_current())
		return 0;
	start = start_current();
	if (!start) {
		count_lost(LOST_MAP);
		return 0;
	}
	if (start->again && start->time_ns &&
	    (start->number == number || number == (syscall_is_compat() ? restart_compat : restart_native))) {
		start->again = false;
		return 0;
	}
	start->again = false;
	start->number = number;
	start->time_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(syscount_exit, struct pt_regs *registers, long ret)
{
	return returns(syscall_number(registers), ret);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(syscount_enter, struct pt_regs *registers, long number)
{
	return enters(number);
}

/*
 * The same for kernels that may preempt the programs above: while one waits for its CPU again, all calls of others there
 * are skipped, thousands at a time. These run with preemption turned off, and cost a third more.
 */
SEC("tracepoint/raw_syscalls/sys_exit")
int syscount_exit_classic(struct trace_event_raw_sys_exit *ctx)
{
	return returns(ctx->id, ctx->ret);
}

SEC("tracepoint/raw_syscalls/sys_enter")
int syscount_enter_classic(struct trace_event_raw_sys_enter *ctx)
{
	return enters(ctx->id);
}

/* The last call of a thread does not return. */
static __always_inline int ends(struct task_struct *task)
{
	__u32 tgid = typed_tgid(task);
	struct syscount_process *process;
	bool compat = syscall_is_compat();
	__u64 number;

	if (latency)
		start_forget(task);
	if (task->flags & PF_KTHREAD)
		return 0;
	number = syscall_saved_number(syscall_registers());
	if (number < SYSCALLS && (compat ? syscall_compat[number] : syscall_native[number]) == SYSCOUNT_EXITS) {
		__u32 place = compat ? SYSCOUNT_COMPAT + number : number;

		if (wanted(place, 0))
			count(place, 0, false, 0);
	}
	if (!by_process)
		return 0;
	process = bpf_map_lookup_elem(&processes, &tgid);
	if (!process)
		return 0;
	name_process(process);
	process->ended = !task->signal->live.counter;
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(syscount_end, struct task_struct *task)
{
	return ends(task);
}

SEC("tracepoint/sched/sched_process_exit")
int syscount_end_classic(void *ctx)
{
	return ends(bpf_get_current_task_btf());
}

FILTER_COMMAND(syscount)
