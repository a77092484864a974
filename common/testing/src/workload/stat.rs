//! Questions about files and file systems, each by the system call of that name.

use std::ffi::CStr;

/// Asks with the system call `call`, which is given what it takes of the rest: `fd` is the file's or the folder's. No
/// path is a null pointer. Gives 0, or the error as a negative errno.
///
/// # Panics
/// It is none of the stat family.
pub fn stat(call: &str, fd: i32, path: Option<&CStr>, flags: i32) -> i32 {
    let path = path.map_or(std::ptr::null(), CStr::as_ptr);
    // More than the largest of the structs.
    let mut result = [0u64; 64];
    let to = result.as_mut_ptr();
    // SAFETY: the path ends in NUL or is a null pointer, and the result has room for each struct.
    let returned = unsafe {
        match call {
            #[cfg(target_arch = "x86_64")]
            "stat" => libc::syscall(libc::SYS_stat, path, to),
            #[cfg(target_arch = "x86_64")]
            "lstat" => libc::syscall(libc::SYS_lstat, path, to),
            "fstat" => libc::syscall(libc::SYS_fstat, fd, to),
            "newfstatat" => libc::syscall(libc::SYS_newfstatat, fd, path, to, flags),
            "statx" => libc::syscall(libc::SYS_statx, fd, path, flags, libc::STATX_BASIC_STATS, to),
            "statfs" => libc::syscall(libc::SYS_statfs, path, to),
            "fstatfs" => libc::syscall(libc::SYS_fstatfs, fd, to),
            _ => panic!("no call of the stat family: {call}"),
        }
    };
    if returned < 0 { -std::io::Error::last_os_error().raw_os_error().expect("an errno") } else { 0 }
}

/// Asks as a 32-bit program does, with the call that has this name and number there.
///
/// # Panics
/// It is none of the stat family.
#[cfg(target_arch = "x86_64")]
pub fn stat_compat(call: &str, number: u32, fd: i32, path: &CStr, flags: i32) -> i32 {
    /// What the kernel wants to hear: `sizeof(struct statfs64)` of i386.
    const STATFS64_BYTES: u32 = 84;
    let mut memory = super::LowMemory::new();
    let (path, to) = (memory.put_string(path), memory.put(&[0; 512]));
    let (fd, flags) = (fd.cast_unsigned(), flags.cast_unsigned());
    let arguments = match call {
        "oldstat" | "oldlstat" | "stat" | "lstat" | "stat64" | "lstat64" | "statfs" => [path, to, 0, 0, 0],
        "oldfstat" | "fstat" | "fstat64" | "fstatfs" => [fd, to, 0, 0, 0],
        "fstatat64" => [fd, path, to, flags, 0],
        "statx" => [fd, path, flags, libc::STATX_BASIC_STATS, to],
        "statfs64" => [path, STATFS64_BYTES, to, 0, 0],
        "fstatfs64" => [fd, STATFS64_BYTES, to, 0, 0],
        _ => panic!("no call of the stat family: {call}"),
    };
    // SAFETY: the path ends in NUL, and the result has room for each struct.
    unsafe { super::compat(number, arguments) }
}
