//! Calls that write a file back. There is nothing to write, so that they are quick.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr;

pub(super) fn write_back(folder: &Path, rounds: usize) {
    const PAGE: usize = 4096;
    let file = File::create_new(folder.join("written")).expect("a writable folder");
    let fd = file.as_raw_fd();
    // SAFETY: a mapping of its own, which nobody accesses.
    unsafe {
        let (access, kind) = (libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let memory = libc::mmap(ptr::null_mut(), PAGE, access, kind, -1, 0);
        assert_ne!(memory, libc::MAP_FAILED, "a page");
        for _ in 0..rounds {
            assert_eq!(libc::fdatasync(fd), 0);
            assert_eq!(libc::msync(memory, PAGE, libc::MS_ASYNC), 0);
            assert_eq!(libc::sync_file_range(fd, 0, 0, libc::SYNC_FILE_RANGE_WRITE), 0);
        }
        libc::munmap(memory, PAGE);
    }
}
