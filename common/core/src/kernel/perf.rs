//! perf_event_open(2), for what BPF programs are attached to.

use std::fs;
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

/// Whether this process may have events of all tasks. Debian's kernels have a level of `kernel.perf_event_paranoid` that takes
/// CAP_SYS_ADMIN.
pub(crate) fn is_permitted() -> bool {
    const PERF_TYPE_SOFTWARE: u32 = 1;
    const PERF_COUNT_SW_DUMMY: u64 = 9;
    let nothing = Attributes { kind: PERF_TYPE_SOFTWARE, config: PERF_COUNT_SW_DUMMY, ..Attributes::default() };
    open(nothing, 0).is_ok()
}

/// Why the kernel refuses events, if it does.
pub(crate) fn refusal() -> Option<String> {
    let level = || fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap_or_default();
    (!is_permitted()).then(|| format!("kernel.perf_event_paranoid is {}, which takes CAP_SYS_ADMIN", level().trim()))
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
