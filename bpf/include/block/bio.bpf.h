/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is asked of a disk before there is a request, in the task that asks. */
#ifndef CORESCOPE_BIO_H
#define CORESCOPE_BIO_H

#include "base/core.bpf.h"
#include "task/filter.bpf.h"

#define BIO_PREFLUSH (1 << 18) /* REQ_PREFLUSH, the same on all kernels */

/* Up to 5.11 a bio had its disk, since 5.12 the device, which may be a partition of it (309dca309fc3). */
struct bio___disk {
	struct gendisk *bi_disk;
} __attribute__((preserve_access_index));

/* Of a bio that came with its type. */
static __always_inline __unused struct gendisk *bio_gendisk(struct bio *bio)
{
	struct bio___disk *old = (void *)bio;

	return bpf_core_field_exists(old->bi_disk) ? old->bi_disk : bio->bi_bdev->bd_disk;
}

/*
 * The cgroup that a bio is charged to, which is the nearest one for which `io` is enabled, or the root: NULL where that tells
 * less than the task's own.
 */
static __always_inline struct cgroup *bio_cgroup(struct bio *bio)
{
	struct cgroup *cgroup = bio ? BPF_CORE_READ(bio, bi_blkg, blkcg, css.cgroup) : NULL;

	return cgroup && BPF_CORE_READ(cgroup, level) ? cgroup : NULL;
}

/* Whether the filter allows the current task, or what it asks for is for a cgroup that the filter allows. */
static __always_inline bool bio_is_allowed(struct bio *bio)
{
	if (!filter_by_cgroup)
		return filter_allows_current();
	return filter_allows_for((void *)bpf_get_current_task(), bio_cgroup(bio));
}

#endif
