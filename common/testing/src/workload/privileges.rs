//! System calls that need a capability, and a thread that has none.

use super::stacks::call;

/// No uid of a test's own: nobody's.
pub const NOBODY: u32 = 65534;

/// Makes `/` the root, which it is: needs `CAP_SYS_CHROOT`, asked for once. Gives 0 or a negative errno.
pub fn chroot() -> i64 {
    // SAFETY: the path ends in NUL.
    unsafe { call(libc::SYS_chroot, [c"/".as_ptr() as usize, 0, 0, 0]) }
}

/// Takes another user's ids for the calling thread alone: needs `CAP_SETUID`. Gives 0 or a negative errno.
pub fn set_user(uid: u32) -> i64 {
    // SAFETY: the call takes numbers; unlike that of the C library it concerns one thread.
    unsafe { call(libc::SYS_setresuid, [uid as usize, uid as usize, uid as usize, 0]) }
}

/// Does something in a thread that has been root, and has the rights of nobody from now on.
///
/// # Panics
/// The process is not root, or `work` panics.
pub fn as_nobody<Answer: Send>(work: impl FnOnce() -> Answer + Send) -> Answer {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            assert_eq!(set_user(NOBODY), 0, "tests run as root");
            work()
        });
        thread.join().expect("a thread of nobody's")
    })
}
