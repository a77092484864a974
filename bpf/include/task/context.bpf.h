/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whether the current task is the cause of what happens, or an interrupt came while it ran. */
#ifndef CORESCOPE_CONTEXT_H
#define CORESCOPE_CONTEXT_H

#include "call/syscall.bpf.h"

#define PF_EXITING 0x4

/*
 * Whether the current task itself is at work in the kernel: it made a system call, or it ends. `context` is the ctx of
 * a program at a tp_btf or raw_tp hook: the kernel keeps the arguments of those on the stack that it runs on.
 *
 * The preemption counter would say that much. But on x86-64 it has had three places, not all kernels' types have it
 * (5.10), and not all kernels give its address (CONFIG_KALLSYMS_ALL). So: an interrupt of kernel code, and
 * each softirq, is served on a stack of its own; one of user code on the task's stack, but there the saved registers
 * have no number of a system call. Those of a page fault have none either.
 */
static __always_inline bool task_at_work(void *context)
{
	struct task_struct *task = (void *)bpf_get_current_task();

#if defined(__TARGET_ARCH_x86)
	__u64 stack = (__u64)BPF_CORE_READ(task, stack), here = 0;
	/* The verifier takes no pointer for a number, but what is read from memory is one. */
	void *volatile pointer = context;

	bpf_probe_read_kernel(&here, sizeof(here), (void *)&pointer);
	if (here - stack >= THREAD_SIZE)
		return false;
	return (long)BPF_CORE_READ(syscall_registers(), orig_ax) != -1 || BPF_CORE_READ(task, flags) & PF_EXITING;
#elif defined(__TARGET_ARCH_arm64)
	/* NMI_MASK, HARDIRQ_MASK and SOFTIRQ_OFFSET of include/linux/preempt.h: a softirq that is served, not just off. */
	return !(BPF_CORE_READ(task, thread_info.preempt.count) & 0x00ff0100);
#endif
}

#endif
