// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* How long requests to disks take, where they complete, in histograms that are fine enough for percentiles. */
#include "base/core.bpf.h"
#include "base/map.bpf.h"
#include "event/log_linear.bpf.h"
#include "block/issuer.bpf.h"
#include "block/times.bpf.h"

#define DISKS 16

EXPORT_ENUM(request_kind);

/* From when on a request is timed. */
enum biolatpcts_from {
	BIOLATPCTS_ON_DEVICE,      /* its driver has got it */
	BIOLATPCTS_AFTER_RQ_ALLOC, /* it has been made */
	BIOLATPCTS_FROM_RQ_ALLOC,  /* somebody wanted to make it */
};
EXPORT_ENUM(biolatpcts_from);

struct biolatpcts_key {
	__u32 kind;
	__u32 disk; /* its device number */
};
EXPORT(biolatpcts_key);

struct biolatpcts_latencies {
	struct log_linear histogram;
	__u8 disk[DISK_NAME_BYTES];
};
EXPORT(biolatpcts_latencies);

/* Not allocated as needed: there is no memory to be had where a request completes. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct biolatpcts_key);
	__type(value, struct biolatpcts_latencies);
} latencies SEC(".maps");

const volatile __u32 from;
const volatile bool filtered;      /* by who made it */
const volatile __u32 disks[DISKS]; /* up to the first 0; none: all of them */

__u64 untimed; /* requests that tell nothing of their begin */

static const struct biolatpcts_latencies nothing;

static __always_inline bool disk_asked_for(struct request *request)
{
	__u32 number;

	if (!disks[0])
		return true;
	number = disk_number(request_gendisk(request));
	for (int i = 0; i < DISKS && disks[i]; i++) {
		if (disks[i] == number)
			return true;
	}
	return false;
}

static __always_inline __u64 begin_of(struct request *request, __u64 issued)
{
	__u64 made = request->start_time_ns;

	barrier_var(made); /* no load that is of either: the verifier wants each by itself */
	if (from == BIOLATPCTS_FROM_RQ_ALLOC && bpf_core_field_exists(request->alloc_time_ns))
		return request->alloc_time_ns;
	if (from == BIOLATPCTS_ON_DEVICE && issued)
		return issued;
	return made ? made : issued;
}

SEC("tp_btf/block_rq_complete")
int BPF_PROG(biolatpcts_done, struct request *request, int error, unsigned int bytes)
{
	struct biolatpcts_key key = {};
	struct biolatpcts_latencies *latencies_of;
	__u64 issued, begin, now;

	if (!request_ends(request, bytes) || request_is_passthrough(request) || !disk_asked_for(request))
		return 0;
	if (filtered && !issuer_allows(request, true))
		return 0;
	issued = request_issue_time(request);
	begin = begin_of(request, issued);
	if (!begin) {
		__sync_fetch_and_add(&untimed, 1);
		return 0;
	}
	now = bpf_ktime_get_ns();
	/* One without data is not issued itself: the flush that it asks for is a request of the queue's own. */
	key.kind = request_kind(request, bytes || issued);
	key.disk = disk_number(request_gendisk(request));
	latencies_of = map_get(&latencies, &key, &nothing);
	if (!latencies_of)
		return 0;
	if (!latencies_of->disk[0])
		disk_name(latencies_of->disk, request_gendisk(request));
	log_linear_add(&latencies_of->histogram, now > begin ? now - begin : 0);
	return 0;
}

REQUEST_TIMES(biolatpcts)
REQUEST_ISSUERS(biolatpcts)
