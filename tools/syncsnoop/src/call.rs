//! A call, as it is printed.

use corescope::flags::{self, Flag};
use corescope::syscalls::{Abi, Calls};
use corescope::{Column, Value, errno, event, path};

use crate::bpf::types::{syncsnoop_event as Event, syncsnoop_kind as Kind};

/// Where the arguments are.
const FD: u32 = Kind::SYNCSNOOP_FD.0;
const MEMORY: u32 = Kind::SYNCSNOOP_MEMORY.0;
const RANGE: u32 = Kind::SYNCSNOOP_RANGE.0;
const RANGE2: u32 = Kind::SYNCSNOOP_RANGE2.0;

/// All calls that are traced.
pub(crate) const CALLS: Calls = Calls {
    kinds: Kind::SYNCSNOOP_KINDS.0,
    by_kind: &[
        (Kind::SYNCSNOOP_ALL.0, &["sync"]),
        (FD, &["fsync", "fdatasync", "syncfs"]),
        (MEMORY, &["msync"]),
        (RANGE, &["sync_file_range"]),
        (RANGE2, &["arm_sync_file_range"]),
    ],
};

const MEMORY_FLAGS: &[Flag] = &[(1, "MS_ASYNC"), (2, "MS_INVALIDATE"), (4, "MS_SYNC")];
const RANGE_FLAGS: &[Flag] =
    &[(1, "SYNC_FILE_RANGE_WAIT_BEFORE"), (2, "SYNC_FILE_RANGE_WRITE"), (4, "SYNC_FILE_RANGE_WAIT_AFTER")];

/// A call, with its file.
pub(crate) struct Call {
    event: Event,
    file: Option<Vec<u8>>,
}

pub(crate) const COLUMNS: &[Column<Call>] = corescope::columns![Call;
    text "TIME(s)" left 18: "When it was called, in seconds since the system started; - if before it was traced" =>
        |call| call.started(Value::Fixed { raw: call.event.start_ns, decimals: 9 }),
    json TIME: "When it returned" => |call| Value::Time(call.event.time_ns),
    json "start_time" time: "When it was called; null if that was before it was traced" =>
        |call| call.started(Value::Time(call.event.start_ns)),
    COMM => |call| Value::c_string(&call.event.comm),
    SYSCALL as "CALL" left 15 => |call| call.call().0.into(),
    json ABI => |call| Abi::of(call.event.compat != 0).name().into(),
    json IO_URING => |call| (call.event.uring != 0).into(),
    PID => |call| call.event.pid.into(),
    json TID => |call| call.event.tid.into(),
    LATENCY_MS: "How long the call took; - if it was called before it was traced" =>
        |call| call.started(Value::Scaled { raw: call.latency_ns(), per: 1_000_000, decimals: 3 }),
    json RET: "0, or the error as a negative number" => |call| call.event.ret.into(),
    ERRNO => |call| errno::of(call.event.ret).into(),
    json ERROR => |call| errno::name_of(call.event.ret).into(),
    json FD: "Descriptor that was given; null for sync and msync" => |call| call.of(&[FD, RANGE, RANGE2], call.event.fd).into(),
    json "start_address" number: "Start of the memory, of msync; null for other calls" =>
        |call| call.of(&[MEMORY], call.event.from).into(),
    json "offset_bytes" number: "Start of the range, of sync_file_range; null for other calls" =>
        |call| call.of(&[RANGE, RANGE2], call.event.from).into(),
    json "length_bytes" number: "Length of memory or range, 0 for up to the end of the file; null for other calls" =>
        |call| call.of(&[MEMORY, RANGE, RANGE2], call.event.bytes).into(),
    json FLAGS: "Flags of msync or sync_file_range; null for other calls" =>
        |call| call.of(&[MEMORY, RANGE, RANGE2], call.event.flags).into(),
    json FLAG_NAMES: "The same by name" => |call| call.flag_names().into(),
    FILE: "Path of the file that is open, or mapped for msync; - if none is known" => |call| call.file.as_deref().into(),
];

impl Call {
    /// The event of a record and the path behind it.
    pub(crate) fn new(record: &[u8]) -> Self {
        let (event, mut names) = event::<Event>(record);
        Self { event: *event, file: path::join(names.take(event.names_len), event.names_end, b"") }
    }

    fn call(&self) -> (&'static str, u32) {
        CALLS.of(self.event.action.into())
    }

    fn latency_ns(&self) -> u64 {
        self.event.time_ns.saturating_sub(self.event.start_ns)
    }

    /// What is known where the start was seen.
    fn started<'a>(&self, value: Value<'a>) -> Value<'a> {
        if self.event.start_ns == 0 { Value::Missing } else { value }
    }

    /// What only some kinds of calls have.
    fn of<T>(&self, kinds: &[u32], value: T) -> Option<T> {
        kinds.contains(&self.call().1).then_some(value)
    }

    fn flag_names(&self) -> Option<String> {
        let known = match self.call().1 {
            MEMORY => MEMORY_FLAGS,
            RANGE | RANGE2 => RANGE_FLAGS,
            _ => return None,
        };
        Some(flags::names(self.event.flags.into(), known))
    }
}

#[cfg(test)]
mod tests {
    use corescope::{Output, Table};

    use super::{CALLS, COLUMNS, Call, Event};

    fn print(event: Event) -> String {
        let mut out = Output::to_memory(false);
        Table::new(COLUMNS).row(&mut out, &Call { event, file: None });
        String::from_utf8_lossy(&out.buffer).into_owned()
    }

    #[test]
    fn times_are_exact_after_months() {
        let start_ns = 12_345_678_000_000_001;
        let event = Event {
            start_ns,
            time_ns: start_ns + 1_234_567,
            action: u16::try_from(CALLS.kinds + 2).expect("a small number"),
            ..Event::default()
        };
        assert_eq!(print(event), "12345678.000000001                  fsync           0           1.235   0 -\n");
    }

    #[test]
    fn a_start_that_was_not_seen_is_no_zero() {
        let event = Event { time_ns: 5, pid: 7, ..Event::default() };
        assert_eq!(print(event), format!("{:<35} sync            7               -   0 -\n", "-"));
    }
}
