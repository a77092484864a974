/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A call that writes back, as user space reads it. */
#ifndef SYNCSNOOP_EVENT_H
#define SYNCSNOOP_EVENT_H

#include "base/core.bpf.h"
#include "event/events.bpf.h"
#include "task/filter.bpf.h"
#include "call/path.bpf.h"

/* Where a call's arguments are: the low bits of its action, the others are user space's number for its name. */
enum syncsnoop_kind {
	SYNCSNOOP_ALL = 1, /* none */
	SYNCSNOOP_FD,      /* descriptor */
	SYNCSNOOP_MEMORY,  /* address, length, flags */
	SYNCSNOOP_RANGE,   /* descriptor, offset, length, flags */
	SYNCSNOOP_RANGE2,  /* descriptor, flags, offset, length */
	SYNCSNOOP_KINDS = 8,
};

struct syncsnoop_event {
	__u64 time_ns;  /* CLOCK_BOOTTIME, when it returned */
	__u64 start_ns; /* when it was called; 0 if that was before it was traced */
	__u64 from;     /* address or offset */
	__u64 bytes;
	__u32 pid;
	__u32 tid;
	__s32 ret;
	__s32 fd;
	__u32 flags;
	__u16 action;
	__u8 compat; /* of a 32-bit caller */
	__u8 uring;  /* through io_uring(7) */
	__u32 names_len;
	__u32 names_end;
	__u8 comm[COMM_LEN];
	__u8 data[];
};
EXPORT_ENUM(syncsnoop_kind);
EVENTS_NOT_NESTED(syncsnoop_event, PATH_NAMES_ROOM);

const volatile __u64 min_latency_ns;

#endif
