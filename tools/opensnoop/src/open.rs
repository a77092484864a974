//! An open, as it is printed.

use corescope::flags::{self, Flag};
use corescope::syscalls::Abi;
use corescope::{Column, Value, errno, escape, event, path};

use crate::bpf::types::{opensnoop_call as Call, opensnoop_event as Event};
use crate::open_flags;

/// Every system call that opens a file by a name or handle, and how the kernel side reads its arguments.
pub(crate) const CALLS: &[(&str, u32)] = &[
    ("open", Call::OPENSNOOP_OPEN.0),
    ("creat", Call::OPENSNOOP_CREAT.0),
    ("openat", Call::OPENSNOOP_OPENAT.0),
    ("openat2", Call::OPENSNOOP_OPENAT2.0),
    ("open_by_handle_at", Call::OPENSNOOP_BY_HANDLE.0),
];

/// `RESOLVE_*` of openat2(2).
const RESOLVE: &[Flag] = &[
    (0x01, "RESOLVE_NO_XDEV"),
    (0x02, "RESOLVE_NO_MAGICLINKS"),
    (0x04, "RESOLVE_NO_SYMLINKS"),
    (0x08, "RESOLVE_BENEATH"),
    (0x10, "RESOLVE_IN_ROOT"),
    (0x20, "RESOLVE_CACHED"),
];

/// An open, with its path. One is filled again for each record.
pub(crate) struct Open {
    pub(crate) event: Event,
    path: Vec<u8>,
    names: Vec<u8>,
    full: bool,
}

pub(crate) const COLUMNS: &[Column<Open>] = corescope::columns![Open;
    text "TIME(s)" left 14: "Seconds since the start" => |open| Value::Elapsed(open.event.time_ns),
    json TIME: "When the call returned" => |open| Value::Time(open.event.time_ns),
    UID => |open| open.event.uid.into(),
    PID => |open| open.event.pid.into(),
    TID: "Thread id, in text with -t" => |open| open.event.tid.into(),
    COMM => |open| Value::c_string(&open.event.comm),
    text FD: "File descriptor, or -1" => |open| open.event.ret.max(-1).into(),
    ERRNO => |open| errno::of(open.event.ret).into(),
    json ERROR => |open| errno::name_of(open.event.ret).into(),
    json RET: "File descriptor, or the error as a negative number" => |open| open.event.ret.into(),
    json SYSCALL => |open| open.syscall().into(),
    json ABI => |open| Abi::of(open.event.compat != 0).name().into(),
    json IO_URING => |open| (open.event.uring != 0).into(),
    json DIRFD => |open| open.event.dirfd.into(),
    json FLAGS: "Flags of open(2)" => |open| open.event.flags.into(),
    FLAG_NAMES => |open| open_flags::names(open.event.flags).into(),
    "MODE" left 4 "mode" number: "Permissions of a file to be created, in octal in text" =>
        |open| Value::Octal(open.event.mode.into()),
    json "resolve" number: "Restrictions of openat2(2)" => |open| open.event.resolve.into(),
    json "resolve_names" text: "The same by name, or null" => |open| open.resolve().into(),
    text PATH: "Path as the caller gave it; with -F as seen from the process's root directory" => |open| open.shown(),
    json PATH: "Path as the caller gave it; null if it could not be read or the call has none" =>
        |open| open.given().into(),
    json FILE: "Path as seen from the process's root directory, with -F, and what a handle stands for; or null" =>
        |open| open.full().into(),
];

impl Open {
    pub(crate) fn new(full: bool) -> Self {
        Self { event: Event::default(), path: Vec::new(), names: Vec::new(), full }
    }

    /// Takes over a record.
    pub(crate) fn read(&mut self, record: &[u8]) {
        let (event, mut strings) = event::<Event>(record);
        self.event = *event;
        self.path.clear();
        self.path.extend_from_slice(strings.take(event.path_len));
        self.names.clear();
        self.names.extend_from_slice(strings.take(event.names_len));
    }

    pub(crate) fn comm(&self) -> &[u8] {
        escape::c_string(&self.event.comm)
    }

    fn syscall(&self) -> Option<&'static str> {
        CALLS.iter().find(|(_, call)| *call == u32::from(self.event.call)).map(|(name, _)| *name)
    }

    fn resolve(&self) -> Option<String> {
        (self.event.resolve != 0).then(|| flags::names(self.event.resolve.into(), RESOLVE))
    }

    /// The path of the call; none where there was nothing to read.
    fn given(&self) -> Option<&[u8]> {
        self.path.strip_suffix(b"\0")
    }

    /// The path from the root of the process on, where the kernel side looked for it.
    fn full(&self) -> Option<Vec<u8>> {
        match self.given() {
            // Without a name there is no file, and not the directory that a name would start at.
            Some([]) => None,
            Some(path) if path.starts_with(b"/") => self.full.then(|| path.to_vec()),
            path => path::join(&self.names, self.event.names_end, path.unwrap_or_default()),
        }
    }

    fn shown(&self) -> Value<'_> {
        let full = if self.full || self.given().is_none() { self.full() } else { None };
        full.map_or_else(|| self.given().into(), Value::from)
    }
}
