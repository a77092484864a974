/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whether the current task is the cause of what happens, or an interrupt that came while it ran. */
#ifndef CORESCOPE_CONTEXT_H
#define CORESCOPE_CONTEXT_H

#include "task.bpf.h"

/*
 * Whether an interrupt is being served, hard or soft. `context` is the program's own ctx, of a program at a tp_btf or
 * raw_tp hook: the kernel keeps the arguments of those on the stack that it runs on.
 *
 * x86-64 serves interrupts on stacks of their own. Its preemption counter, which would say the same, has had three places
 * (a variable of its own, pcpu_hot from 6.2 to 6.14), and the types of a 5.10 do not have it at all.
 */
static __always_inline bool in_interrupt(void *context)
{
	struct task_struct *task = (void *)bpf_get_current_task();

#if defined(__TARGET_ARCH_x86)
	__u64 stack = (__u64)BPF_CORE_READ(task, stack), here = 0;
	/* The verifier takes no pointer for a number, but what is read from memory is one. */
	void *volatile pointer = context;

	bpf_probe_read_kernel(&here, sizeof(here), (void *)&pointer);
	return here - stack >= THREAD_SIZE;
#elif defined(__TARGET_ARCH_arm64)
	/* SOFTIRQ_OFFSET, HARDIRQ_MASK and NMI_MASK of include/linux/preempt.h. */
	return BPF_CORE_READ(task, thread_info.preempt.count) & 0x00ff0100;
#endif
}

#endif
