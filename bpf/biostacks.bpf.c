// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * How long requests to disks take, by where in the code they are made: the stacks are taken there, and kept with the request until
 * it completes.
 */
#include "base/core.bpf.h"
#define ISSUER_STACKS
#include "block/issuer.bpf.h"
#include "event/histogram.bpf.h"

struct biostacks_key {
	__u64 kernel_stack;
	__u64 user_stack;
	__u32 pid;
	__u32 tid; /* 0 where nobody asks for it */
	__u8 comm[COMM_LEN];
	__u8 disk[DISK_NAME_BYTES];
};
HISTOGRAMS(biostacks_key, 1); /* set before load */

const volatile bool by_tid;

__u64 passthrough; /* commands for drivers, which are neither reads nor writes */
__u64 unknown;     /* requests that nobody is known to have made */

static __always_inline void record(struct request *request, struct issuer *issuer)
{
	__u64 time = bpf_ktime_get_ns() - issuer->made_ns;
	struct histogram_of_key *by_key;
	struct biostacks_key key = {};

	key.kernel_stack = issuer->kernel_stack;
	key.user_stack = issuer->user_stack;
	key.pid = issuer->pid;
	key.tid = by_tid ? issuer->tid : 0;
	__builtin_memcpy(key.comm, issuer->comm, COMM_LEN);
	disk_name(key.disk, request_gendisk(request));
	by_key = histogram_of(&key);
	if (!by_key)
		return;
	histogram_add(&by_key->histogram, time);
	count_lost_stack(key.kernel_stack);
	count_lost_stack(key.user_stack);
}

SEC("tp_btf/block_rq_complete")
int BPF_PROG(biostacks_done, struct request *request, int error, unsigned int bytes)
{
	struct issuer *issuer;

	if (!request_ends(request, bytes) || !request_wanted(request))
		return 0;
	if (request_is_passthrough(request)) {
		__sync_fetch_and_add(&passthrough, 1);
		return 0;
	}
	issuer = issuer_of(request);
	if (!issuer) {
		__sync_fetch_and_add(&unknown, 1);
		return 0;
	}
	if (issuer->allowed)
		record(request, issuer);
	issuer_forget(issuer);
	return 0;
}

REQUEST_ISSUERS(biostacks)
