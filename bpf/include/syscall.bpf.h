/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The arguments of a system call, read where it returns: a program on the way in, and a map between, are not needed. */
#ifndef CORESCOPE_SYSCALL_H
#define CORESCOPE_SYSCALL_H

#include "core.bpf.h"

/* Stacks of 16 KiB: x86-64 without KASAN, arm64 with pages of 4 KiB. Used for kernels before 5.15 only. */
#define THREAD_SIZE (16 * 1024)

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

#endif
