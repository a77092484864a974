// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Flushes that md arrays are asked for, by a bio of their disk: at a tracepoint of the block layer that every bio passes once, in the
 * task that submits it. What md makes of a flush for the disks below, and its own writes there, are bios of other disks.
 */
#include "base/core.bpf.h"
#include "block/bio.bpf.h"
#include "block/request.bpf.h"
#include "event/events.bpf.h"
#include "task/task.bpf.h"

#define MD_MAJOR 9

struct mdflush_event {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u32 pid;
	__u32 tid;
	__u32 bytes; /* that are to be written when the flush is done */
	__u32 reserved;
	__u8 comm[COMM_LEN];
	__u8 disk[DISK_NAME_BYTES];
};
EVENTS_IN_PLACE(mdflush_event);

/* Those that can have partitions by the old way are md_d0 and so on, and have a number that the kernel gave to md as it came. */
static __always_inline bool mdflush_is_array(struct gendisk *disk)
{
	return disk->major == MD_MAJOR ||
	       (disk->disk_name[0] == 'm' && disk->disk_name[1] == 'd' && disk->disk_name[2] == '_' && disk->disk_name[3] == 'd');
}

static __always_inline void mdflush_send(struct bio *bio, struct gendisk *disk)
{
	struct mdflush_event *event;
	struct event_place place;

	event = event_begin(&place);
	if (!event)
		return;
	event->time_ns = bpf_ktime_get_boot_ns();
	event->bytes = bio->bi_iter.bi_size;
	event->reserved = 0;
	fill_current(&event->pid, &event->tid, NULL, event->comm);
	disk_name(event->disk, disk);
	event_send(&place, event, sizeof(*event));
}

SEC("tp_btf/block_bio_queue")
int mdflush_queue(__u64 *ctx)
{
	struct bio *bio = argument_of(ctx, bios_behind_queue);
	struct gendisk *disk;

	if (!(bio->bi_opf & BIO_PREFLUSH))
		return 0;
	disk = bio_gendisk(bio);
	if (!mdflush_is_array(disk) || (request_disk && disk_number(disk) != request_disk) || !bio_is_allowed(bio))
		return 0;
	mdflush_send(bio, disk);
	return 0;
}
