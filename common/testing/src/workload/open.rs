//! The system calls that open files, made as they are: the C library has one way for all of them.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// `AT_FDCWD`: relative to the current directory.
pub const HERE: RawFd = libc::AT_FDCWD;

/// open(2), which only some architectures have; gives an error number where it fails.
///
/// # Errors
/// What the kernel answers.
#[cfg(target_arch = "x86_64")]
pub fn open(path: &OsStr, flags: i32, mode: u32) -> Result<OwnedFd, i32> {
    let path = c_string(path);
    // SAFETY: the path ends in NUL, and a new descriptor has no other owner.
    unsafe { own(libc::syscall(libc::SYS_open, path.as_ptr(), flags, mode)) }
}

/// creat(2), likewise.
///
/// # Errors
/// What the kernel answers.
#[cfg(target_arch = "x86_64")]
pub fn creat(path: &OsStr, mode: u32) -> Result<OwnedFd, i32> {
    let path = c_string(path);
    // SAFETY: as above.
    unsafe { own(libc::syscall(libc::SYS_creat, path.as_ptr(), mode)) }
}

/// openat(2).
///
/// # Errors
/// What the kernel answers.
pub fn openat(folder: RawFd, path: &OsStr, flags: i32, mode: u32) -> Result<OwnedFd, i32> {
    let path = c_string(path);
    // SAFETY: as above.
    unsafe { own(libc::syscall(libc::SYS_openat, folder, path.as_ptr(), flags, mode)) }
}

/// openat2(2), Linux 5.6.
///
/// # Errors
/// What the kernel answers.
pub fn openat2(folder: RawFd, path: &OsStr, flags: i32, mode: u32, resolve: u64) -> Result<OwnedFd, i32> {
    let path = c_string(path);
    let how = [u64::from(flags.cast_unsigned()), mode.into(), resolve];
    // SAFETY: the path ends in NUL, `how` has the size that is said, and a new descriptor has no other owner.
    unsafe { own(libc::syscall(libc::SYS_openat2, folder, path.as_ptr(), how.as_ptr(), size_of_val(&how))) }
}

/// openat(2) of an address where nothing is.
///
/// # Errors
/// What the kernel answers: EFAULT.
pub fn open_unreadable() -> Result<OwnedFd, i32> {
    // SAFETY: the kernel answers a bad address with an error.
    unsafe { own(libc::syscall(libc::SYS_openat, HERE, 8, libc::O_RDONLY)) }
}

/// open_by_handle_at(2) of a file that the caller can reach.
///
/// # Errors
/// What the kernel answers: EOPNOTSUPP from file systems without handles.
pub fn open_by_handle(path: &Path, flags: i32) -> Result<OwnedFd, i32> {
    /// `struct file_handle` with room for the largest.
    #[repr(C)]
    struct Handle {
        bytes: u32,
        kind: i32,
        data: [u8; 128],
    }
    let mut handle = Handle { bytes: 128, kind: 0, data: [0; 128] };
    let mut mount = 0;
    let within = openat(HERE, path.parent().expect("a folder").as_os_str(), libc::O_RDONLY, 0)?;
    let path = c_string(path.as_os_str());
    // SAFETY: the pointers are to locals, which say how long they are.
    let failed =
        unsafe { libc::syscall(libc::SYS_name_to_handle_at, HERE, path.as_ptr(), &raw mut handle, &raw mut mount, 0) };
    if failed < 0 {
        return Err(error());
    }
    // SAFETY: as above, and a new descriptor has no other owner.
    unsafe { own(libc::syscall(libc::SYS_open_by_handle_at, within.as_raw_fd(), &raw const handle, flags)) }
}

/// Opens and closes a file, so many times, from one CPU.
///
/// # Panics
/// It cannot be opened.
pub fn open_and_close(path: &OsStr, times: usize) {
    let path = c_string(path);
    for _ in 0..times {
        // SAFETY: the path ends in NUL, and the descriptor is this loop's own.
        unsafe {
            let fd = libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
            assert!(fd >= 0, "{}", io::Error::last_os_error());
            libc::close(fd);
        }
    }
}

fn c_string(text: &OsStr) -> CString {
    CString::new(text.as_bytes()).expect("no NUL within")
}

/// # Safety
/// Nobody else owns the descriptor.
unsafe fn own(result: libc::c_long) -> Result<OwnedFd, i32> {
    match RawFd::try_from(result) {
        // SAFETY: the caller's promise.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(error()),
    }
}

fn error() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// A file in memory, which is in no folder.
///
/// # Panics
/// The kernel refuses.
#[must_use]
pub fn memory_file() -> OwnedFd {
    // SAFETY: the name ends in NUL; a new descriptor has no other owner.
    unsafe {
        let fd = libc::memfd_create(c"cs-memory".as_ptr(), libc::MFD_CLOEXEC);
        assert!(fd >= 0, "memfd_create");
        OwnedFd::from_raw_fd(fd)
    }
}
