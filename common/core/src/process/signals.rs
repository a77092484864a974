//! Ctrl-C and SIGTERM end a tool in good order: a flag that loops look at, and a file descriptor that wakes a wait.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::subjects;
use crate::object::cgroup;

static STOP: AtomicBool = AtomicBool::new(false);
static SUSPEND: AtomicBool = AtomicBool::new(false);
static WAKE: OnceLock<OwnedFd> = OnceLock::new();
static COMMAND: OnceLock<OwnedFd> = OnceLock::new();
static DEADLINE: OnceLock<OwnedFd> = OnceLock::new();

extern "C" fn on_signal(signal: libc::c_int) {
    let flag = if signal == libc::SIGTSTP { &SUSPEND } else { &STOP };
    flag.store(true, Ordering::Relaxed);
    if let Some(wake) = WAKE.get() {
        let one = 1u64.to_ne_bytes();
        // SAFETY: write(2) is async-signal-safe and reads the 8 bytes of a local. An eventfd that is full is awake.
        unsafe { libc::write(wake.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }
}

/// Handles SIGINT and SIGTERM, also where they were inherited ignored (a shell's `command &`), and SIGHUP unless it is
/// ignored (nohup). A write that is stuck in a full pipe returns with EINTR.
///
/// # Errors
/// The kernel refused an eventfd.
pub fn install() -> io::Result<()> {
    if WAKE.get().is_none() {
        // SAFETY: eventfd(2) takes no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and nobody else has it.
        let _ = WAKE.set(unsafe { OwnedFd::from_raw_fd(fd) });
    }
    handle(libc::SIGINT);
    handle(libc::SIGTERM);
    if !is_ignored(libc::SIGHUP) {
        handle(libc::SIGHUP);
    }
    Ok(())
}

fn handle(signal: libc::c_int) {
    // SAFETY: the handler is async-signal-safe; without SA_RESTART blocking calls return, which is wanted.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_signal as *const () as libc::sighandler_t;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(signal, &raw const action, std::ptr::null_mut());
    }
}

/// Undoes [`install`] in a child that is to execute something, and what Rust itself does. It is async-signal-safe.
pub(crate) fn restore() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGPIPE] {
        if signal != libc::SIGHUP || !is_ignored(signal) {
            // SAFETY: signal(2) is async-signal-safe.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
    }
}

fn is_ignored(signal: libc::c_int) -> bool {
    // SAFETY: only the present action is read, into a zeroed local.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut action);
        action.sa_sigaction == libc::SIG_IGN
    }
}

/// Whether the tool was asked to end.
#[must_use]
pub fn stopped() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// Asks the tool to end, as a signal would.
pub fn stop() {
    on_signal(0);
}

/// Lets SIGTSTP wake a wait instead of stopping the process at once, for who has a terminal to give back before.
pub fn on_suspend() {
    if !is_ignored(libc::SIGTSTP) {
        handle(libc::SIGTSTP);
    }
}

/// Whether SIGTSTP came since this was last asked.
#[must_use]
pub fn take_suspend() -> bool {
    let taken = SUSPEND.swap(false, Ordering::Relaxed);
    if taken && let Some(wake) = WAKE.get() {
        let mut count = [0; 8];
        // SAFETY: read(2) writes the 8 bytes of a local. Where there is nothing to be read it does not wait.
        unsafe { libc::read(wake.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
    }
    taken
}

/// Stops the process, as SIGTSTP does, until somebody lets it go on.
pub fn suspend() {
    // SAFETY: neither call takes a pointer.
    unsafe {
        libc::signal(libc::SIGTSTP, libc::SIG_DFL);
        libc::raise(libc::SIGTSTP);
    }
    on_suspend();
}

/// Lets [`wait`] end with the process of this descriptor (pidfd_open(2)): where that has ended by itself, there is time to
/// print all that it did.
pub fn stop_with(process: OwnedFd) {
    let _ = COMMAND.set(process);
}

/// Lets [`wait`] end after this time.
///
/// # Errors
/// The kernel refuses a timer.
pub fn stop_after(time: Duration) -> io::Result<()> {
    let zero = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let timer = libc::itimerspec { it_interval: zero, it_value: timespec(time) };
    // SAFETY: the pointers are to a local or null, and the new descriptor has no other owner.
    unsafe {
        let fd = libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let fd = OwnedFd::from_raw_fd(fd);
        if libc::timerfd_settime(fd.as_raw_fd(), 0, &raw const timer, std::ptr::null_mut()) < 0 {
            return Err(io::Error::last_os_error());
        }
        let _ = DEADLINE.set(fd);
    }
    Ok(())
}

fn timespec(time: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

/// Why [`wait`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// The descriptor is readable, or the time is over.
    Ready,
    /// A signal asked the tool to end, nobody reads its output any more, the command of `--exec` or all that the user asked
    /// for by id have ended, or the time of `--duration` is over.
    Stop,
}

/// Sleeps until `ready` is readable, `timeout` is over, a signal arrives or the reader of standard output goes away.
#[must_use]
pub fn wait(ready: Option<BorrowedFd<'_>>, timeout: Duration) -> Woken {
    wait_any(ready.as_slice(), timeout)
}

/// As [`wait`], for the first of several descriptors. One whose other end is gone, as that of a terminal that was closed,
/// ends the tool: it would be ready forever.
#[must_use]
pub fn wait_any(ready: &[BorrowedFd<'_>], timeout: Duration) -> Woken {
    if stopped() {
        return Woken::Stop;
    }
    // A negative descriptor is passed over by poll(2).
    let watch = |fd: RawFd, events| libc::pollfd { fd, events, revents: 0 };
    let mut fds = vec![
        watch(WAKE.get().map_or(-1, AsRawFd::as_raw_fd), libc::POLLIN),
        // Without events poll reports just errors: POLLERR where it is a pipe that nobody reads.
        watch(libc::STDOUT_FILENO, 0),
        watch(COMMAND.get().map_or(-1, AsRawFd::as_raw_fd), libc::POLLIN),
        watch(DEADLINE.get().map_or(-1, AsRawFd::as_raw_fd), libc::POLLIN),
    ];
    let own = fds.len();
    fds.extend(cgroup::changes().map(|fd| watch(fd, libc::POLLIN)));
    fds.extend(subjects::ends().into_iter().map(|fd| watch(fd, libc::POLLIN)));
    let given = fds.len();
    fds.extend(ready.iter().map(|fd| watch(fd.as_raw_fd(), libc::POLLIN)));
    // ppoll, for poll's milliseconds would turn a short sleep into a busy loop.
    let time = timespec(timeout);
    // SAFETY: both pointers are to locals, and the length is that of the vector.
    unsafe { libc::ppoll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, &raw const time, std::ptr::null()) };
    cgroup::look();
    let gone = |fd: &libc::pollfd| fd.revents & (libc::POLLERR | libc::POLLHUP | libc::POLLNVAL) != 0;
    if fds[1].revents & libc::POLLERR != 0 || fds[given..].iter().any(gone) {
        stop();
    }
    let ended = fds[2..own].iter().any(|fd| fd.revents & libc::POLLIN != 0);
    if ended || stopped() || subjects::have_ended() { Woken::Stop } else { Woken::Ready }
}
