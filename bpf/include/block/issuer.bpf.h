/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who a request is for. The task that is current when it completes, or when its driver gets it, is an accident: it is known
 * where the request is made, and carried along from there.
 *
 *	REQUEST_ISSUERS(biosnoop)
 *	...
 *	struct issuer *issuer = issuer_of(request);
 *
 * Since 6.5 the tracepoint block_io_start tells the request in the task that makes it, up to 5.15 the function
 * blk_account_io_start() does. Between (and where functions cannot be traced) block_getrq tells the bio that a request is then made
 * of, which is found again in the request: first or, if others were put before it, soon behind.
 *
 * A tool that also wants to know where in the code defines ISSUER_STACKS before: then the stacks are carried along.
 */
#ifndef CORESCOPE_ISSUER_H
#define CORESCOPE_ISSUER_H

#include "block/bio.bpf.h"
#include "block/request.bpf.h"
#ifdef ISSUER_STACKS
#include "event/stack.bpf.h"
#endif
#include "task/filter.bpf.h"
#include "task/task.bpf.h"

struct issuer {
	__u64 made_ns;   /* CLOCK_MONOTONIC; 0: nothing is known */
	__u64 cgroup;    /* its id: of whom the I/O is charged to, which for written back pages is who made them dirty */
	__u32 pid;
	__u32 tid;
	__u32 bytes;     /* of the request, when it was made */
	__u32 allowed;   /* by the filter */
	__u64 done;      /* bytes of it that have completed, where it completes in parts */
	__u64 sector;    /* and where it began */
	__u32 bios;      /* and of how many bios it was then */
	__u32 reserved;
	__u8 comm[COMM_LEN];
#ifdef ISSUER_STACKS
	__u64 kernel_stack; /* as stack_id() gives them; of those that the filter allows */
	__u64 user_stack;
#endif
};

/* By request, whose memory is used again: entries are never deleted, and least recently used ones go. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct request *);
	__type(value, struct issuer);
} issuers SEC(".maps");

/* By bio, until the request is issued. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct bio *);
	__type(value, struct issuer);
} issuers_of_bios SEC(".maps");

const volatile bool issuers_by_bio;
const volatile bool issuer_cgroups; /* whether anybody asks for them */
#define ISSUER_BIOS 16 /* among the bios of a request the one that it was made of */

#ifdef ISSUER_STACKS
const volatile bool issuer_kernel_stacks = true;
const volatile bool issuer_user_stacks = true;

/* One request after another is often made in the same place. */
static __always_inline void issuer_take_stacks(void *ctx, struct issuer *issuer)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	if (!issuer->allowed)
		return;
	if (issuer_kernel_stacks)
		issuer->kernel_stack = stack_id(ctx, 0, issuer->kernel_stack);
	if (!issuer_user_stacks)
		return;
	if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
		issuer->user_stack = STACK_NONE;
	else
		issuer->user_stack = stack_id(ctx, BPF_F_USER_STACK, issuer->user_stack);
}
#else
static __always_inline void issuer_take_stacks(void *ctx, struct issuer *issuer)
{
}
#endif

/* The time is taken last, because to take a stack needs some. */
static __always_inline void issuer_fill(void *ctx, struct issuer *issuer, struct bio *bio)
{
	struct cgroup *cgroup;

	issuer->done = 0;
	issuer->allowed = bio_is_allowed(bio);
	fill_current(&issuer->pid, &issuer->tid, NULL, issuer->comm);
	if (issuer_cgroups) {
		cgroup = bio_cgroup(bio);
		if (!cgroup)
			cgroup = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), cgroups, dfl_cgrp);
		issuer->cgroup = BPF_CORE_READ(cgroup, kn, id);
	}
	issuer_take_stacks(ctx, issuer);
	issuer->made_ns = bpf_ktime_get_ns();
}

/* The verifier forgets what a pointer is of which a helper was given the place: keys are copies. */
static __always_inline struct issuer *issuer_find(struct request *request)
{
	__u64 key = (__u64)request;

	return bpf_map_lookup_elem(&issuers, &key);
}

static __always_inline void issuer_put(struct request *request, const struct issuer *issuer)
{
	__u64 key = (__u64)request;

	bpf_map_update_elem(&issuers, &key, issuer, BPF_ANY);
}

/* Filled in one place for all: a stack includes the place that it is taken at. */
static __always_inline void issuer_note(void *ctx, struct request *request)
{
	struct issuer *issuer = issuer_find(request), new = {};

	if (!issuer) {
		issuer_put(request, &new);
		issuer = issuer_find(request);
		if (!issuer)
			return;
	}
	issuer_fill(ctx, issuer, request->bio);
	issuer->bytes = request->__data_len;
}

static __always_inline void issuer_note_bio(void *ctx, struct bio *bio)
{
	struct issuer new = {};
	__u64 key = (__u64)bio;

	issuer_fill(ctx, &new, bio);
	bpf_map_update_elem(&issuers_of_bios, &key, &new, BPF_ANY);
}

/* Takes over what is known of a request's bios. */
static __always_inline void issuer_adopt(struct request *request)
{
	struct bio *bio = request->bio;
	struct issuer *issuer, found;
	__u64 key;

	for (int i = 0; i < ISSUER_BIOS && bio; i++) {
		key = (__u64)bio;
		issuer = bpf_map_lookup_elem(&issuers_of_bios, &key);
		if (issuer) {
			found = *issuer;
			found.bytes = request->__data_len;
			issuer_put(request, &found);
			bpf_map_delete_elem(&issuers_of_bios, &key);
			return;
		}
		bio = BPF_CORE_READ(bio, bi_next);
	}
}

/* Of a request that ends, once; NULL for one that was made before the tool was attached. */
static __always_inline struct issuer *issuer_of(struct request *request)
{
	struct issuer *issuer = issuer_find(request);

	/* One without data is not issued itself. */
	if (issuers_by_bio && (!issuer || !issuer->made_ns)) {
		issuer_adopt(request);
		issuer = issuer_find(request);
	}
	return issuer && issuer->made_ns ? issuer : NULL;
}

/* Bytes of a request have completed, and others are to come; or the step of a flush that writes its data has. */
static __always_inline __unused void issuer_part(struct issuer *issuer, struct request *request, __u32 bytes)
{
	if (!issuer->done) {
		issuer->sector = request->__sector;
		issuer->bios = request_bios(request);
	}
	issuer->done += bytes;
}

static __always_inline void issuer_forget(struct issuer *issuer)
{
	issuer->made_ns = 0;
}

/* Whether the filter allows a request, by who made it: for programs that ask nothing else of that. */
static __always_inline __unused bool issuer_allows(struct request *request, bool ends)
{
	struct issuer *issuer = issuer_of(request);
	bool allowed = issuer && issuer->allowed;

	if (issuer && ends)
		issuer_forget(issuer);
	return allowed;
}

#define REQUEST_ISSUERS(tool)                                                                                          \
	SEC("tp_btf/block_io_start")                                                                                   \
	int BPF_PROG(tool##_start, struct request *request)                                                            \
	{                                                                                                              \
		if (request_wanted(request))                                                                           \
			issuer_note(ctx, request);                                                                     \
		return 0;                                                                                              \
	}                                                                                                              \
	SEC("fentry/blk_account_io_start")                                                                             \
	int BPF_PROG(tool##_start_entry, struct request *request)                                                      \
	{                                                                                                              \
		if (request_wanted(request))                                                                           \
			issuer_note(ctx, request);                                                                     \
		return 0;                                                                                              \
	}                                                                                                              \
	SEC("tp_btf/block_getrq")                                                                                      \
	int tool##_bio(__u64 *ctx)                                                                                     \
	{                                                                                                              \
		issuer_note_bio(ctx, argument_of(ctx, bios_behind_queue));                                             \
		return 0;                                                                                              \
	}                                                                                                              \
	SEC("tp_btf/block_rq_issue")                                                                                   \
	int tool##_adopt(__u64 *ctx)                                                                                   \
	{                                                                                                              \
		struct request *request = request_of(ctx);                                                             \
                                                                                                                       \
		if (request_wanted(request))                                                                           \
			issuer_adopt(request);                                                                         \
		return 0;                                                                                              \
	}

#endif
