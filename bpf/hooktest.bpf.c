// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Programs at hooks that a tool attaches by hand, or that lie in modules: for common/testing/tests/hooks.rs. */
#include "base/core.bpf.h"

/* Counts of what happened in the process `tgid`, or on each CPU. */
const volatile __u32 tgid;
__u64 calls;
__u64 returns;
__u64 samples[64];
__u64 offset; /* of the loop device that the process has asked about */

static __always_inline bool is_wanted(void)
{
	return bpf_get_current_pid_tgid() >> 32 == tgid;
}

SEC("uprobe")
int hooktest_call(struct pt_regs *ctx)
{
	if (is_wanted())
		__sync_fetch_and_add(&calls, 1);
	return 0;
}

SEC("uretprobe")
int hooktest_return(struct pt_regs *ctx)
{
	if (is_wanted())
		__sync_fetch_and_add(&returns, PT_REGS_RC(ctx));
	return 0;
}

SEC("perf_event")
int hooktest_sample(struct bpf_perf_event_data *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id();

	if (cpu < 64)
		__sync_fetch_and_add(&samples[cpu], 1);
	return 0;
}

/* A struct that the module loop defines, and in it what losetup(8) was told. */
struct loop_device___module {
	loff_t lo_offset;
} __attribute__((preserve_access_index));

static __always_inline void note(struct block_device *device)
{
	struct loop_device___module *loop = BPF_CORE_READ(device, bd_disk, private_data);

	if (is_wanted())
		offset = BPF_CORE_READ(loop, lo_offset);
}

SEC("fentry/lo_ioctl")
int BPF_PROG(hooktest_ioctl, struct block_device *device)
{
	note(device);
	return 0;
}

SEC("kprobe/lo_ioctl")
int BPF_KPROBE(hooktest_ioctlk, struct block_device *device)
{
	note(device);
	return 0;
}
