//! System calls that need a capability, a thread that has none, and a process in a user namespace.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

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

/// Asks for the limits of another user's process: needs `CAP_SYS_RESOURCE` in its user namespace. Gives 0 or a negative
/// errno.
pub fn see_limits(pid: u32) -> i64 {
    let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    let asked = [pid as usize, libc::RLIMIT_NOFILE as usize, 0, &raw mut limit as usize];
    // SAFETY: the last argument is a struct to be filled.
    unsafe { call(libc::SYS_prlimit64, asked) }
}

/// Does something in a thread that has been root, and has the rights of nobody from now on.
///
/// # Panics
/// The process is not root, or `work` panics.
pub fn as_nobody<Answer: Send>(work: impl FnOnce() -> Answer + Send) -> Answer {
    as_user(NOBODY, work)
}

/// The same as another user.
///
/// # Panics
/// The process is not root, or `work` panics.
pub fn as_user<Answer: Send>(uid: u32, work: impl FnOnce() -> Answer + Send) -> Answer {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            assert_eq!(set_user(uid), 0, "tests run as root");
            work()
        });
        thread.join().expect("a thread of another user's")
    })
}

/// A process in a user namespace that [`NOBODY`] owns. Its own real user is another one, whose id is two less.
#[derive(Debug)]
pub struct InNamespace(Child);

impl InNamespace {
    /// Starts it; in the namespace it does `first` before all else, which must come true.
    ///
    /// # Panics
    /// It does not, the process is not root, or the kernel permits no user namespaces.
    pub fn start(first: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        let mut command = Command::new("sleep");
        command.arg("1000").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // SAFETY: system calls, and what the caller does in a process of one thread.
        unsafe {
            command.pre_exec(move || {
                let moved = libc::setresuid(NOBODY - 2, NOBODY, NOBODY) == 0 && libc::unshare(libc::CLONE_NEWUSER) == 0;
                if moved && first() { Ok(()) } else { Err(std::io::Error::last_os_error()) }
            });
        }
        Self(command.spawn().expect("a user namespace of nobody's"))
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for InNamespace {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
