//! An open, as it is printed.

use corescope::flags::{self, Flag};
use corescope::stream::event;
use corescope::{Column, Value, escape, path};

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
    "TIME(s)", left 14, "", "Seconds since the start" => |open| Value::Elapsed(open.event.time_ns),
    "", left 0, "time", "When the call returned" => |open| Value::Time(open.event.time_ns),
    "UID", left 6, "uid", "Real user id" => |open| open.event.uid.into(),
    "PID", left 7, "pid", "Process id" => |open| open.event.pid.into(),
    "TID", left 7, "tid", "Thread id, in text with -t" => |open| open.event.tid.into(),
    "COMM", left 16, "comm", "Name of the thread" => |open| Value::c_string(&open.event.comm),
    "FD", right 4, "", "File descriptor, or -1" => |open| open.event.ret.max(-1).into(),
    "ERR", right 3, "", "Error number (errno), or 0" => |open| open.error().into(),
    "", left 0, "call", "System call; that of a 32-bit caller ends with (32-bit)" => |open| open.call(),
    "", left 0, "ret", "File descriptor, or the error as a negative errno" => |open| open.event.ret.into(),
    "", left 0, "dirfd", "Descriptor of the folder that a relative path starts at; -100 (AT_FDCWD) is the current one" =>
        |open| open.event.dirfd.into(),
    "", left 0, "flags", "Flags of open(2)" => |open| open.event.flags.into(),
    "FLAGS", left 31, "flag_names", "The same by name" => |open| open.flags().into(),
    "MODE", left 4, "mode", "Permissions of a file to be created, in octal in text" => |open| open.mode(),
    "", left 0, "resolve", "Restrictions of openat2(2) by name" => |open| open.resolve(),
    "PATH", left 0, "", "The path as the caller gave it; with -F from the root of the process" => |open| open.shown(),
    "", left 0, "path", "The path as the caller gave it; null where it could not be read or the call has none" =>
        |open| open.given().map_or(Value::Missing, |path| Value::Text(path.into())),
    "", left 0, "full_path", "The same from the root of the process, with -F, and what a handle stands for" =>
        |open| open.full().map_or(Value::Missing, |path| Value::Text(path.into())),
];

impl Open {
    pub(crate) fn new(full: bool) -> Self {
        Self { event: Event::default(), path: Vec::new(), names: Vec::new(), full }
    }

    /// Takes over a record.
    pub(crate) fn read(&mut self, record: &[u8]) {
        let (event, strings) = event::<Event>(record);
        self.event = *event;
        let (path, rest) = strings.split_at(strings.len().min(event.path_len.into()));
        self.path.clear();
        self.path.extend_from_slice(path);
        self.names.clear();
        self.names.extend_from_slice(&rest[..rest.len().min(event.names_len.into())]);
    }

    pub(crate) fn comm(&self) -> &[u8] {
        escape::c_string(&self.event.comm)
    }

    fn error(&self) -> u32 {
        self.event.ret.min(0).unsigned_abs()
    }

    fn call(&self) -> Value<'static> {
        match CALLS.iter().find(|(_, call)| *call == u32::from(self.event.call)) {
            Some((name, _)) if self.event.compat != 0 => format!("{name} (32-bit)").into(),
            Some((name, _)) => (*name).into(),
            None => Value::Missing,
        }
    }

    fn flags(&self) -> String {
        let mode = MODES[(self.event.flags & ACCESS) as usize];
        match self.event.flags & !ACCESS {
            0 => mode.to_string(),
            rest => format!("{mode}|{}", flags::names(rest.into(), FLAGS)),
        }
    }

    fn mode(&self) -> Value<'static> {
        Value::Octal(self.event.mode.into())
    }

    fn resolve(&self) -> Value<'static> {
        match self.event.resolve {
            0 => Value::Missing,
            bits => flags::names(bits.into(), RESOLVE).into(),
        }
    }

    /// The path of the call; none where there was nothing to read.
    fn given(&self) -> Option<&[u8]> {
        self.path.strip_suffix(b"\0")
    }

    /// The path from the root of the process on, where the kernel side looked for it.
    fn full(&self) -> Option<Vec<u8>> {
        match self.given() {
            Some(path) if path.starts_with(b"/") => self.full.then(|| path.to_vec()),
            path => path::join(&self.names, self.event.names_end, path.unwrap_or_default()),
        }
    }

    fn shown(&self) -> Value<'_> {
        let full = if self.full || self.given().is_none() { self.full() } else { None };
        match (full, self.given()) {
            (Some(full), _) => Value::Text(full.into()),
            (None, Some(given)) => Value::Text(given.into()),
            (None, None) => Value::Missing,
        }
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
