// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What drivers put into the queues of virtio devices, at the functions that do so (virtio_ring.c): each is called by drivers
 * and none by another. A buffer is a list of pieces (scatterlist), which the device is to read (out) or to write (in).
 */
#include "base/core.bpf.h"
#include "base/map.bpf.h"
#include "task/context.bpf.h"
#include "task/filter.bpf.h"

#define NAME_BYTES 32
/* The most that are followed of a buffer: file systems and disks pass 256 pages and a little. Packets are of 47 at most. */
#define PIECES 512
#define PIECES_OF_ONE 64
#define SG_CHAIN 1  /* not a piece: where the list goes on */
#define SG_END 2
#define INDIRECT 28 /* VIRTIO_RING_F_INDIRECT_DESC: a buffer of many pieces takes one place in the queue */

struct virtiostat_key {
	__u8 driver[NAME_BYTES];
	__u8 device[NAME_BYTES];
	__u8 queue[NAME_BYTES];
	__u32 index; /* of the queue: ports of a console have queues of the same names */
};
EXPORT(virtiostat_key);

struct virtiostat_sum {
	__u64 in_sgs;
	__u64 out_sgs;
	__u64 in_bytes;
	__u64 out_bytes;
};
EXPORT(virtiostat_sum);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2048);
	__type(key, struct virtiostat_key);
	__type(value, struct virtiostat_sum);
} sums SEC(".maps");

const volatile bool by_driver, by_device;
const volatile __u64 only_driver[NAME_BYTES / 8];
const volatile __u64 only_device[NAME_BYTES / 8];

__u64 cut; /* buffers of more pieces than are followed */

static const struct virtiostat_sum no_sum;

static __always_inline bool virtiostat_is(const __u8 *name, const volatile __u64 *only)
{
	const __u64 *words = (const __u64 *)name;

	return words[0] == only[0] && words[1] == only[1] && words[2] == only[2] && words[3] == only[3];
}

static __always_inline bool virtiostat_wanted(struct virtiostat_key *key)
{
	return (!by_driver || virtiostat_is(key->driver, only_driver)) && (!by_device || virtiostat_is(key->device, only_device));
}

static __always_inline void virtiostat_name(struct virtiostat_key *key, struct virtqueue *queue)
{
	bpf_probe_read_kernel_str(&key->driver, NAME_BYTES, BPF_CORE_READ(queue, vdev, dev.driver, name));
	bpf_probe_read_kernel_str(&key->device, NAME_BYTES, BPF_CORE_READ(queue, vdev, dev.kobj.name));
	bpf_probe_read_kernel_str(&key->queue, NAME_BYTES, BPF_CORE_READ(queue, name));
	key->index = BPF_CORE_READ(queue, index);
}

/* Of what the driver has mapped for the device itself the length is that of the mapping: sg_dma_len(). */
static __always_inline __u32 piece_length(struct scatterlist *piece, const bool mapped)
{
	__u32 length = 0;

	if (mapped && bpf_core_field_exists(piece->dma_length))
		length = BPF_CORE_READ(piece, dma_length);
	return length ? length : BPF_CORE_READ(piece, length);
}

/*
 * Bytes, and behind them 16 bits with the number of pieces: of the list that begins with `piece`, and of those to which
 * the pointers from `lists` to `end` point. As sg_next() goes: a list may go on elsewhere.
 */
static __always_inline __u64 measure(__u64 piece, __u64 lists, __u64 end, const __u32 most, const bool mapped)
{
	__u64 bytes = 0, link;
	__u32 i;

	for (i = 0; i < most; i++) {
		if (!piece) {
			if (lists == end)
				break;
			bpf_probe_read_kernel(&piece, sizeof(piece), (void *)lists);
			lists += sizeof(piece);
		}
		link = BPF_CORE_READ((struct scatterlist *)piece, page_link);
		if (link & SG_CHAIN) {
			piece = link & ~(__u64)(SG_CHAIN | SG_END);
			link = BPF_CORE_READ((struct scatterlist *)piece, page_link);
		}
		bytes += piece_length((void *)piece, mapped);
		piece = link & SG_END ? 0 : piece + bpf_core_type_size(struct scatterlist);
	}
	if (piece || lists != end)
		__sync_fetch_and_add(&cut, 1);
	return bytes << 16 | i;
}

/* Not inlined, so that the verifier follows each loop once. */
__attribute__((noinline)) __u64 virtiostat_measure_lists(__u64 lists, __u64 end)
{
	return measure(0, lists, end, PIECES, false);
}

__attribute__((noinline)) __u64 virtiostat_measure_list(__u64 list)
{
	return measure(list, 0, 0, PIECES_OF_ONE, false);
}

__attribute__((noinline)) __u64 virtiostat_measure_mapped(__u64 list)
{
	return measure(list, 0, 0, PIECES_OF_ONE, true);
}

/* A queue refuses what it has no place for, and its driver tries again later. */
static __always_inline bool virtiostat_has_room(struct virtqueue *queue, __u32 pieces)
{
	__u32 room = BPF_CORE_READ(queue, num_free);

	if (pieces > 1 && BPF_CORE_READ(queue, vdev, features) >> INDIRECT & 1)
		pieces = 1;
	return room >= pieces;
}

struct virtiostat_added {
	struct virtqueue *queue;
	__u32 out_lists, in_lists;
	__u64 out, in; /* as measure() gives them */
};

static __always_inline int added(void *ctx, struct virtiostat_added *added)
{
	struct virtiostat_key key = {};
	struct virtiostat_sum *sum;

	/* What an interrupt puts there is for nobody that happens to run. */
	if (filter_any && !(task_at_work(ctx) && filter_allows_current()))
		return 0;
	virtiostat_name(&key, added->queue);
	if (!virtiostat_wanted(&key) || !virtiostat_has_room(added->queue, (added->in & 0xffff) + (added->out & 0xffff)))
		return 0;
	sum = map_get(&sums, &key, &no_sum);
	if (!sum)
		return 0;
	/* Not of what is known to be none: clang makes of that an operation that 5.10 does not know. */
	if (added->in_lists) {
		__sync_fetch_and_add(&sum->in_sgs, added->in_lists);
		__sync_fetch_and_add(&sum->in_bytes, added->in >> 16);
	}
	if (added->out_lists) {
		__sync_fetch_and_add(&sum->out_sgs, added->out_lists);
		__sync_fetch_and_add(&sum->out_bytes, added->out >> 16);
	}
	return 0;
}

static __always_inline int added_lists(void *ctx, struct virtqueue *queue, __u64 lists, __u32 out, __u32 in)
{
	__u64 middle = lists + out * sizeof(void *);
	struct virtiostat_added all = {
		.queue = queue,
		.out_lists = out,
		.in_lists = in,
		.out = virtiostat_measure_lists(lists, middle),
		.in = virtiostat_measure_lists(middle, middle + in * sizeof(void *)),
	};

	return added(ctx, &all);
}

static __always_inline int added_list(void *ctx, struct virtqueue *queue, __u64 list, const bool is_in, const bool mapped)
{
	__u64 measured = mapped ? virtiostat_measure_mapped(list) : virtiostat_measure_list(list);
	struct virtiostat_added all = {
		.queue = queue,
		.out_lists = !is_in,
		.in_lists = is_in,
		.out = is_in ? 0 : measured,
		.in = is_in ? measured : 0,
	};

	return added(ctx, &all);
}

/* An argument as a number: what is loaded itself is a pointer for the verifier, which a function that is looked at alone cannot get. */
static __always_inline __u64 number_at(__u64 *ctx, const __u32 index)
{
	__u64 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), &ctx[index]);
	return number;
}

SEC("fentry/virtqueue_add_sgs")
int BPF_PROG(virtiostat_sgs, struct virtqueue *queue, struct scatterlist **lists, unsigned int out, unsigned int in)
{
	return added_lists(ctx, queue, number_at(ctx, 1), out, in);
}

SEC("kprobe/virtqueue_add_sgs")
int BPF_KPROBE(virtiostat_sgsk, struct virtqueue *queue, __u64 lists, unsigned int out, unsigned int in)
{
	return added_lists(ctx, queue, lists, out, in);
}

#define ADDS(name, function, is_in, mapped)                                                                            \
	SEC("fentry/" function)                                                                                        \
	int BPF_PROG(virtiostat_##name, struct virtqueue *queue)                                                       \
	{                                                                                                              \
		return added_list(ctx, queue, number_at(ctx, 1), is_in, mapped);                                               \
	}                                                                                                              \
	SEC("kprobe/" function)                                                                                        \
	int BPF_KPROBE(virtiostat_##name##k, struct virtqueue *queue, __u64 list)                                      \
	{                                                                                                              \
		return added_list(ctx, queue, list, is_in, mapped);                                                            \
	}

ADDS(out, "virtqueue_add_outbuf", false, false)
ADDS(in, "virtqueue_add_inbuf", true, false)
ADDS(ctx, "virtqueue_add_inbuf_ctx", true, false)
ADDS(pre, "virtqueue_add_outbuf_premapped", false, true) /* 6.14 */
ADDS(prein, "virtqueue_add_inbuf_premapped", true, true)
ADDS(clean, "virtqueue_add_inbuf_cache_clean", true, false) /* 7.0 */
