//! Signals, sent in all the ways that there are. What is sent gives the kernel's answer: 0, or a negative errno.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::process::{Child, Command};
use std::ptr;
use std::thread;

/// Makes a system call; gives its result, an error as a negative errno.
macro_rules! call {
    ($number:expr $(, $argument:expr)*) => {{
        // SAFETY: system calls of numbers, or with pointers to locals that the kernel reads.
        match unsafe { libc::syscall($number $(, $argument)*) } {
            -1 => -io::Error::last_os_error().raw_os_error().unwrap_or(0),
            result => i32::try_from(result).expect("a small result"),
        }
    }};
}

/// `kill(2)`.
pub fn kill(pid: i32, signal: i32) -> i32 {
    call!(libc::SYS_kill, pid, signal)
}

/// `tkill(2)`.
pub fn tkill(tid: i32, signal: i32) -> i32 {
    call!(libc::SYS_tkill, tid, signal)
}

/// `tgkill(2)`.
pub fn tgkill(pid: i32, tid: i32, signal: i32) -> i32 {
    call!(libc::SYS_tgkill, pid, tid, signal)
}

/// `pidfd_open(2)`.
pub fn pidfd(pid: i32) -> OwnedFd {
    let fd = call!(libc::SYS_pidfd_open, pid, 0);
    assert!(fd >= 0, "no pidfd for {pid}: {fd}");
    // SAFETY: the descriptor is new and has no other owner.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// `pidfd_send_signal(2)`.
pub fn pidfd_send(fd: i32, signal: i32) -> i32 {
    call!(libc::SYS_pidfd_send_signal, fd, signal, ptr::null::<u8>(), 0)
}

/// `rt_sigqueueinfo(2)`, with an `si_code` of the caller's choice.
pub fn queue(pid: i32, signal: i32, code: i32) -> i32 {
    let info = info(signal, code);
    call!(libc::SYS_rt_sigqueueinfo, pid, signal, &raw const info)
}

/// `rt_tgsigqueueinfo(2)`.
pub fn queue_to_thread(pid: i32, tid: i32, signal: i32, code: i32) -> i32 {
    let info = info(signal, code);
    call!(libc::SYS_rt_tgsigqueueinfo, pid, tid, signal, &raw const info)
}

fn info(signal: i32, code: i32) -> libc::siginfo_t {
    // SAFETY: plain data, of which zeros are a value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    info.si_signo = signal;
    info.si_code = code;
    info
}

/// Makes the calling thread, and no other one, that of another user.
pub fn become_user(uid: u32) {
    // The C library's function would change all threads.
    assert_eq!(call!(libc::SYS_setresuid, uid, uid, uid), 0);
}

/// Ignores a signal in this process, or does again what is usual.
pub fn ignore(signal: i32, ignored: bool) {
    // SAFETY: no handler is set.
    unsafe { libc::signal(signal, if ignored { libc::SIG_IGN } else { libc::SIG_DFL }) };
}

/// Reads where nothing is mapped, which ends this process.
pub fn fault() {
    ignore(libc::SIGSEGV, false);
    // SAFETY: it is none, and that is what it is for.
    unsafe { ptr::without_provenance::<u8>(8).read_volatile() };
}

/// A process that only waits to be signalled; gone at the end.
#[derive(Debug)]
pub struct Waiting(pub Child);

impl Waiting {
    /// # Panics
    /// There is no `sleep`.
    #[must_use]
    pub fn start() -> Self {
        let child = Self(Command::new("sleep").arg("1000").spawn().expect("sleep"));
        let program = |pid: &str| fs::read_link(format!("/proc/{pid}/exe")).ok();
        while program(&child.pid().to_string()) == program("self") {
            thread::yield_now();
        }
        child
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).expect("a process id")
    }

    /// Stops it with `SIGSTOP`, and waits until it has stopped.
    ///
    /// # Panics
    /// It is gone.
    pub fn stop(&self) {
        assert_eq!(kill(self.pid(), libc::SIGSTOP), 0);
        let stat = || fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("a process");
        while !stat().contains(") T ") {
            thread::yield_now();
        }
    }

    /// The name of its program.
    pub fn comm(&self) -> String {
        let comm = fs::read_to_string(format!("/proc/{}/comm", self.0.id())).expect("a process");
        comm.trim_end().to_string()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lets a timer run out `count` times, after 2 ms each, and takes its signals. Meanwhile this thread works, or it sleeps and
/// the CPU is free for others.
///
/// # Panics
/// There is no such timer.
pub fn timers(count: usize, signal: i32, busy: bool) {
    // SAFETY: all pointers are to locals, and the timer is deleted before they go.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()), 0);
        let mut event: libc::sigevent = std::mem::zeroed();
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = signal;
        event.sigev_notify_thread_id = libc::gettid();
        let mut timer: libc::timer_t = std::mem::zeroed();
        assert_eq!(libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer), 0);
        let none = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let once = libc::itimerspec { it_interval: none, it_value: libc::timespec { tv_sec: 0, tv_nsec: 2_000_000 } };
        for _ in 0..count {
            assert_eq!(libc::timer_settime(timer, 0, &raw const once, ptr::null_mut()), 0);
            let wait = libc::timespec { tv_sec: if busy { 0 } else { 10 }, tv_nsec: 0 };
            while libc::sigtimedwait(&raw const set, ptr::null_mut(), &raw const wait) != signal {}
        }
        libc::timer_delete(timer);
    }
}

/// Takes this signal off the calling thread, and gives how often it was there.
pub fn take(signal: i32) -> usize {
    // SAFETY: the pointers are to locals.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut());
        let none = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let mut count = 0;
        while libc::sigtimedwait(&raw const set, ptr::null_mut(), &raw const none) == signal {
            count += 1;
        }
        count
    }
}

/// Lets the kernel send this thread a signal with each input that a descriptor gets.
///
/// # Panics
/// The descriptor cannot do that.
pub fn on_input(fd: BorrowedFd<'_>, signal: i32) {
    #[repr(C)]
    struct Owner {
        kind: i32,
        id: i32,
    }
    const F_SETSIG: i32 = 10;
    const F_SETOWN_EX: i32 = 15;
    const THREAD: i32 = 0;
    // SAFETY: fcntl(2) reads a local.
    unsafe {
        let owner = Owner { kind: THREAD, id: libc::gettid() };
        assert_eq!(libc::fcntl(fd.as_raw_fd(), F_SETOWN_EX, &raw const owner), 0);
        assert_eq!(libc::fcntl(fd.as_raw_fd(), F_SETSIG, signal), 0);
        assert_eq!(libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_ASYNC | libc::O_NONBLOCK), 0);
    }
}

/// Makes this process the parent of what its children leave behind, or no longer.
pub fn adopt_orphans(adopt: bool) {
    assert_eq!(call!(libc::SYS_prctl, libc::PR_SET_CHILD_SUBREAPER, libc::c_ulong::from(adopt), 0, 0, 0), 0);
}

/// Waits for all children that have ended; gives how many there were.
#[must_use]
pub fn reap() -> usize {
    // SAFETY: without a pointer to a status there is none to write.
    let reap = || unsafe { libc::waitpid(-1, ptr::null_mut(), libc::WNOHANG) };
    std::iter::repeat_with(reap).take_while(|pid| *pid > 0).count()
}

/// A pipe: the end to read from and the one to write to.
///
/// # Panics
/// There is none to have.
#[must_use]
pub fn pipe() -> (File, File) {
    let mut fds = [0; 2];
    // SAFETY: the array is a local, and the new descriptors have no other owner.
    unsafe {
        assert_eq!(libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC), 0);
        (File::from_raw_fd(fds[0]), File::from_raw_fd(fds[1]))
    }
}
