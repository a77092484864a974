/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Requests of io_uring(7), which no tracepoint of system calls sees.
 *
 *	URING(submitted, completed)
 *
 * calls `submitted(request, action)` where the kernel has taken a request from a ring and read what it asks for: in the
 * thread that made it, or in the one that looks into the ring for its process (IORING_SETUP_SQPOLL). And
 * `completed(request, ret)` where it posts the result, in any thread of that process. Its memory is the request's name meanwhile.
 *
 * The programs are for kernels from 6.0 on, whose tracepoints tell the request in both places (common/core/src/object/uring.rs).
 */
#ifndef CORESCOPE_URING_H
#define CORESCOPE_URING_H

#include "base/core.bpf.h"

#define URING_OPCODES 256
#define URING_FDATASYNC 255 /* in place of the opcode, which is that of fsync */

/* What the tool does with each kind of request, by opcode: as syscall_native of syscall.bpf.h. */
const volatile __u8 uring_actions[URING_OPCODES];

static __always_inline __u32 uring_action(struct io_kiocb *request)
{
	__u8 opcode = BPF_CORE_READ(request, opcode);

	return uring_actions[opcode];
}

/* Where a request keeps what it asks for: a struct of its kind. */
static __always_inline void *uring_asked(struct io_kiocb *request)
{
	return __builtin_preserve_access_index(&request->cmd);
}

/* The classic ones are for kernels that would preempt the others, see SYSCALL_EXIT of syscall.bpf.h. */
#define URING(submitted, completed)                                                                                    \
	static __always_inline int uring_submitted(struct io_kiocb *request)                                           \
	{                                                                                                              \
		__u32 action = uring_action(request);                                                                  \
                                                                                                                       \
		return action ? submitted(request, action) : 0;                                                        \
	}                                                                                                              \
	static __always_inline int uring_completed(struct io_kiocb *request)                                           \
	{                                                                                                              \
		/* There is none where a request has several results. */                                               \
		if (!request || !uring_action(request))                                                                \
			return 0;                                                                                      \
		return completed(request, BPF_CORE_READ(request, cqe.res));                                            \
	}                                                                                                              \
	SEC("tp_btf/io_uring_submit_req")                                                                              \
	int BPF_PROG(uring_submit, struct io_kiocb *request)                                                           \
	{                                                                                                              \
		return uring_submitted(request);                                                                       \
	}                                                                                                              \
	/* Its name in 6.1; 6.12 has the other one. */                                                                 \
	SEC("tp_btf/io_uring_submit_sqe")                                                                              \
	int BPF_PROG(uring_submit_sqe, struct io_kiocb *request)                                                       \
	{                                                                                                              \
		return uring_submitted(request);                                                                       \
	}                                                                                                              \
	SEC("tracepoint/io_uring/io_uring_submit_req")                                                                 \
	int uring_submit_classic(struct trace_event_raw_io_uring_submit_req *ctx)                                      \
	{                                                                                                              \
		return uring_submitted(ctx->req);                                                                      \
	}                                                                                                              \
	SEC("tp_btf/io_uring_complete")                                                                                \
	int BPF_PROG(uring_complete, void *ring, struct io_kiocb *request)                                             \
	{                                                                                                              \
		return uring_completed(request);                                                                       \
	}                                                                                                              \
	SEC("tracepoint/io_uring/io_uring_complete")                                                                   \
	int uring_complete_classic(struct trace_event_raw_io_uring_complete *ctx)                                      \
	{                                                                                                              \
		return uring_completed(ctx->req);                                                                      \
	}

/* What is known of each request that has not completed. One that never does tells of itself no more: its memory is used again. */
#define URING_KEPT(size)                                                                                               \
	struct {                                                                                                       \
		__uint(type, BPF_MAP_TYPE_HASH);                                                                       \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                                                  \
		__uint(max_entries, 16384);                                                                            \
		__uint(key_size, sizeof(struct io_kiocb *));                                                           \
		__uint(value_size, size);                                                                              \
	} uring_kept SEC(".maps");                                                                                     \
	static __always_inline void uring_keep(struct io_kiocb *request, const void *value)                            \
	{                                                                                                              \
		if (bpf_map_update_elem(&uring_kept, &request, value, BPF_ANY))                                        \
			count_lost(LOST_MAP);                                                                          \
	}                                                                                                              \
	static __always_inline void *uring_find(struct io_kiocb *request)                                              \
	{                                                                                                              \
		return bpf_map_lookup_elem(&uring_kept, &request);                                                     \
	}                                                                                                              \
	static __always_inline void uring_forget(struct io_kiocb *request)                                             \
	{                                                                                                              \
		bpf_map_delete_elem(&uring_kept, &request);                                                            \
	}

#endif
