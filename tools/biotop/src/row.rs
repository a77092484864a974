//! The rows of an interval, and their columns.

use std::rc::Rc;

use corescope::read::sums::Counters;
use corescope::{Column, Value};
use corescope_tui::{Group, Span, Top, id};

use crate::bpf::types::{biotop_key as Key, biotop_sum as Sum, request_kind as Operation};

impl Counters for Sum {
    const COUNTED: usize = 4;
}

/// Operations as the column D and the JSON have them.
const OPERATIONS: &[(Operation, char, &str)] = &[
    (Operation::REQUEST_READ, 'R', "read"),
    (Operation::REQUEST_WRITE, 'W', "write"),
    (Operation::REQUEST_DISCARD, 'D', "discard"),
    (Operation::REQUEST_FLUSH, 'F', "flush"),
];

#[derive(Clone, Copy, PartialEq)]
struct Disk {
    major: u32,
    minor: u32,
    name: [u8; 32],
}

/// What one process had one disk do in an interval, or several on the live screen: of those what they have alike.
#[derive(Clone)]
pub(crate) struct Row {
    span: Span,
    id: u64,
    process: Option<(u32, [u8; 16])>,
    disk: Option<Disk>,
    cgroup: Option<Rc<str>>,
    /// A bit for each.
    operations: u32,
    sum: Sum,
}

/// What stays the same of a row.
pub(crate) fn id_of(key: &Key) -> u64 {
    id((key.pid, key.comm, key.major, key.minor, key.operation, key.cgroup))
}

/// What two rows have alike.
fn same<T: PartialEq>(one: Option<T>, other: Option<&T>) -> Option<T> {
    one.filter(|one| Some(one) == other)
}

impl Row {
    pub(crate) fn new(span: Span, key: &Key, sum: Sum, cgroup: Option<Rc<str>>) -> Self {
        let process = (key.pid != 0).then_some((key.pid, key.comm));
        let disk = Some(Disk { major: key.major, minor: key.minor, name: sum.disk });
        Self { span, id: id_of(key), process, disk, cgroup, operations: 1 << key.operation, sum }
    }

    /// Becomes a row of an interval in which nothing came.
    pub(crate) fn rest(&mut self, span: Span) {
        self.span = span;
        self.sum = Sum::default();
    }

    /// All of them as one row.
    fn together(rows: &[&Self]) -> Self {
        let mut all = rows[0].clone();
        for row in &rows[1..] {
            all.process = same(all.process, row.process.as_ref());
            all.disk = same(all.disk, row.disk.as_ref());
            all.cgroup = same(all.cgroup, row.cgroup.as_ref());
            all.operations |= row.operations;
            all.sum.add(&row.sum);
        }
        all
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.map(|(pid, _)| pid)
    }

    /// Nothing where there is no request to take the average of.
    fn average(&self) -> Value<'_> {
        let average = self.sum.total_ns.checked_div(self.sum.timed);
        average.map(|raw| Value::Scaled { raw, per: 1_000_000, decimals: 2 }).into()
    }

    /// In each second as much time passed for all of them together.
    fn queue(&self) -> Value<'_> {
        Value::Scaled { raw: self.span.per_second(self.sum.total_ns), per: 1_000_000_000, decimals: 2 }
    }

    fn operations(&self) -> impl Iterator<Item = &'static (Operation, char, &'static str)> {
        OPERATIONS.iter().filter(|operation| self.operations & 1 << operation.0.0 != 0)
    }
}

pub(crate) const COLUMNS: &[Column<Row>] = corescope::columns![Row;
    json TIME: "End of the interval" => |row| row.span.time(),
    json INTERVAL => |row| row.span.interval(),
    PID: "Process that made the requests; - or null if they were made before biotop began" => |row| row.pid().into(),
    COMM: "Name of its thread that made them" =>
        |row| row.process.as_ref().map(|(_, comm)| Value::c_string(comm)).into(),
    text "D" left 1: "R for reads, W for writes, D for discards, F for flushes without data" =>
        |row| row.operations().map(|operation| operation.1).collect::<String>().into(),
    json OPERATION: "read, write, discard, or flush (without data)" =>
        |row| row.operations().next().map(|operation| operation.2).into(),
    "MAJ" left 3 "major" number: "Major number of the disk" => |row| row.disk.map(|disk| disk.major).into(),
    "MIN" left 3 "minor" number: "Minor number of the disk" => |row| row.disk.map(|disk| disk.minor).into(),
    DISK => |row| row.disk.as_ref().map(|disk| Value::c_string(&disk.name)).into(),
    CGROUP: "Cgroup that the I/O is charged to, on the live screen and as JSON; its id where it was gone" =>
        |row| row.cgroup.as_deref().into(),
    text "IO/s" right 6: "Requests per second" => |row| row.span.per_second(row.sum.count).into(),
    text "BYTES/s" right 7: "Bytes per second" => |row| Value::Size(row.span.per_second(row.sum.bytes)),
    text "QUEUE" right 6: "How many of the requests were there at a time, on average" => Row::queue,
    COUNT as "I/O" right 5: "Requests that completed in the interval" => |row| row.sum.count.into(),
    text "Kbytes" right 7: "KiB of them" => |row| (row.sum.bytes / 1024).into(),
    json BYTES: "Bytes of them" => |row| row.sum.bytes.into(),
    json TOTAL: "How long they took together, from when they were made" => |row| row.sum.total_ns.into(),
    "AVGms" right 6 "average_ns" number: "How long one took on average; - or null if none completed" => Row::average,
];

const GROUPS: &[Group<Row>] = &[
    Group { name: "disk", key: |row| id(row.disk.map(|disk| (disk.major, disk.minor))), merge: Row::together },
    Group { name: "cgroup", key: |row| id(&row.cgroup), merge: Row::together },
];

/// What biotop shows; `sort` is a header of the live screen.
pub(crate) fn top(sort: &'static str) -> Top<Row> {
    Top::new("biotop", COLUMNS, |row| row.id, |row| row.sum.count.saturating_add(row.sum.bytes))
        .live(&["PID", "COMM", "D", "DISK", "CGROUP", "IO/s", "BYTES/s", "QUEUE", "AVGms"])
        .plain(&["PID", "COMM", "D", "MAJ", "MIN", "DISK", "I/O", "Kbytes", "AVGms"], |_| true)
        .sort(sort)
        .sums(&["IO/s", "BYTES/s"])
        .least(&["CGROUP", "QUEUE", "PID"])
        .groups(GROUPS)
        .rate(|row| row.span.per_second(row.sum.bytes))
}

#[cfg(test)]
mod tests {
    use super::{Key, Row, Sum};
    use corescope::Value;
    use corescope_tui::Span;
    use std::time::Duration;

    fn row(pid: u32, operation: u32, count: u64, total_ns: u64) -> Row {
        let key = Key { pid, operation, major: 8, ..Key::default() };
        let sum = Sum { count, timed: count, bytes: count * 512, total_ns, ..Sum::default() };
        Row::new(Span { end_ns: 0, length: Duration::from_secs(2) }, &key, sum, None)
    }

    #[test]
    fn without_requests_there_is_no_average() {
        let mut row = row(1, 0, 2, 3_000_000);
        assert_eq!(row.average(), Value::Scaled { raw: 1_500_000, per: 1_000_000, decimals: 2 });
        row.rest(row.span);
        assert_eq!(row.average(), Value::Missing);
    }

    #[test]
    fn rows_are_put_together() {
        let (reads, writes) = (row(1, 0, 3, 10), row(2, 1, 5, 70));
        let all = Row::together(&[&reads, &writes]);
        assert_eq!((all.sum.count, all.sum.bytes, all.sum.total_ns), (8, 8 * 512, 80));
        assert_eq!((all.pid(), all.disk.map(|disk| disk.major)), (None, Some(8)));
        assert_eq!(all.operations().map(|operation| operation.1).collect::<String>(), "RW");
        assert_eq!(Row::together(&[&reads, &reads]).pid(), Some(1));
    }
}
