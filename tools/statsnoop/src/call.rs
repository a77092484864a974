//! A call, as it is printed.

use corescope::flags::{self, Flag};
use corescope::syscalls::{Abi, Calls};
use corescope::{Column, Value, errno, event, path};

use crate::bpf::types::{statsnoop_event as Event, statsnoop_kind as Kind};

/// Where the arguments are.
const FD: u32 = Kind::STATSNOOP_FD.0;
const AT: u32 = Kind::STATSNOOP_AT.0;
const STATX: u32 = Kind::STATSNOOP_STATX.0;

/// All calls that are traced. Most have more than one for 32-bit callers.
pub(crate) const CALLS: Calls = Calls {
    kinds: Kind::STATSNOOP_KINDS.0,
    by_kind: &[
        (Kind::STATSNOOP_PATH.0, &["stat", "lstat", "statfs", "stat64", "lstat64", "statfs64", "oldstat", "oldlstat"]),
        (FD, &["fstat", "fstatfs", "fstat64", "fstatfs64", "oldfstat"]),
        (AT, &["newfstatat", "fstatat64"]),
        (STATX, &["statx"]),
    ],
};

const AT_FLAGS: &[Flag] = &[
    (0x100, "AT_SYMLINK_NOFOLLOW"),
    (0x800, "AT_NO_AUTOMOUNT"),
    (0x1000, "AT_EMPTY_PATH"),
    (0x2000, "AT_STATX_FORCE_SYNC"),
    (0x4000, "AT_STATX_DONT_SYNC"),
];

/// A call, with its path.
pub(crate) struct Call {
    event: Event,
    path: Option<Vec<u8>>,
    file: Option<Vec<u8>>,
}

pub(crate) const COLUMNS: &[Column<Call>] = corescope::columns![Call;
    text "TIME(s)" left 14: "When the call returned, in seconds since the start" =>
        |call| Value::Elapsed(call.event.time_ns),
    json TIME: "When the call returned" => |call| Value::Time(call.event.time_ns),
    PID => |call| call.event.pid.into(),
    json TID => |call| call.event.tid.into(),
    COMM => |call| Value::c_string(&call.event.comm),
    SYSCALL as "SYSCALL" left 10 => |call| call.syscall().0.into(),
    json ABI => |call| Abi::of(call.event.compat != 0).name().into(),
    text FD: "What the call returned, and no descriptor: 0, or -1 if it failed" => |call| call.event.ret.max(-1).into(),
    ERRNO => |call| errno::of(call.event.ret).into(),
    json ERROR => |call| errno::name_of(call.event.ret).into(),
    json RET: "What the call returned: 0, or the error as a negative number" => |call| call.event.ret.into(),
    json FD: "Descriptor that fstat or fstatfs was called with; null for other calls" => |call| call.fd(&[FD]).into(),
    json DIRFD: "Directory that newfstatat or statx was given, -100 for the current one; null for other calls" =>
        |call| call.fd(&[AT, STATX]).into(),
    json FLAGS: "Flags of newfstatat or statx; null for other calls" => |call| call.flags().into(),
    json FLAG_NAMES: "The same by name" => |call| call.flags().map(|flags| flags::names(flags.into(), AT_FLAGS)).into(),
    text PATH: "Path that was asked about, or that of the open file; - if it is not known" => |call| call.shown().into(),
    json PATH: "Path as the caller gave it; null if there was none, or none that could be read" =>
        |call| call.path.as_deref().into(),
    json FILE: "Path as seen from the process's root directory: of an open file, and of others with -F; or null" =>
        |call| call.file.as_deref().into(),
];

impl Call {
    /// The event of a record and the paths behind it.
    pub(crate) fn new(record: &[u8], full: bool) -> Self {
        let (event, mut strings) = event::<Event>(record);
        let (names, given) = (strings.take(event.names_len), strings.text(event.path_len));
        let file = match given.unwrap_or_default() {
            _ if event.itself != 0 => path::join(names, event.names_end, b""),
            name @ [b'/', ..] if full => Some(name.to_vec()),
            name @ [_, ..] if full => path::join(names, event.names_end, name),
            _ => None,
        };
        Self { event: *event, path: given.map(<[u8]>::to_vec), file }
    }

    fn syscall(&self) -> (&'static str, u32) {
        CALLS.of(self.event.action)
    }

    fn fd(&self, kinds: &[u32]) -> Option<i32> {
        kinds.contains(&self.syscall().1).then_some(self.event.fd)
    }

    fn flags(&self) -> Option<u32> {
        matches!(self.syscall().1, AT | STATX).then_some(self.event.at_flags)
    }

    fn shown(&self) -> Option<&[u8]> {
        self.file.as_deref().or(self.path.as_deref())
    }
}
