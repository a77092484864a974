// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * How large requests to disks are when their driver gets them, with all that was merged into them: by the name of who made
 * them, who may be another than the task that is current then.
 */
#include "base/core.bpf.h"
#include "event/histogram.bpf.h"
#include "block/issuer.bpf.h"
#include "block/request.bpf.h"

struct bitesize_key {
	__u32 pid; /* 0 where it is not asked for */
	__u8 comm[COMM_LEN];
};
HISTOGRAMS(bitesize_key, 10240);

const volatile bool by_pid;

__u64 unknown; /* requests that nobody is known to have made */

/* Once for each request: it may be given back, and issued again. */
static __always_inline void count(struct request *request)
{
	struct issuer *issuer = issuer_of(request);
	struct histogram_of_key *by_key;
	struct bitesize_key key = {};

	if (!issuer) {
		if (!issuer_find(request))
			__sync_fetch_and_add(&unknown, 1);
		return;
	}
	if (issuer->allowed) {
		key.pid = by_pid ? issuer->pid : 0;
		__builtin_memcpy(key.comm, issuer->comm, COMM_LEN);
		by_key = histogram_of(&key);
		if (by_key)
			histogram_add(&by_key->histogram, request->__data_len);
	}
	issuer_forget(issuer);
}

SEC("tp_btf/block_rq_issue")
int bitesize_issue(__u64 *ctx)
{
	struct request *request = request_of(ctx);

	if (request->__data_len && request_moves_data(request) && request_wanted(request))
		count(request);
	return 0;
}

REQUEST_ISSUERS(bitesize)
