// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Whether requests to a disk begin where the one before has ended, as they complete: reads and writes each for themselves. */
#include "base/core.bpf.h"
#include "base/map.bpf.h"
#include "block/issuer.bpf.h"
#include "block/request.bpf.h"

struct biopattern_key {
	__u8 disk[DISK_NAME_BYTES];
};
EXPORT(biopattern_key);

struct biopattern_count {
	__u64 random;
	__u64 sequential;
	__u64 bytes;
};
EXPORT(biopattern_count);

struct biopattern_sum {
	struct biopattern_count counts[2]; /* reads, writes */
	__u64 behind[2];		   /* the sector behind the last one; 0: there was none yet */
};
EXPORT(biopattern_sum);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct biopattern_key);
	__type(value, struct biopattern_sum);
} sums SEC(".maps");

/* Where requests began that complete in parts, which few do. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct request *);
	__type(value, __u64);
} begun SEC(".maps");

bool any_begun;
const volatile bool filtered; /* by who made it */

static const struct biopattern_sum no_sum;

/* Of a part that is not the last one. */
static __always_inline void note_begin(struct request *request)
{
	__u64 first = request->__sector;

	any_begun = true;
	/* There already: an earlier part has noted it. */
	bpf_map_update_elem(&begun, &request, &first, BPF_NOEXIST);
}

/* Of the last part, which may be all: asked once. */
static __always_inline __u64 take_begin(struct request *request)
{
	__u64 first = request->__sector, *noted;

	if (!any_begun)
		return first;
	noted = bpf_map_lookup_elem(&begun, &request);
	if (noted) {
		first = *noted;
		bpf_map_delete_elem(&begun, &request);
	}
	return first;
}

/* Puts in a new value, and gives the old one. */
static __always_inline __u64 put(__u64 *place, __u64 value, bool exchange)
{
	__u64 old;

	if (exchange)
		return __sync_lock_test_and_set(place, value);
	old = *(volatile __u64 *)place;
	*(volatile __u64 *)place = value;
	return old;
}

/* The bytes tell when the data is done: a request that needs the disk's cache flushed ends once more later, with none. */
static __always_inline int done(struct request *request, __u32 bytes, bool exchange)
{
	bool ends = bytes >= request->__data_len;
	__u64 write = request_is_write(request);
	struct biopattern_key key = {};
	struct biopattern_count *count;
	struct biopattern_sum *sum;
	__u64 first, before;

	if (!bytes || !request_moves_data(request) || !request_wanted(request))
		return 0;
	if (filtered && !issuer_allows(request, ends))
		return 0;
	disk_name(key.disk, request_gendisk(request));
	sum = map_get(&sums, &key, &no_sum);
	if (!sum)
		return 0;
	count = &sum->counts[write];
	__sync_fetch_and_add(&count->bytes, bytes);
	if (!ends) {
		note_begin(request);
		return 0;
	}
	first = take_begin(request);
	before = put(&sum->behind[write], request->__sector + (bytes >> 9), exchange);
	if (before && before == first)
		__sync_fetch_and_add(&count->sequential, 1);
	else
		__sync_fetch_and_add(&count->random, 1);
	return 0;
}

SEC("tp_btf/block_rq_complete")
int BPF_PROG(biopattern_done, struct request *request, int error, unsigned int bytes)
{
	return done(request, bytes, true);
}

/* Two that complete within nanoseconds of each other, on two CPUs, may both see the one before. */
SEC("tp_btf/block_rq_complete")
int BPF_PROG(biopattern_done_noexchange, struct request *request, int error, unsigned int bytes)
{
	return done(request, bytes, false);
}

REQUEST_ISSUERS(biopattern)
