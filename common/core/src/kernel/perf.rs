//! perf_event_open(2), for what BPF programs are attached to.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// `struct perf_event_attr` in its first published version, which all kernels take.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    pub(crate) kind: u32,
    /// Filled in by [`open`].
    pub(crate) size: u32,
    pub(crate) config: u64,
    /// A frequency where `flags` say so.
    pub(crate) period: u64,
    pub(crate) sample_type: u64,
    pub(crate) read_format: u64,
    pub(crate) flags: u64,
    pub(crate) wakeup_events: u32,
    pub(crate) breakpoint_type: u32,
    pub(crate) config1: u64,
}

/// An event of all tasks on one CPU.
pub(crate) fn open(attributes: Attributes, cpu: u32) -> io::Result<OwnedFd> {
    const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 8;
    let size = u32::try_from(size_of::<Attributes>()).unwrap_or(0);
    let attributes = Attributes { size, ..attributes };
    // SAFETY: the pointer is to a local whose size it states; the new descriptor has no other owner.
    unsafe { own(libc::syscall(libc::SYS_perf_event_open, &raw const attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC)) }
}

/// A descriptor that a system call returned, or its error.
///
/// # Safety
/// Nobody else owns the descriptor.
pub(super) unsafe fn own(fd: libc::c_long) -> io::Result<OwnedFd> {
    match libc::c_int::try_from(fd) {
        // SAFETY: the caller's promise.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}
