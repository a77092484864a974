//! The queues of an interval, as they are printed.

use std::collections::BTreeMap;

use corescope::{Output, Table, escape, histogram};

use crate::bpf::types::{netqtop_key as Key, netqtop_sum as Sum};
use crate::row::{COLUMNS, Row, SIZES, queue};

/// Of a device that was seen at least once.
#[derive(Debug, Default)]
struct Device {
    name: [u8; 16],
    /// Sending and receiving.
    queues: [u32; 2],
    /// Those that were used in the interval: receiving or not, and which.
    used: BTreeMap<(bool, Option<u32>), Row>,
}

pub(crate) struct Printer {
    /// Where only one is asked for.
    name: Option<String>,
    netns: u32,
    throughput: bool,
    receives: bool,
    table: Table<Row>,
    /// By number.
    devices: BTreeMap<u32, Device>,
    /// When the interval began.
    last_ns: u64,
}

impl Printer {
    pub(crate) fn new(name: Option<String>, netns: u32, throughput: bool, receives: bool, now_ns: u64) -> Self {
        let table = Table::new(COLUMNS).show("BPS", throughput).show("PPS", throughput);
        Self { name, netns, throughput, receives, table, devices: BTreeMap::new(), last_ns: now_ns }
    }

    /// Prints what has come in an interval that ends now.
    pub(crate) fn print(&mut self, out: &mut Output, counted: Vec<(Key, Sum)>) {
        let time_ns = out.clock.now_ns();
        let interval_ns = time_ns.saturating_sub(std::mem::replace(&mut self.last_ns, time_ns));
        for (key, sum) in counted {
            let device = self.devices.entry(key.ifindex).or_default();
            device.name = sum.name;
            device.queues = [sum.sending_queues, sum.receiving_queues];
            let (received, queue) = (key.received != 0, queue(key, &sum));
            device.used.entry((received, queue)).or_default().add(sum.bytes, sum.packets);
        }
        let frame = Row { time_ns, interval_ns, netns: self.netns, ..Row::default() };
        if out.is_json() {
            self.json(out, &frame);
        } else {
            self.text(out, &frame);
        }
        self.devices.values_mut().for_each(|device| device.used.clear());
    }

    fn json(&self, out: &mut Output, frame: &Row) {
        for (ifindex, device) in &self.devices {
            for ((received, queue), used) in &device.used {
                let (received, queue) = (*received, *queue);
                let mut row = Row { ifindex: *ifindex, device: device.name, received, queue, ..frame.clone() };
                row.add(used.bytes, used.sizes);
                self.table.row_and(out, &row, |object| histogram::push_buckets(object, ranges(&row)));
            }
        }
    }

    /// As BCC prints it, a device after the other.
    fn text(&self, out: &mut Output, frame: &Row) {
        let now = out.clock.hms(frame.time_ns).to_string();
        out.push(&now);
        out.end_line();
        let none = Device::default();
        let nothing = self.name.is_some() && self.devices.is_empty();
        if self.name.is_none() && self.devices.is_empty() {
            out.push("no packet was sent or received\n");
        }
        for device in self.devices.values().chain(nothing.then_some(&none)) {
            for received in [false, true].into_iter().filter(|received| self.receives || !received) {
                self.head(out, received, device);
                self.table.header(out);
                self.queues(out, frame, received, device);
            }
        }
        out.push(&"-".repeat(if self.throughput { 95 } else { 73 }));
        out.end_line();
    }

    fn head(&self, out: &mut Output, received: bool, device: &Device) {
        if received {
            out.end_line();
        }
        out.push(if received { "RX" } else { "TX" });
        if self.name.is_none() {
            out.push(" ");
            escape::push(&mut out.buffer, escape::c_string(&device.name));
        }
        out.end_line();
    }

    /// All that the device has, used or not.
    fn queues(&self, out: &mut Output, frame: &Row, received: bool, device: &Device) {
        let used = |queue| device.used.get(&(received, queue)).cloned().unwrap_or_default();
        let beyond = device.used.keys().filter(|key| key.0 == received).filter_map(|key| key.1).max();
        let count = device.queues[usize::from(received)].max(beyond.map_or(0, |last| last + 1));
        let unknown = device.used.contains_key(&(received, None)).then_some(None);
        let mut total = Row { total: true, ..frame.clone() };
        for queue in (0..count).map(Some).chain(unknown) {
            let used = used(queue);
            total.add(used.bytes, used.sizes);
            self.table.row(out, &Row { queue, bytes: used.bytes, sizes: used.sizes, ..frame.clone() });
        }
        self.table.row(out, &total);
    }
}

fn ranges(row: &Row) -> impl Iterator<Item = (u64, Option<u64>, u64)> {
    let range = |(range, count): (usize, &u64)| (SIZES[range], SIZES.get(range + 1).map(|next| next - 1), *count);
    row.sizes.iter().enumerate().map(range)
}
