/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Requests of the block layer, at its tracepoints. Set up by Setup::trace_requests(), common/core/src/object/requests.rs.
 *
 *	SEC("tp_btf/block_rq_complete")
 *	int BPF_PROG(biosnoop_done, struct request *request, int error, unsigned int bytes)
 *	{
 *		if (!request_ends(request, bytes) || !request_wanted(request))
 *			return 0;
 */
#ifndef CORESCOPE_REQUEST_H
#define CORESCOPE_REQUEST_H

#include "base/core.bpf.h"

#define DISK_NAME_BYTES 32 /* DISK_NAME_LEN */
#define REQUEST_OPERATION 0xff /* REQ_OP_MASK */
#define REQUEST_PASSTHROUGH 32 /* the first of the operations that are commands for a driver */
/* FAILFAST_DEV to NOWAIT: the bits that mean the same on all kernels. */
#define REQUEST_FLAGS 0x3fff00

/* Whether tracepoints tell the queue before the request or the bio: up to 5.10, of which stable releases changed some. */
const volatile bool requests_behind_queue, bios_behind_queue;
const volatile __u32 request_in_flush; /* RQF_FLUSH_SEQ */
const volatile __u32 request_disk;     /* -d: its device number as the kernel keeps it; 0 for all disks */
const volatile __u64 request_first, request_behind; /* sectors of the partition, if it is one */

/* The first argument of a tracepoint, or the one behind the queue: one that is not there must not be read, as BPF_PROG() does. */
static __always_inline void *argument_of(__u64 *ctx, bool behind_queue)
{
	void *argument;

	/* Two loads that clang must not make one of: the verifier wants each at a known place. */
	if (behind_queue) {
		argument = (void *)ctx[1];
		asm volatile("" ::: "memory");
	} else {
		argument = (void *)ctx[0];
	}
	return argument;
}

/* The request at a tracepoint that is not block_rq_complete. */
static __always_inline struct request *request_of(__u64 *ctx)
{
	return argument_of(ctx, requests_behind_queue);
}

/* Up to 5.16 a request had its disk, since 5.17 its queue has (f3fa33acca9f). */
struct request___disk {
	struct gendisk *rq_disk;
} __attribute__((preserve_access_index));

static __always_inline struct gendisk *request_gendisk(struct request *request)
{
	struct request___disk *old = (void *)request;

	return bpf_core_field_exists(old->rq_disk) ? old->rq_disk : request->q->disk;
}

static __always_inline __u32 disk_number(struct gendisk *disk)
{
	return disk->major << 20 | disk->first_minor;
}

/* As words, `to` too: the kernel writes a name once, into memory that was empty. */
static __always_inline void disk_name(__u8 *to, struct gendisk *disk)
{
	const __u64 *from = (const __u64 *)disk->disk_name;
	__u64 *words = (__u64 *)to;

	words[0] = from[0];
	words[1] = from[1];
	words[2] = from[2];
	words[3] = from[3];
}

/* Whether -d asks for it. */
static __always_inline bool request_wanted(struct request *request)
{
	if (!request_disk)
		return true;
	if (disk_number(request_gendisk(request)) != request_disk)
		return false;
	return !request_behind || (request->__sector >= request_first && request->__sector < request_behind);
}

static __always_inline bool request_is_passthrough(struct request *request)
{
	return (request->cmd_flags & REQUEST_OPERATION) >= REQUEST_PASSTHROUGH;
}

/* Whether it reads or writes data: no discard, no erasure, no command for a driver. Those that only flush have no bytes. */
static __always_inline bool request_moves_data(struct request *request)
{
	__u32 operation = request->cmd_flags & REQUEST_OPERATION;

	return operation < REQUEST_PASSTHROUGH && operation != REQ_OP_DISCARD && operation != REQ_OP_SECURE_ERASE;
}

static __always_inline bool request_is_write(struct request *request)
{
	return request->cmd_flags & 1; /* op_is_write() */
}

enum req_opf___same {
	REQ_OP_WRITE_SAME___same = 7,
};

/* What is asked for, without flags that mean something else on another kernel. */
static __always_inline __u32 request_flags(struct request *request)
{
	__u32 flags = request->cmd_flags & (REQUEST_OPERATION | REQUEST_FLAGS);

	if (bpf_core_enum_value_exists(enum req_opf___same, REQ_OP_WRITE_SAME___same) &&
	    (flags & REQUEST_OPERATION) == REQ_OP_WRITE_SAME___same)
		flags--; /* to a number that no operation has */
	return flags;
}

/* As the kernel counts requests in /sys/block/DISK/stat, but for FLUSH, which it counts among writes. */
enum request_kind {
	REQUEST_READ,
	REQUEST_WRITE,
	REQUEST_DISCARD,
	REQUEST_FLUSH, /* asks for nothing but that the disk's cache is written */
	REQUEST_KINDS,
};

/* One that was also to flush the cache ends without its data: whether it had some is for the caller to know. */
static __always_inline __unused __u32 request_kind(struct request *request, bool had_data)
{
	__u32 operation = request->cmd_flags & REQUEST_OPERATION;

	if (operation == REQ_OP_FLUSH || (operation == REQ_OP_WRITE && !had_data))
		return REQUEST_FLUSH;
	if (operation == REQ_OP_DISCARD)
		return REQUEST_DISCARD;
	return request_is_write(request) ? REQUEST_WRITE : REQUEST_READ;
}

const volatile bool request_counts_bios;
#define REQUEST_BIOS 1024 /* of 4 KiB each in the largest request that the kernel makes unless it is told otherwise */

/*
 * How many bios a request is made of, what of them has completed left out: more than one where the kernel has merged some.
 * Not by typed pointers, which take the verifier a millisecond each.
 */
static __always_inline __unused __u32 request_bios(struct request *request)
{
	struct bio *bio = request->bio;
	__u32 bios = 0;

	if (!request_counts_bios)
		return 0;
	for (; bios < REQUEST_BIOS && bio; bios++)
		bio = BPF_CORE_READ(bio, bi_next);
	return bios;
}

/*
 * Whether a request ends with these bytes: one may complete in parts. One that needs the disk's cache flushed passes through
 * steps, each of which completes; it is counted, as the kernel does, when all of them are done.
 */
static __always_inline bool request_ends(struct request *request, __u32 bytes)
{
	return bytes >= request->__data_len && !(request->rq_flags & request_in_flush);
}

#endif
