//! Classic tracepoints: their ids are in tracefs, which may not be mounted.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::path::Path;

use anyhow::{Context, Result};
use libbpf_rs::{Link, ProgramMut};

use super::perf::{self, Attributes, own};

/// Where tracefs is mounted, if it is.
const MOUNTS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// Attaches a program to the tracepoint `group:name`.
///
/// # Errors
/// A sentence that names the tracepoint, where the kernel does not have it or refuses it.
pub fn attach(program: &ProgramMut<'_>, group: &str, name: &str) -> Result<Link> {
    let what = || format!("cannot trace {group}:{name}");
    let id = id(group, name).with_context(what)?;
    let event = perf_event(id).with_context(what)?;
    // The link closes the descriptor.
    program.attach_perf_event(event.into_raw_fd()).with_context(what)
}

/// Whether the kernel has the tracepoint `group:name`, and shows it.
pub(crate) fn exists(group: &str, name: &str) -> bool {
    id(group, name).is_ok()
}

fn id(group: &str, name: &str) -> Result<u64> {
    let file = format!("events/{group}/{name}/id");
    let text = match MOUNTS.iter().find(|mount| Path::new(mount).join("events").exists()) {
        Some(mount) => {
            fs::read_to_string(Path::new(mount).join(&file)).context("this kernel has no such tracepoint")?
        }
        None => read_unmounted(&file)?,
    };
    text.trim().parse().context("its id is no number")
}

/// Reads a file of tracefs through a mount that is not attached anywhere: nothing of it is left behind.
fn read_unmounted(file: &str) -> Result<String> {
    let mount = detached_mount().context("tracefs is not mounted, and the kernel refuses a mount of it")?;
    let path = CString::new(file)?;
    // SAFETY: the path ends in NUL, and the new descriptor has no other owner.
    let mut file = unsafe {
        let fd = libc::openat(mount.as_raw_fd(), path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return Err(io::Error::last_os_error()).context("this kernel has no such tracepoint");
        }
        File::from_raw_fd(fd)
    };
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// fsopen(2), fsconfig(2) and fsmount(2), Linux 5.2.
fn detached_mount() -> io::Result<OwnedFd> {
    const FSOPEN_CLOEXEC: libc::c_uint = 1;
    const FSMOUNT_CLOEXEC: libc::c_uint = 1;
    const FSCONFIG_CMD_CREATE: libc::c_uint = 6;
    // SAFETY: the only pointers are to a literal that ends in NUL and null ones where nothing is to be said.
    unsafe {
        let context = own(libc::syscall(libc::SYS_fsopen, c"tracefs".as_ptr(), FSOPEN_CLOEXEC))?;
        let none = std::ptr::null::<libc::c_char>();
        if libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), FSCONFIG_CMD_CREATE, none, none, 0) < 0 {
            return Err(io::Error::last_os_error());
        }
        own(libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), FSMOUNT_CLOEXEC, 0))
    }
}

/// The event of a tracepoint: of all tasks and all CPUs, for which one is named does not matter for BPF.
fn perf_event(id: u64) -> io::Result<OwnedFd> {
    const PERF_TYPE_TRACEPOINT: u32 = 2;
    let attributes =
        Attributes { kind: PERF_TYPE_TRACEPOINT, config: id, period: 1, wakeup_events: 1, ..Attributes::default() };
    perf::open(attributes, 0)
}
