// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Programs at hooks that a tool attaches by hand or that lie in modules, and programs that interrupt each other: for
 * common/testing/tests/hooks.rs and nested.rs.
 */
#include "base/core.bpf.h"
#include "event/events.bpf.h"

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

/* An event of which each word is the same, unless another program wrote between them. */
struct hooktest_event {
	__u64 words[8];
};
EVENTS(hooktest_event, 0);

#define HOOKTEST_WHILE 1000 /* looks at the clock, between which a timer comes */

__u64 made, nested;

static __always_inline int send(const bool slowly)
{
	struct hooktest_event *event;
	struct event_place place;
	__u64 now;

	__sync_fetch_and_add(&made, 1);
	event = event_begin(&place);
	if (!event)
		return 0;
	if (!place.users)
		__sync_fetch_and_add(&nested, 1);
	now = bpf_ktime_get_ns();
	event->words[0] = now;
	for (int i = 0; slowly && i < HOOKTEST_WHILE; i++)
		bpf_ktime_get_ns();
	for (int i = 1; i < 8; i++)
		event->words[i] = now;
	event_send(&place, event, sizeof(*event));
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(hooktest_slow)
{
	return is_wanted() ? send(true) : 0;
}

SEC("perf_event")
int hooktest_timer(struct bpf_perf_event_data *ctx)
{
	return send(false);
}
