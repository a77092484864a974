// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* System calls that send a signal to a process, as they return. */
#include "kill.bpf.h"

SEC("tp_btf/sys_exit")
int BPF_PROG(killsnoop_exit, struct pt_regs *registers, long result)
{
	return kill_exit(registers, result);
}
