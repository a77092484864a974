// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What processes have disks do, summed up where requests complete. Whose a request is, and since when it is there, is known
 * from where it is made.
 */
#include "base/core.bpf.h"
#include "base/map.bpf.h"
#include "block/issuer.bpf.h"

EXPORT_ENUM(request_kind);

struct biotop_key {
	__u64 cgroup; /* 0 where nobody asks for it */
	__u32 pid;    /* 0: made before the tool was attached */
	__u32 major;
	__u32 minor;
	__u32 operation;
	__u8 comm[COMM_LEN];
};
EXPORT(biotop_key);

struct biotop_sum {
	__u64 count;
	__u64 timed; /* how many of them are in total_ns */
	__u64 bytes;
	__u64 total_ns;
	__u8 disk[DISK_NAME_BYTES];
};
EXPORT(biotop_sum);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, struct biotop_key);
	__type(value, struct biotop_sum);
} sums SEC(".maps");

const volatile bool filtered; /* by who made it */

static const struct biotop_sum nothing;

static __always_inline struct biotop_sum *sum_of(struct request *request, struct issuer *issuer, __u32 bytes)
{
	struct gendisk *disk = request_gendisk(request);
	struct biotop_key key = {};
	struct biotop_sum *sum;

	if (issuer) {
		key.cgroup = issuer->cgroup;
		key.pid = issuer->pid;
		__builtin_memcpy(key.comm, issuer->comm, COMM_LEN);
	}
	key.major = disk->major;
	key.minor = disk->first_minor;
	/* Its size is what it was when it was made. */
	key.operation = request_kind(request, issuer ? issuer->bytes : bytes);
	sum = map_get(&sums, &key, &nothing);
	if (sum && !sum->disk[0])
		disk_name(sum->disk, disk);
	return sum;
}

static __always_inline void add(struct request *request, struct issuer *issuer, __u32 bytes, bool ends)
{
	struct biotop_sum *sum = sum_of(request, issuer, bytes);
	__u64 made, now;

	if (!sum)
		return;
	__sync_fetch_and_add(&sum->bytes, bytes);
	if (!ends)
		return;
	__sync_fetch_and_add(&sum->count, 1);
	made = request->start_time_ns;
	barrier_var(made); /* no load that is of either: the verifier wants it of one type */
	if (issuer)
		made = issuer->made_ns;
	if (!made)
		return;
	now = bpf_ktime_get_ns();
	__sync_fetch_and_add(&sum->timed, 1);
	__sync_fetch_and_add(&sum->total_ns, now > made ? now - made : 0);
}

/* Bytes of each part, as the kernel counts them; the request where its last part ends. */
SEC("tp_btf/block_rq_complete")
int BPF_PROG(biotop_done, struct request *request, int error, unsigned int bytes)
{
	bool ends = request_ends(request, bytes);
	struct issuer *issuer;

	if ((!ends && !bytes) || !request_wanted(request) || request_is_passthrough(request))
		return 0;
	issuer = issuer_of(request);
	if (!filtered || (issuer && issuer->allowed))
		add(request, issuer, bytes, ends);
	if (ends && issuer)
		issuer_forget(issuer);
	return 0;
}

REQUEST_ISSUERS(biotop)
