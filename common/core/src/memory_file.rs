//! A file that nobody but this process sees, for a library that wants a path.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::PathBuf;

/// It is gone with this value.
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
