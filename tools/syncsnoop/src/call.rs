//! A call, as it is printed.

use corescope::flags::{self, Flag};
use corescope::stream::event;
use corescope::{Column, Value, path};

use crate::bpf::types::{syncsnoop_event as Event, syncsnoop_kind as Kind};

/// Where the arguments are.
const ALL: u32 = Kind::SYNCSNOOP_ALL.0;
const FD: u32 = Kind::SYNCSNOOP_FD.0;
const MEMORY: u32 = Kind::SYNCSNOOP_MEMORY.0;
const RANGE: u32 = Kind::SYNCSNOOP_RANGE.0;
const RANGE2: u32 = Kind::SYNCSNOOP_RANGE2.0;
const KINDS: u32 = Kind::SYNCSNOOP_KINDS.0;

/// All calls that are traced.
const CALLS: [(&str, u32); 7] = [
    ("sync", ALL),
    ("fsync", FD),
    ("fdatasync", FD),
    ("syncfs", FD),
    ("msync", MEMORY),
    ("sync_file_range", RANGE),
    ("arm_sync_file_range", RANGE2),
];

const MEMORY_FLAGS: &[Flag] = &[(1, "MS_ASYNC"), (2, "MS_INVALIDATE"), (4, "MS_SYNC")];
const RANGE_FLAGS: &[Flag] =
    &[(1, "SYNC_FILE_RANGE_WAIT_BEFORE"), (2, "SYNC_FILE_RANGE_WRITE"), (4, "SYNC_FILE_RANGE_WAIT_AFTER")];

/// Each call's number for the kernel side: where its arguments are, and its place in the list.
pub(crate) fn actions() -> Vec<(&'static str, u32)> {
    CALLS.iter().zip(0..).map(|((name, kind), index)| (*name, index * KINDS + kind)).collect()
}

/// A call, with its file.
pub(crate) struct Call {
    event: Event,
    file: Option<Vec<u8>>,
}

pub(crate) const COLUMNS: &[Column<Call>] = corescope::columns![Call;
    "TIME(s)", left 18, "", "When it was called, in seconds since the system started; - if before it was traced" =>
        |call| call.started(Value::Fixed { raw: call.event.start_ns, decimals: 9 }),
    "", left 0, "time", "When it returned" => |call| Value::Time(call.event.time_ns),
    "", left 0, "start", "When it was called; null if that was before it was traced" =>
        |call| call.started(Value::Time(call.event.start_ns)),
    "COMM", left 16, "comm", "Name of the thread" => |call| Value::c_string(&call.event.comm),
    "CALL", left 15, "call", "System call" => |call| call.call().0.into(),
    "PID", left 7, "pid", "Process id" => |call| call.event.pid.into(),
    "", left 0, "tid", "Thread id" => |call| call.event.tid.into(),
    "LAT(ms)", right 9, "latency_ns", "How long the call took; - if it was called before it was traced" =>
        |call| call.started(Value::Scaled { raw: call.latency_ns(), per: 1_000_000, decimals: 3 }),
    "ERR", right 3, "errno", "Number of the error, or 0" => |call| call.event.ret.min(0).unsigned_abs().into(),
    "", left 0, "fd", "Descriptor that was given; null for sync and msync" =>
        |call| call.of(&[FD, RANGE, RANGE2], call.event.fd.into()),
    "", left 0, "address", "Start of the memory, of msync; null for other calls" =>
        |call| call.of(&[MEMORY], call.event.from.into()),
    "", left 0, "offset_bytes", "Start of the range, of sync_file_range; null for other calls" =>
        |call| call.of(&[RANGE, RANGE2], call.event.from.into()),
    "", left 0, "length_bytes", "Length of memory or range, 0 for up to the end of the file; null for other calls" =>
        |call| call.of(&[MEMORY, RANGE, RANGE2], call.event.bytes.into()),
    "", left 0, "flags", "Flags of msync or sync_file_range; null for other calls" => |call| call.flags(),
    "FILE", left 0, "file", "Path of the file that is open, or mapped for msync; - where none is known" =>
        |call| call.file.as_deref().map_or(Value::Missing, |path| Value::Text(path.into())),
];

impl Call {
    /// The event of a record and the path behind it.
    pub(crate) fn new(record: &[u8]) -> Self {
        let (event, names) = event::<Event>(record);
        let names = &names[..names.len().min(event.names_len as usize)];
        Self { event: *event, file: path::join(names, event.names_end, b"") }
    }

    fn call(&self) -> (&'static str, u32) {
        CALLS.get((self.event.action / KINDS) as usize).copied().unwrap_or(("?", 0))
    }

    fn latency_ns(&self) -> u64 {
        self.event.time_ns.saturating_sub(self.event.start_ns)
    }

    /// What is known where the start was seen.
    fn started<'a>(&self, value: Value<'a>) -> Value<'a> {
        if self.event.start_ns == 0 { Value::Missing } else { value }
    }

    /// What only some kinds of calls have.
    fn of<'a>(&self, kinds: &[u32], value: Value<'a>) -> Value<'a> {
        if kinds.contains(&self.call().1) { value } else { Value::Missing }
    }

    fn flags(&self) -> Value<'_> {
        let mask = self.event.flags.into();
        match self.call().1 {
            MEMORY => flags::names(mask, MEMORY_FLAGS).into(),
            RANGE | RANGE2 => flags::names(mask, RANGE_FLAGS).into(),
            _ => Value::Missing,
        }
    }
}

#[cfg(test)]
mod tests {
    use corescope::{Output, Table};

    use super::{COLUMNS, Call, Event, KINDS};

    fn print(event: Event) -> String {
        let mut out = Output::to_memory(false);
        Table::new(COLUMNS).row(&mut out, &Call { event, file: None });
        String::from_utf8_lossy(&out.buffer).into_owned()
    }

    #[test]
    fn times_are_exact_after_months() {
        let start_ns = 12_345_678_000_000_001;
        let event = Event { start_ns, time_ns: start_ns + 1_234_567, action: KINDS + 2, ..Event::default() };
        assert_eq!(print(event), "12345678.000000001                  fsync           0           1.235   0 -\n");
    }

    #[test]
    fn a_start_that_was_not_seen_is_no_zero() {
        let event = Event { time_ns: 5, pid: 7, ..Event::default() };
        assert_eq!(print(event), format!("{:<35} sync            7               -   0 -\n", "-"));
    }
}
