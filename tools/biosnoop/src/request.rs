//! A request, as it is printed.

use std::rc::Rc;

use corescope::{Column, Value, cgroup, disk, errno, event};

use crate::bpf::types::{biosnoop_event as Event, biosnoop_pattern as Pattern};

/// What stands for a time that is not known.
const UNKNOWN: u64 = u64::MAX;
const NS_PER_MS: u64 = 1_000_000;

/// A request that has completed.
pub(crate) struct Request {
    event: Event,
    cgroup: Option<Rc<str>>,
}

pub(crate) const COLUMNS: &[Column<Request>] = corescope::columns![Request;
    text "TIME(s)" left 11: "When it completed, in seconds since the start" => |request| Value::Elapsed(request.event.time_ns),
    TIME: "When it completed" => |request| Value::Time(request.event.time_ns),
    COMM as "COMM" left 14: "Name of the thread that made it" => |request| Value::unless_empty(&request.event.comm),
    PID as "PID" left 7: "Process that made it; null if that was before it was traced" =>
        |request| Value::unless_zero(request.event.pid),
    json TID: "Thread that made it" => |request| Value::unless_zero(request.event.tid),
    DISK as "DISK" left 9 => |request| Value::c_string(&request.event.disk),
    text "T" left 1: "Type: R for a read, W a write, D a discard, F a flush, Z an operation on zones, - another one" =>
        |request| disk::letter(request.event.flags).into(),
    json OPERATION => |request| disk::operation_key(request.event.flags).into(),
    json FLAGS: "Flags of the request (cmd_flags)" => |request| request.event.flags.into(),
    json FLAG_NAMES: "The same by name, the operation last" => |request| disk::flag_names(request.event.flags).into(),
    "SECTOR" left 10 "sector" number: "Where it begins on the disk, in sectors of 512 bytes" => |request| request.event.sector.into(),
    BYTES as "BYTES" left 7: "Its size" => |request| request.event.bytes.into(),
    json "bios" number: "Of how many bios it is made: of more than one where the kernel merged some" =>
        |request| request.event.bios.into(),
    text "P" left 1: "S where it begins where the last one of that disk and direction ended, R elsewhere, - for the first" =>
        |request| request.pattern().map(|pattern| if pattern { "S" } else { "R" }).into(),
    json "sequential" bool: "Whether it begins where the last one of that disk and direction ended; null for the first" =>
        |request| request.pattern().map_or(Value::Missing, Value::from),
    "QUE(ms)" right 7 "queued_ns" number: "How long it was queued before its driver got it; null if that is not known" =>
        |request| milliseconds(request.event.queued_ns),
    LATENCY_MS as "LAT(ms)" right 7: "How long it took since then" => |request| milliseconds(request.event.latency_ns),
    ERRNO => |request| errno::of(request.error()).into(),
    json ERROR => |request| errno::name_of(request.error()).into(),
    json CGROUP: "Cgroup whose request it is: for written back pages the one that made them dirty, if the kernel knows" =>
        |request| request.cgroup.as_deref().into(),
];

fn milliseconds(raw: u64) -> Value<'static> {
    if raw == UNKNOWN { Value::Missing } else { Value::Scaled { raw, per: NS_PER_MS, decimals: 3 } }
}

impl Request {
    pub(crate) fn new(record: &[u8]) -> Self {
        let event = *event::<Event>(record).0;
        Self { event, cgroup: (event.cgroup != 0).then(|| cgroup::path(event.cgroup)) }
    }

    fn pattern(&self) -> Option<bool> {
        let pattern = Pattern(self.event.pattern);
        (pattern != Pattern::BIOSNOOP_FIRST).then_some(pattern == Pattern::BIOSNOOP_SEQUENTIAL)
    }

    /// As a negative errno, which older kernels tell themselves.
    fn error(&self) -> i32 {
        if self.event.error < 0 { self.event.error } else { -disk::status_errno(self.event.error.unsigned_abs()) }
    }
}
