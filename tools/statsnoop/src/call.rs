//! A call, as it is printed.

use corescope::flags::{self, Flag};
use corescope::stream::event;
use corescope::{Column, Value, escape, path};

use crate::bpf::types::{statsnoop_event as Event, statsnoop_kind as Kind};

/// Where the arguments are.
const PATH: u32 = Kind::STATSNOOP_PATH.0;
const FD: u32 = Kind::STATSNOOP_FD.0;
const AT: u32 = Kind::STATSNOOP_AT.0;
const STATX: u32 = Kind::STATSNOOP_STATX.0;
const KINDS: u32 = Kind::STATSNOOP_KINDS.0;

/// All calls that are traced. Most have more than one for 32-bit callers.
const CALLS: [(&str, u32); 16] = [
    ("stat", PATH),
    ("lstat", PATH),
    ("fstat", FD),
    ("newfstatat", AT),
    ("statx", STATX),
    ("statfs", PATH),
    ("fstatfs", FD),
    ("stat64", PATH),
    ("lstat64", PATH),
    ("fstat64", FD),
    ("fstatat64", AT),
    ("statfs64", PATH),
    ("fstatfs64", FD),
    ("oldstat", PATH),
    ("oldlstat", PATH),
    ("oldfstat", FD),
];

const AT_FLAGS: &[Flag] = &[
    (0x100, "AT_SYMLINK_NOFOLLOW"),
    (0x800, "AT_NO_AUTOMOUNT"),
    (0x1000, "AT_EMPTY_PATH"),
    (0x2000, "AT_STATX_FORCE_SYNC"),
    (0x4000, "AT_STATX_DONT_SYNC"),
];

/// Each call's number for the kernel side: where its arguments are, and its place in the list.
pub(crate) fn actions() -> Vec<(&'static str, u32)> {
    CALLS.iter().zip(0..).map(|((name, kind), index)| (*name, index * KINDS + kind)).collect()
}

/// A call, with its path.
pub(crate) struct Call {
    event: Event,
    path: Vec<u8>,
    full_path: Option<Vec<u8>>,
}

pub(crate) const COLUMNS: &[Column<Call>] = corescope::columns![Call;
    "TIME(s)", left 14, "", "When the call returned, in seconds since the start" =>
        |call| Value::Elapsed(call.event.time_ns),
    "", left 0, "time", "When the call returned" => |call| Value::Time(call.event.time_ns),
    "PID", left 7, "pid", "Process id" => |call| call.event.pid.into(),
    "", left 0, "tid", "Thread id" => |call| call.event.tid.into(),
    "COMM", left 16, "comm", "Name of the thread" => |call| Value::c_string(&call.event.comm),
    "SYSCALL", left 10, "syscall", "System call" => |call| call.syscall().0.into(),
    "FD", right 4, "", "What the call returned, and no descriptor: 0, or -1 where it failed" =>
        |call| call.event.ret.max(-1).into(),
    "ERR", right 3, "errno", "Number of the error, or 0" => |call| call.event.ret.min(0).unsigned_abs().into(),
    "", left 0, "ret", "What the call returned: 0, or the error as a negative errno" => |call| call.event.ret.into(),
    "", left 0, "fd", "Descriptor that fstat or fstatfs was called with; null for other calls" =>
        |call| call.fd(&[FD]),
    "", left 0, "dirfd", "Folder that newfstatat or statx was given, -100 for the current one; null for other calls" =>
        |call| call.fd(&[AT, STATX]),
    "", left 0, "flags", "Flags of newfstatat or statx; null for other calls" => |call| call.flags(),
    "PATH", left 0, "", "Path that was asked about, or that of the open file; - where it is not known" =>
        |call| call.shown(),
    "", left 0, "path", "Path as the caller gave it; null where there was none, or none that could be read" =>
        |call| text(call.path.strip_suffix(b"\0")),
    "", left 0, "full_path", "Path from the root of the process, of others than open files with -F; or null" =>
        |call| text(call.full_path.as_deref()),
];

impl Call {
    /// The event of a record and the paths behind it.
    pub(crate) fn new(record: &[u8], full: bool) -> Self {
        let (event, strings) = event::<Event>(record);
        let (names, rest) = first(strings, event.names_len);
        let (given, _) = first(rest, event.path_len);
        let full_path = match escape::c_string(given) {
            _ if event.itself != 0 => path::join(names, event.names_end, b""),
            name @ [b'/', ..] if full => Some(name.to_vec()),
            name @ [_, ..] if full => path::join(names, event.names_end, name),
            _ => None,
        };
        Self { event: *event, path: given.to_vec(), full_path }
    }

    fn syscall(&self) -> (&'static str, u32) {
        CALLS.get((self.event.action / KINDS) as usize).copied().unwrap_or(("?", 0))
    }

    fn fd(&self, kinds: &[u32]) -> Value<'_> {
        if kinds.contains(&self.syscall().1) { self.event.fd.into() } else { Value::Missing }
    }

    fn flags(&self) -> Value<'_> {
        match self.syscall().1 {
            AT | STATX => flags::names(self.event.at_flags.into(), AT_FLAGS).into(),
            _ => Value::Missing,
        }
    }

    fn shown(&self) -> Value<'_> {
        text(self.full_path.as_deref().or(self.path.strip_suffix(b"\0")))
    }
}

fn text(bytes: Option<&[u8]>) -> Value<'_> {
    bytes.map_or(Value::Missing, |bytes| Value::Text(bytes.into()))
}

/// The first `length` bytes and the rest. A record in the buffer may be longer than its strings.
fn first(bytes: &[u8], length: u32) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.len().min(length as usize))
}
