/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * System calls, seen where they return: the arguments are still in the saved registers, so a program on the way in, and
 * a map between, are not needed.
 *
 *	static __always_inline int returned(struct syscall *call, long ret)
 *	{
 *		switch (call->action) {
 *		case OPENSNOOP_OPENAT:
 *			path = (void *)syscall_argument(call, 1);
 *	...
 *	SYSCALL_EXIT(opensnoop_exit, returned)
 *
 * One program sees all system calls, those of 32-bit callers as well, which the tracepoints of single system calls do
 * not. What it is called for in vain costs the look at one byte.
 */
#ifndef CORESCOPE_SYSCALL_H
#define CORESCOPE_SYSCALL_H

#include "task/task.bpf.h"

#define SYSCALLS 512 /* more than any architecture has */

/*
 * What the tool does with each system call, by number: 0 for those that it does not look at. Set by the tool from names,
 * see common/core/src/object/syscalls.rs.
 */
const volatile __u8 syscall_native[SYSCALLS];
const volatile __u8 syscall_compat[SYSCALLS]; /* of 32-bit callers on a 64-bit kernel */

struct syscall {
	struct pt_regs *registers; /* with which the caller entered the kernel */
	__u32 action;
	bool compat;
	bool noloop; /* known when it is compiled: the program is for kernels before 5.17, see SYSCALL_EXIT_LOOP */
};

/* From 5.11 on (3ca1032ab7ab) the current task comes with its type, and its fields are read without a helper. */
static __always_inline bool syscall_is_compat(void)
{
	struct thread_info *thread;

#if defined(__TARGET_ARCH_x86)
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf))
		return bpf_get_current_task_btf()->thread_info.status & 2; /* TS_COMPAT */
	thread = &((struct task_struct *)bpf_get_current_task())->thread_info;
	return BPF_CORE_READ(thread, status) & 2;
#elif defined(__TARGET_ARCH_arm64)
	thread = &((struct task_struct *)bpf_get_current_task())->thread_info;
	return BPF_CORE_READ(thread, flags) & (1 << 22); /* TIF_32BIT */
#endif
}

static __always_inline __u64 syscall_number(struct pt_regs *registers)
{
#if defined(__TARGET_ARCH_x86)
	return registers->orig_ax;
#elif defined(__TARGET_ARCH_arm64)
	return (__u32)registers->syscallno;
#endif
}

/* Whether the tool looks at calls of this number; its registers are up to the caller. */
static __always_inline bool syscall_wanted(struct syscall *call, __u64 number)
{
	__u32 native, compat;

	/* -1 for a call that a signal or a tracer took away. */
	if (number >= SYSCALLS)
		return false;
	native = syscall_native[number];
	compat = syscall_compat[number];
	if (!native && !compat)
		return false;
	call->compat = syscall_is_compat();
	call->action = call->compat ? compat : native;
	return call->action;
}

/* Argument `index`, from 0; of a 32-bit caller's 64-bit arguments each half is one. */
static __always_inline __u64 syscall_argument(struct syscall *call, const __u32 index)
{
	struct pt_regs *registers = call->registers;

#if defined(__TARGET_ARCH_x86)
	if (call->compat) {
		switch (index) {
		case 0: return (__u32)registers->bx;
		case 1: return (__u32)registers->cx;
		case 2: return (__u32)registers->dx;
		case 3: return (__u32)registers->si;
		case 4: return (__u32)registers->di;
		default: return (__u32)registers->bp;
		}
	}
	switch (index) {
	case 0: return registers->di;
	case 1: return registers->si;
	case 2: return registers->dx;
	case 3: return registers->r10;
	case 4: return registers->r8;
	default: return registers->r9;
	}
#elif defined(__TARGET_ARCH_arm64)
	__u64 value = index ? registers->regs[index] : registers->orig_x0;

	return call->compat ? (__u32)value : value;
#endif
}

/*
 * The registers that the current task entered the kernel with. bpf_task_pt_regs() came with 5.15 (dd6e10fbd9fb); before,
 * they are found as that helper finds them, at the end of the kernel stack.
 */
static __always_inline struct pt_regs *syscall_registers(void)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());

	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, stack) + THREAD_SIZE - bpf_core_type_size(struct pt_regs);
}

/* The number of the system call in registers that are no argument of the program: those of syscall_registers(). */
static __always_inline __u64 syscall_saved_number(struct pt_regs *registers)
{
#if defined(__TARGET_ARCH_x86)
	return BPF_CORE_READ(registers, orig_ax);
#elif defined(__TARGET_ARCH_arm64)
	return (__u32)BPF_CORE_READ(registers, syscallno);
#endif
}

#define EINTR 4
/* What a call returns within the kernel when a signal has interrupted it. */
#define ERESTARTSYS 512
#define ENOIOCTLCMD 515 /* the one between them that is none of them */
#define ERESTART_RESTARTBLOCK 516

static __always_inline bool syscall_is_interrupted(long ret)
{
	/* One comparison for nearly all calls. */
	return (__u64)(ret + ERESTART_RESTARTBLOCK) <= ERESTART_RESTARTBLOCK - ERESTARTSYS && ret != -ENOIOCTLCMD;
}

/* Actions of calls that a signal has interrupted, by thread; those of 32-bit callers with a bit more. */
#define SYSCALL_COMPAT 0x100
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 512);
	__type(key, __u32);
	__type(value, __u32);
} syscall_interrupted SEC(".maps");

static __always_inline __u32 syscall_kept(struct syscall *call)
{
	return call->action | (call->compat ? SYSCALL_COMPAT : 0);
}

static __always_inline void syscall_keep_interrupted(struct syscall *call)
{
	__u32 tid = bpf_get_current_pid_tgid(), action = syscall_kept(call);

	bpf_map_update_elem(&syscall_interrupted, &tid, &action, BPF_ANY);
}

static __always_inline bool syscall_take_interrupted(struct syscall *call)
{
	__u32 tid = bpf_get_current_pid_tgid();
	__u32 *action = bpf_map_lookup_elem(&syscall_interrupted, &tid);

	if (!action)
		return false;
	call->action = *action & 0xff;
	call->compat = *action & SYSCALL_COMPAT;
	bpf_map_delete_elem(&syscall_interrupted, &tid);
	return true;
}

/* Whether a call that begins is one that a signal has interrupted: for tools that keep when it began. */
static __always_inline __unused bool syscall_begins_again(struct syscall *call)
{
	__u32 tid = bpf_get_current_pid_tgid();
	__u32 *action = bpf_map_lookup_elem(&syscall_interrupted, &tid);

	if (!action || *action != syscall_kept(call))
		return false;
	bpf_map_delete_elem(&syscall_interrupted, &tid);
	return true;
}

/*
 * Whether a call that the tool looks at returns to its caller. One that a signal has interrupted does not: the kernel begins it
 * again, which the caller never sees, or lets it return EINTR when the signal has been handled. That is at the end of
 * rt_sigreturn(2), which has no number here and brings the call's registers back. (On arm64 all but the first argument.)
 */
static __always_inline bool syscall_returns(struct syscall *call, __u64 number, long ret)
{
	if (number >= SYSCALLS)
		return ret == -EINTR && syscall_take_interrupted(call);
	if (!syscall_wanted(call, number))
		return false;
	if (!syscall_is_interrupted(ret))
		return true;
	syscall_keep_interrupted(call);
	return false;
}

/*
 * The programs of a tool where system calls return or begin: `handle` gets the call and, where it returns, its result.
 *
 * In 7.2 (but not 6.18) programs attached to tracepoints can be preempted, and while one waits for its CPU all calls of
 * others there are skipped, thousands at a time. There the second one of each is loaded (common/core/src/object/variants.rs):
 * classic tracepoints turn preemption off, and cost a third more.
 */
#define SYSCALL_EXIT_BTF(name, handle, without_loop)                                                                   \
	SEC("tp_btf/sys_exit")                                                                                         \
	int BPF_PROG(name, struct pt_regs *registers, long ret)                                                        \
	{                                                                                                              \
		struct syscall call = { .registers = registers, .noloop = without_loop };                              \
                                                                                                                       \
		return syscall_returns(&call, syscall_number(registers), ret) ? handle(&call, ret) : 0;                \
	}
#define SYSCALL_EXIT(name, handle)                                                                                     \
	SYSCALL_EXIT_BTF(name, handle, false)                                                                          \
	SEC("tracepoint/raw_syscalls/sys_exit")                                                                        \
	int name##_classic(struct trace_event_raw_sys_exit *ctx)                                                       \
	{                                                                                                              \
		struct syscall call = {};                                                                              \
                                                                                                                       \
		if (!syscall_returns(&call, ctx->id, ctx->ret))                                                        \
			return 0;                                                                                      \
		call.registers = syscall_registers();                                                                  \
		return handle(&call, ctx->ret);                                                                        \
	}
/*
 * The same where there is a third one, for kernels before 5.17: where `call->noloop` is true `handle` does without
 * bpf_loop() and what else came with that kernel. Those before 5.13 do not even take a program with a call like that
 * where it is never made.
 */
#define SYSCALL_EXIT_LOOP(name, handle)                                                                                \
	SYSCALL_EXIT(name, handle)                                                                                     \
	SYSCALL_EXIT_BTF(name##_noloop, handle, true)
#define SYSCALL_ENTER(name, handle)                                                                                    \
	SEC("tp_btf/sys_enter")                                                                                        \
	int BPF_PROG(name, struct pt_regs *registers)                                                                  \
	{                                                                                                              \
		struct syscall call = { .registers = registers };                                                      \
                                                                                                                       \
		return syscall_wanted(&call, syscall_number(registers)) ? handle(&call) : 0;                           \
	}                                                                                                              \
	SEC("tracepoint/raw_syscalls/sys_enter")                                                                       \
	int name##_classic(struct trace_event_raw_sys_enter *ctx)                                                      \
	{                                                                                                              \
		struct syscall call = {};                                                                              \
                                                                                                                       \
		if (!syscall_wanted(&call, ctx->id))                                                                   \
			return 0;                                                                                      \
		call.registers = syscall_registers();                                                                  \
		return handle(&call);                                                                                  \
	}
#endif
