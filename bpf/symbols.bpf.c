// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The kernel's own name for an address of its code. Attached to nothing: common/symbols runs it for each address, where
 * the kernel has such programs (5.14).
 */
#include "base/core.bpf.h"

struct symbols_question {
	__u64 address;
};

/* `name+0x12/0x40 [module]`, or the address where nobody knows. The kernel's names have up to 511 bytes. */
__u8 symbols_answer[1024];

SEC("syscall")
int symbols_look_up(struct symbols_question *question)
{
	BPF_SNPRINTF((char *)symbols_answer, sizeof(symbols_answer), "%pS", question->address);
	return 0;
}
