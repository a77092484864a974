//! Who is measured: corescope's tools, and those of the same name that others have.

use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr;

use corescope_testing::tool::binary;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours,
    Libbpf,
    Bpftrace,
    /// BCC's Python tools.
    Bcc,
}

/// One collection of tools.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) kind: Kind,
    pub(crate) version: String,
    root: PathBuf,
}

/// What a peer must be told to show what corescope's tool shows without being asked.
const ARGUMENTS: &[(Kind, &str, &[&str])] = &[(Kind::Libbpf, "tcptop", &["-C"]), (Kind::Bcc, "tcptop", &["-C"])];

impl Candidate {
    pub(crate) fn ours() -> Self {
        Self { kind: Kind::Ours, version: env!("CARGO_PKG_VERSION").into(), root: "/".into() }
    }

    /// From `libbpf-tools,0.26.0,/`: what it is, its version, and the root folder in which it is installed.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ',');
        let kind = match parts.next()? {
            "libbpf-tools" => Kind::Libbpf,
            "bpftrace" => Kind::Bpftrace,
            "bpfcc-tools" => Kind::Bcc,
            _ => return None,
        };
        Some(Self { kind, version: parts.next()?.into(), root: parts.next()?.into() })
    }

    pub(crate) fn name(&self) -> String {
        let name = match self.kind {
            Kind::Ours => return "corescope".into(),
            Kind::Libbpf => "libbpf-tools",
            Kind::Bpftrace => "bpftrace",
            Kind::Bcc => "BCC",
        };
        format!("{name} {}", self.short_version())
    }

    /// Without what Debian adds: 0.26.0+ds-1 is 0.26.0.
    fn short_version(&self) -> &str {
        self.version.split(['+', '-', '~']).next().unwrap_or_default()
    }

    /// In the order of time.
    pub(crate) fn age(&self) -> Vec<u32> {
        self.short_version().split('.').map(|part| part.parse().unwrap_or(0)).collect()
    }

    /// The file that is executed for a tool, within the root folder, where there is one.
    fn program(&self, tool: &str) -> Option<PathBuf> {
        let inside = |path: &str| self.root.join(path.trim_start_matches('/'));
        match self.kind {
            Kind::Ours => Some(binary(tool)),
            Kind::Libbpf => {
                let path = format!("/usr/sbin/{tool}");
                // BCC's Python tools have the same names in places.
                fs::read(inside(&path)).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF")).then(|| path.into())
            }
            Kind::Bpftrace => inside(&script(tool)).exists().then(|| "/usr/bin/bpftrace".into()),
            Kind::Bcc => {
                let path = format!("/usr/sbin/{tool}-bpfcc");
                inside(&path).exists().then(|| path.into())
            }
        }
    }

    /// The size of that file.
    pub(crate) fn size(&self, tool: &str) -> Option<u64> {
        let program = self.program(tool)?;
        let path = if self.kind == Kind::Ours { program } else { self.root.join(program.strip_prefix("/").ok()?) };
        fs::metadata(path).ok().map(|data| data.len())
    }

    /// How a tool is started, if it has one of that name.
    pub(crate) fn command(&self, tool: &str) -> Option<Command> {
        let mut command = Command::new(self.program(tool)?);
        if self.kind == Kind::Bpftrace {
            command.arg(script(tool));
        }
        let own = ARGUMENTS.iter().find(|(kind, name, _)| *kind == self.kind && *name == tool);
        command.args(own.map_or(&[][..], |(_, _, arguments)| arguments));
        // Without, some ask for /etc/localtime with each row, which is not there everywhere: opensnoop would see itself.
        command.env("TZ", "UTC0");
        let root = CString::new(self.root.as_os_str().as_bytes()).expect("no NUL in a path");
        // SAFETY: the closure makes system calls only, with a string that ends in NUL.
        unsafe {
            command.pre_exec(move || {
                check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGINT))?;
                libc::signal(libc::SIGINT, libc::SIG_DFL);
                check(libc::chroot(root.as_ptr()))?;
                check(libc::chdir(c"/".as_ptr()))
            });
        }
        Some(command)
    }
}

fn script(tool: &str) -> String {
    format!("/usr/sbin/{tool}.bt")
}

/// Where files of this process are in memory.
pub(crate) const MEMORY: &str = "/dev/shm";

/// Mounts what tools need, for this process and those that it starts: tracefs, and in the peers' root folders the
/// machine's /proc, /sys and /dev; also a file system in memory. All is gone with them.
pub(crate) fn mount(candidates: &[Candidate]) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    mount_one(Path::new("none"), Path::new("/"), libc::MS_REC | libc::MS_PRIVATE, None)?;
    let tracefs = Path::new("/sys/kernel/tracing");
    if !tracefs.join("events").exists() {
        mount_one(Path::new("tracefs"), tracefs, 0, Some(c"tracefs"))?;
    }
    if Path::new(MEMORY).exists() {
        mount_one(Path::new("tmpfs"), Path::new(MEMORY), 0, Some(c"tmpfs"))?;
    }
    for candidate in candidates.iter().filter(|candidate| candidate.root != Path::new("/")) {
        for folder in ["proc", "sys", "dev"] {
            let to = candidate.root.join(folder);
            let there = Path::new("/").join(folder);
            mount_one(&there, &to, libc::MS_REC | libc::MS_BIND, None)?;
        }
    }
    Ok(())
}

fn mount_one(from: &Path, to: &Path, flags: libc::c_ulong, kind: Option<&CStr>) -> io::Result<()> {
    let text = |path: &Path| CString::new(path.as_os_str().as_bytes()).expect("no NUL in a path");
    let (from, to) = (text(from), text(to));
    let kind = kind.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: strings that end in NUL, or null pointers.
    check(unsafe { libc::mount(from.as_ptr(), to.as_ptr(), kind, flags, ptr::null()) })
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
