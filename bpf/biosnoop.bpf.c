// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Requests to disks as they complete: who made each, where, how large it was and how long it took. */
#include "base/core.bpf.h"
#include "event/events.bpf.h"
#include "block/issuer.bpf.h"
#include "block/times.bpf.h"

/* Where a request begins, seen from the one before it on its disk in the same direction. */
enum biosnoop_pattern {
	BIOSNOOP_FIRST,
	BIOSNOOP_RANDOM,
	BIOSNOOP_SEQUENTIAL,
};

struct biosnoop_event {
	__u64 time_ns;    /* CLOCK_BOOTTIME, when it completed */
	__u64 latency_ns; /* since its driver got it; ~0: not known */
	__u64 queued_ns;  /* from when it was made to then; ~0: not known */
	__u64 sector;
	__u64 bytes;
	__u64 cgroup;
	__u32 flags;
	__u32 pid;        /* 0: not known */
	__u32 tid;
	__s32 error;      /* an errno, negative; or blk_status_t */
	__u32 pattern;
	__u32 bios;       /* that it is made of */
	__u8 comm[COMM_LEN];
	__u8 disk[DISK_NAME_BYTES];
};
EVENTS_IN_PLACE(biosnoop_event);
EXPORT_ENUM(biosnoop_pattern);

const volatile bool filtered, failed_only, with_pattern;
const volatile __u64 min_latency_ns;

__u64 passthrough; /* commands for drivers, which are neither reads nor writes */

/* Behind which sector the last request of a disk ended, reads (0) and all others (1) apart. */
struct biosnoop_place {
	__u32 disk;
	__u32 writes;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct biosnoop_place);
	__type(value, __u64);
} ends SEC(".maps");

static __always_inline __u32 pattern_of(struct request *request, __u64 sector, __u64 bytes)
{
	struct biosnoop_place place = {
		.disk = disk_number(request_gendisk(request)),
		.writes = request->cmd_flags & 1,
	};
	__u64 *last = bpf_map_lookup_elem(&ends, &place), end = sector + bytes / 512;
	__u32 pattern = !last ? BIOSNOOP_FIRST : *last == sector ? BIOSNOOP_SEQUENTIAL : BIOSNOOP_RANDOM;

	bpf_map_update_elem(&ends, &place, &end, BPF_ANY);
	return pattern;
}

static __always_inline void fill_issuer(struct biosnoop_event *event, struct issuer *issuer)
{
	event->pid = 0;
	event->tid = 0;
	event->cgroup = 0;
	__builtin_memset(event->comm, 0, COMM_LEN);
	if (!issuer)
		return;
	event->pid = issuer->pid;
	event->tid = issuer->tid;
	event->cgroup = issuer->cgroup;
	__builtin_memcpy(event->comm, issuer->comm, COMM_LEN);
}

static __always_inline void send(struct request *request, struct issuer *issuer, int error, __u32 bytes)
{
	__u64 now = bpf_ktime_get_ns(), issued = request_issue_time(request), made = request->start_time_ns;
	struct biosnoop_event *event;
	struct event_place place;
	__u64 latency, sector, all;
	__u32 pattern = 0;

	/* One without data has no time of issue: it is part of another one, a flush. */
	latency = issued ? now - issued : made ? now - made : ~0ULL;
	sector = request->__sector;
	barrier_var(sector); /* or clang makes one load of two, which the verifier refuses */
	all = bytes;
	if (issuer && issuer->done) {
		sector = issuer->sector;
		all += issuer->done;
	}
	if (with_pattern)
		pattern = pattern_of(request, sector, all);
	if (filtered && (!issuer || !issuer->allowed))
		return;
	if ((failed_only && !error) || latency < min_latency_ns)
		return;
	event = event_begin(&place);
	if (!event)
		return;
	event->time_ns = event_time();
	event->latency_ns = latency;
	event->queued_ns = made && issued ? issued - made : ~0ULL;
	event->sector = sector;
	event->bytes = all;
	event->flags = request_flags(request);
	event->error = error;
	event->pattern = pattern;
	event->bios = issuer && issuer->done ? issuer->bios : request_bios(request);
	fill_issuer(event, issuer);
	disk_name(event->disk, request_gendisk(request));
	event_send(&place, event, sizeof(*event));
}

SEC("tp_btf/block_rq_complete")
int BPF_PROG(biosnoop_done, struct request *request, int error, unsigned int bytes)
{
	struct issuer *issuer;

	if (!request_wanted(request))
		return 0;
	if (request_is_passthrough(request)) {
		__sync_fetch_and_add(&passthrough, 1);
		return 0;
	}
	issuer = issuer_of(request);
	if (!request_ends(request, bytes)) {
		if (issuer)
			issuer_part(issuer, request, bytes);
		return 0;
	}
	send(request, issuer, error, bytes);
	if (issuer)
		issuer_forget(issuer);
	return 0;
}

REQUEST_TIMES(biosnoop)
REQUEST_ISSUERS(biosnoop)
