//! System calls that are made just so often, for nothing.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// pread64(2) of one byte.
///
/// # Panics
/// The file has none.
pub fn pread_byte(file: &File) {
    assert_eq!(file.read_at(&mut [0], 0).expect("a readable file"), 1);
}

/// pwrite64(2) of one byte.
///
/// # Panics
/// The file takes none.
pub fn pwrite_byte(file: &File) {
    assert_eq!(file.write_at(&[0], 0).expect("a writable file"), 1);
}

/// close(2) of what is not open; gives the error.
#[must_use]
pub fn close_nothing() -> i32 {
    // SAFETY: no file has this number.
    unsafe { libc::close(-1) };
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// getppid(2), so many times.
pub fn get_parents(times: u64) {
    for _ in 0..times {
        // SAFETY: getppid(2) takes nothing.
        unsafe { libc::getppid() };
    }
}
