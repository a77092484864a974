//! What a queue has done in an interval.

use corescope::column::{self, Column, Field, Value};
use corescope::histogram;

use crate::bpf::types::{netqtop_key as Key, netqtop_sum as Sum};
use corescope::read::sums::Counters;

/// The lowest size of each range, as the kernel side counts them; the last one has no end.
pub(crate) const SIZES: [u64; 5] = [0, 64, 512, 2048, 16384];

/// What follows the counts is the device.
impl Counters for Sum {
    const COUNTED: usize = 1 + SIZES.len();
}

/// A queue, or all of a device.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    pub(crate) time_ns: u64,
    pub(crate) interval_ns: u64,
    pub(crate) device: [u8; 16],
    pub(crate) ifindex: u32,
    pub(crate) netns: u32,
    pub(crate) received: bool,
    pub(crate) total: bool,
    pub(crate) queue: Option<u32>,
    pub(crate) bytes: u64,
    pub(crate) sizes: [u64; SIZES.len()],
}

impl Row {
    /// Adds what the kernel side has counted.
    pub(crate) fn add(&mut self, bytes: u64, sizes: [u64; SIZES.len()]) {
        self.bytes += bytes;
        self.sizes.iter_mut().zip(sizes).for_each(|(sum, more)| *sum += more);
    }

    pub(crate) fn packets(&self) -> u64 {
        self.sizes.iter().sum()
    }

    fn per_second(&self, count: u64) -> u64 {
        let rate = u128::from(count) * 1_000_000_000 / u128::from(self.interval_ns.max(1));
        u64::try_from(rate).unwrap_or(u64::MAX)
    }
}

/// Which queue it was. That of a received packet is one more where the driver has noted it, and 0 where it has not. Between
/// the ends of a veth it is the queue that it was sent by, which is that of the same number at the other end.
pub(crate) fn queue(key: Key, sum: &Sum) -> Option<u32> {
    let mapping = u32::from(key.queue);
    match key.received {
        0 => Some(mapping),
        _ if sum.is_veth != 0 => Some(mapping),
        _ if mapping == 0 => (sum.receiving_queues == 1).then_some(0),
        _ => Some(mapping - 1),
    }
}

pub(crate) const COLUMNS: &[Column<Row>] = corescope::columns![Row;
    json TIME: "End of the interval" => |row| Value::Time(row.time_ns),
    json INTERVAL => |row| Value::Seconds(row.interval_ns),
    json DEVICE => |row| Value::c_string(&row.device),
    json "ifindex" number: "Its number" => |row| row.ifindex.into(),
    json NETNS: "Its network namespace: inode number of /proc/PID/ns/net" => |row| row.netns.into(),
    json "direction" text: "tx of packets that it sends, rx of those that it receives" =>
        |row| if row.received { "rx" } else { "tx" }.into(),
    text "QueueID" right 7: "Number of the queue; - for packets whose driver has not noted it" =>
        |row| if row.total { "Total".into() } else { row.queue.into() },
    json QUEUE_INDEX: "Number of the queue; null where the driver has not noted it" => |row| row.queue.into(),
    text "avg_size" right 10: "Average size of a packet, in bytes" =>
        |row| row.bytes.checked_div(row.packets()).unwrap_or(0).into(),
    text "[0, 64)" right 10: "Packets of less than 64 bytes" => |row| row.sizes[0].into(),
    text "[64, 512)" right 10: "Packets of 64 to 511 bytes" => |row| row.sizes[1].into(),
    text "[512, 2K)" right 10: "Packets of 512 to 2047 bytes" => |row| row.sizes[2].into(),
    text "[2K, 16K)" right 10: "Packets of 2048 to 16383 bytes" => |row| row.sizes[3].into(),
    text "[16K, 64K)" right 10: "Packets of 16384 bytes and more" => |row| row.sizes[4].into(),
    text "BPS" right 10: "Bytes per second, with -t" => |row| Value::Size(row.per_second(row.bytes)),
    text "PPS" right 10: "Packets per second, with -t" => |row| row.per_second(row.packets()).into(),
    json "packets" number: "How many packets there were" => |row| row.packets().into(),
    json BYTES: "Bytes of them, with their Ethernet headers" => |row| row.bytes.into(),
];

pub(crate) fn fields() -> Vec<Field> {
    let mut all = column::fields(COLUMNS);
    all.extend(histogram::BUCKETS);
    all
}
