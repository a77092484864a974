//! Memory that is given back, and files in memory.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::PathBuf;

/// Gives back what was needed until now: free memory of the heap, and the code, of which the next part of a run needs another
/// quarter. Code that is needed again comes back from the page cache, some pages at a time; on a machine that is short of
/// memory the rest need not stay.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it concerns memory that nobody uses.
    unsafe {
        libc::malloc_trim(0)
    };
    // SAFETY: the linker defines both symbols, and only their addresses are taken. Nobody writes to what lies between: the
    // kernel reads it from the executable again.
    unsafe {
        let (start, end) = (&raw const __executable_start, &raw const etext);
        let page = usize::try_from(libc::sysconf(libc::_SC_PAGESIZE)).unwrap_or(4096);
        let length = (end.addr() - start.addr()) / page * page;
        libc::madvise(start.cast_mut().cast(), length, libc::MADV_DONTNEED);
    };
}

unsafe extern "C" {
    static __executable_start: u8;
    static etext: u8;
}

/// A file that nobody but this process sees, for a library that wants a path. It is gone with this value.
#[derive(Debug)]
pub(crate) struct MemoryFile(File);

impl MemoryFile {
    /// An empty one.
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: the name ends in NUL; a new descriptor has no other owner.
        unsafe {
            let fd = libc::memfd_create(c"corescope".as_ptr(), libc::MFD_CLOEXEC);
            if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(Self(File::from_raw_fd(fd))) }
        }
    }

    /// By which this process opens it.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }
}
