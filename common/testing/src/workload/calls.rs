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

/// From now on the kernel refuses this thread, and those that it starts, sethostname(2) before it enters it (seccomp(2)).
///
/// # Panics
/// The kernel has no such filters.
pub fn refuse_sethostname() {
    let number = u32::try_from(libc::SYS_sethostname).expect("a small number");
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: u16::try_from(code).expect("16 bits"), jt, jf, k };
    let mut filter = [
        // The number is what `struct seccomp_data` begins with.
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, number),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs()),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
    // SAFETY: a program of as many steps as it says, which the kernel copies.
    let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    assert_eq!(set, 0, "seccomp");
}

/// sethostname(2), which must be refused.
///
/// # Panics
/// It is not, which has changed nothing all the same: the length is none.
pub fn set_no_hostname() {
    // SAFETY: the kernel reads nothing from there.
    assert_eq!(unsafe { libc::sethostname(std::ptr::null(), usize::MAX) }, -1);
}
