//! Calls that write back what the caches hold, each by the system call of that name.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;

/// Calls `sync`, `fsync`, `fdatasync`, `syncfs` or `sync_file_range`, which are given what they take of the rest. Gives
/// 0, or the error as a negative errno.
///
/// # Panics
/// It is none of these.
pub fn sync(call: &str, fd: i32, offset: i64, length: i64, flags: u32) -> i32 {
    // SAFETY: none of them takes a pointer.
    result(unsafe {
        match call {
            "sync" => libc::syscall(libc::SYS_sync),
            "fsync" => libc::syscall(libc::SYS_fsync, fd),
            "fdatasync" => libc::syscall(libc::SYS_fdatasync, fd),
            "syncfs" => libc::syscall(libc::SYS_syncfs, fd),
            "sync_file_range" => libc::syscall(libc::SYS_sync_file_range, fd, offset, length, flags),
            _ => panic!("no call of this kind: {call}"),
        }
    })
}

/// A file that is mapped to memory.
#[derive(Debug)]
pub struct Mapped {
    start: NonNull<u8>,
    length: usize,
}

impl Mapped {
    /// Maps the first `length` bytes of a file, shared with it and below 2 GiB.
    ///
    /// # Panics
    /// The kernel refuses.
    #[must_use]
    pub fn new(file: &File, length: usize) -> Self {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        #[cfg(target_arch = "x86_64")]
        let flags = libc::MAP_SHARED | libc::MAP_32BIT;
        #[cfg(not(target_arch = "x86_64"))]
        let flags = libc::MAP_SHARED;
        // SAFETY: new memory, wherever the kernel finds room.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), length, access, flags, file.as_raw_fd(), 0) };
        assert_ne!(start, libc::MAP_FAILED, "{}", std::io::Error::last_os_error());
        Self { start: NonNull::new(start.cast()).expect("no null page"), length }
    }

    /// Where it is.
    pub fn address(&self) -> usize {
        self.start.addr().get()
    }

    /// Calls `msync`.
    pub fn sync(&self, flags: i32) -> i32 {
        // SAFETY: the mapping is this value's own.
        result(unsafe { libc::syscall(libc::SYS_msync, self.start.as_ptr(), self.length, flags) })
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}

fn result(returned: libc::c_long) -> i32 {
    if returned < 0 { -std::io::Error::last_os_error().raw_os_error().expect("an errno") } else { 0 }
}
