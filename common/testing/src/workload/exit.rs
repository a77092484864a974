//! Processes and threads that end in a known way.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// A child of this process that was not waited for yet.
#[derive(Debug)]
pub struct Forked(libc::pid_t);

impl Forked {
    /// A copy of this process that does `work` in its only thread, and exits with 0 unless `work` ends it otherwise.
    ///
    /// # Panics
    /// The kernel refuses.
    #[must_use]
    pub fn new(work: impl FnOnce()) -> Self {
        // SAFETY: the C library keeps its locks usable in the child, and `work` takes no others of other threads.
        match unsafe { libc::fork() } {
            -1 => panic!("fork: {}", std::io::Error::last_os_error()),
            0 => {
                work();
                // SAFETY: _exit(2) takes no pointers, and runs nothing that belongs to the parent.
                unsafe { libc::_exit(0) }
            }
            pid => Self(pid),
        }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.unsigned_abs()
    }

    /// How it ended, as wait(2) tells.
    ///
    /// # Panics
    /// Somebody else waited for it.
    #[must_use]
    pub fn wait(self) -> ExitStatus {
        let mut status = 0;
        // SAFETY: the pointer is to a local.
        let pid = unsafe { libc::waitpid(self.0, &raw mut status, 0) };
        assert_eq!(pid, self.0, "{}", std::io::Error::last_os_error());
        ExitStatus::from_raw(status)
    }
}

/// Makes as many processes that exit with 0 at once, one after the other: they cost little beside their beginning and end,
/// for they share the memory of this process and stop it as long as they live.
///
/// # Panics
/// The kernel refuses.
pub fn short_lives(count: usize) {
    extern "C" fn exit(_: *mut libc::c_void) -> libc::c_int {
        0
    }
    let mut stack = vec![0u128; 1024];
    let end = stack.as_mut_ptr_range().end;
    for _ in 0..count {
        let mut status = 0;
        // SAFETY: the child has a stack of its own, which nobody uses beside it, and just exits.
        let pid = unsafe {
            let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
            libc::clone(exit, end.cast(), flags, std::ptr::null_mut())
        };
        assert!(pid > 0, "clone: {}", std::io::Error::last_os_error());
        // SAFETY: the pointer is to a local.
        let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
        assert_eq!((waited, status), (pid, 0));
    }
}

/// Ends the calling thread and no other: the process ends with its last thread. Nothing is cleaned up.
pub fn exit_thread(code: i32) -> ! {
    loop {
        // SAFETY: exit(2) takes no pointers and does not return.
        unsafe { libc::syscall(libc::SYS_exit, code) };
    }
}

/// Ends the process, whichever thread calls. Nothing is cleaned up.
pub fn exit_process(code: i32) -> ! {
    // SAFETY: _exit(2) takes no pointers.
    unsafe { libc::_exit(code) }
}
