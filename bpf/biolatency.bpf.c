// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * How long requests to disks take, where they complete: from the times that they keep themselves, see block/times.bpf.h.
 * Who made them is looked for only where it is asked for.
 */
#include "base/core.bpf.h"
#include "event/histogram.bpf.h"
#include "block/issuer.bpf.h"
#include "block/times.bpf.h"

/* What is not asked for is 0. */
struct biolatency_key {
	__u64 cgroup;
	__u32 flags;
	__u32 pid;
	__u8 disk[DISK_NAME_BYTES];
};
HISTOGRAMS(biolatency_key, 10240);

const volatile bool queued; /* from when it was made, not from when the driver got it */
const volatile bool by_disk, by_flags, by_pid, by_cgroup;
const volatile bool filtered; /* by who made it */
const volatile bool all_in_one; /* one histogram, of requests that anybody made */

__u64 passthrough; /* commands for drivers, which are neither reads nor writes */
__u64 untimed;     /* requests that completed and tell nothing of their begin */

static __always_inline void fill_key(struct biolatency_key *key, struct request *request, struct issuer *issuer)
{
	if (by_disk)
		disk_name(key->disk, request_gendisk(request));
	/* One more, because a read without flags is 0. */
	if (by_flags)
		key->flags = request_flags(request) + 1;
	if (issuer) {
		key->pid = by_pid ? issuer->pid : 0;
		key->cgroup = by_cgroup ? issuer->cgroup : 0;
	}
}

/* From when on a request is timed; 0 where nothing tells. */
static __always_inline __u64 begin_of(struct request *request, __u64 issued)
{
	__u64 made = request->start_time_ns;

	if (queued)
		return made ? made : issued;
	return issued ? issued : made;
}

static __always_inline struct histogram *histogram_for(struct request *request, struct issuer *issuer)
{
	struct biolatency_key key = {};
	struct histogram_of_key *by_key;

	fill_key(&key, request, issuer);
	by_key = histogram_of(&key);
	if (!by_key)
		return NULL;
	if (by_pid && issuer)
		__builtin_memcpy(by_key->comm, issuer->comm, COMM_LEN);
	return &by_key->histogram;
}

static __always_inline void record(struct request *request, struct issuer *issuer, __u64 begin, const bool plain)
{
	__u64 now;
	struct histogram *histogram;
	struct histogram_cpu *cpu;

	if (!begin) {
		__sync_fetch_and_add(&untimed, 1);
		return;
	}
	now = bpf_ktime_get_ns();
	if (!plain && histogram_by_key) {
		histogram = histogram_for(request, issuer);
	} else {
		cpu = histogram_cpu(bpf_get_smp_processor_id());
		histogram = cpu ? &cpu->histogram : NULL;
	}
	if (histogram)
		histogram_add(histogram, now > begin ? now - begin : 0);
}

SEC("tp_btf/block_rq_complete")
int BPF_PROG(biolatency_done, struct request *request, int error, unsigned int bytes)
{
	const bool plain = all_in_one; /* each look at a constant is an instruction or two */
	struct issuer *issuer = NULL;
	__u64 begin;

	if (!request_ends(request, bytes) || !request_wanted(request))
		return 0;
	if (request_is_passthrough(request)) {
		__sync_fetch_and_add(&passthrough, 1);
		return 0;
	}
	begin = begin_of(request, request_issue_time(request));
	if (plain) {
		record(request, NULL, begin, true);
		return 0;
	}
	if (by_pid || by_cgroup || filtered)
		issuer = issuer_of(request);
	if (!filtered || (issuer && issuer->allowed))
		record(request, issuer, begin, false);
	if (issuer)
		issuer_forget(issuer);
	return 0;
}

REQUEST_TIMES(biolatency)
REQUEST_ISSUERS(biolatency)
