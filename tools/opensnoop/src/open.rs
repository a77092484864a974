//! An open, as it is printed.

use corescope::flags::{self, Flag};
use corescope::syscalls::Abi;
use corescope::{Column, Value, errno, escape, event, path};

use crate::bpf::types::{opensnoop_call as Call, opensnoop_event as Event};

/// Every system call that opens a file by a name or handle, and how the kernel side reads its arguments.
pub(crate) const CALLS: &[(&str, u32)] = &[
    ("open", Call::OPENSNOOP_OPEN.0),
    ("creat", Call::OPENSNOOP_CREAT.0),
    ("openat", Call::OPENSNOOP_OPENAT.0),
    ("openat2", Call::OPENSNOOP_OPENAT2.0),
    ("open_by_handle_at", Call::OPENSNOOP_BY_HANDLE.0),
];

/// `O_ACCMODE` of open(2), and the three modes.
const ACCESS: u32 = 3;
const MODES: [&str; 4] = ["O_RDONLY", "O_WRONLY", "O_RDWR", "3"];

/// The flags of open(2), those of several bits first.
#[allow(clippy::cast_sign_loss, reason = "bits")]
const FLAGS: &[Flag] = &[
    (libc::O_TMPFILE as u64, "O_TMPFILE"),
    (libc::O_SYNC as u64, "O_SYNC"),
    (libc::O_CREAT as u64, "O_CREAT"),
    (libc::O_EXCL as u64, "O_EXCL"),
    (libc::O_NOCTTY as u64, "O_NOCTTY"),
    (libc::O_TRUNC as u64, "O_TRUNC"),
    (libc::O_APPEND as u64, "O_APPEND"),
    (libc::O_NONBLOCK as u64, "O_NONBLOCK"),
    (libc::O_DSYNC as u64, "O_DSYNC"),
    (libc::O_ASYNC as u64, "O_ASYNC"),
    (libc::O_DIRECT as u64, "O_DIRECT"),
    // libc's own is 0 on 64-bit machines, where programs need not say it.
    (LARGEFILE, "O_LARGEFILE"),
    (libc::O_DIRECTORY as u64, "O_DIRECTORY"),
    (libc::O_NOFOLLOW as u64, "O_NOFOLLOW"),
    (libc::O_NOATIME as u64, "O_NOATIME"),
    (libc::O_CLOEXEC as u64, "O_CLOEXEC"),
    (libc::O_PATH as u64, "O_PATH"),
];
const LARGEFILE: u64 = if cfg!(target_arch = "aarch64") { 0o400_000 } else { 0o100_000 };

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
    FLAG_NAMES => |open| open.flags().into(),
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

    fn flags(&self) -> String {
        let mode = MODES[(self.event.flags & ACCESS) as usize];
        match self.event.flags & !ACCESS {
            0 => mode.to_string(),
            rest => format!("{mode}|{}", flags::names(rest.into(), FLAGS)),
        }
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

/// What `-f` asks for: an access mode, or bits that must all be there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted {
    Mode(u32),
    Flags(u32),
}

/// A flag of open(2) by name, as `O_WRONLY`.
///
/// # Errors
/// A sentence for what is none.
pub(crate) fn wanted(name: &str) -> Result<Wanted, String> {
    if let Some(mode) = MODES[..3].iter().position(|mode| *mode == name) {
        return Ok(Wanted::Mode(1 << mode));
    }
    let found = FLAGS.iter().find(|(_, known)| *known == name);
    let bits = found.and_then(|(bits, _)| u32::try_from(*bits).ok());
    bits.map(Wanted::Flags).ok_or_else(|| "not a flag of open(2), as O_WRONLY or O_CREAT".into())
}
