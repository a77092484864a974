//! Faults that a process meets from its surroundings.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::thread;

/// Shows the process `source` where it looks for `target`: files or folders, in a mount namespace of its own.
///
/// # Panics
/// A path holds a NUL.
pub fn mount_over(command: &mut Command, source: &Path, target: &Path) {
    let path = |path: &Path| CString::new(path.as_os_str().as_bytes()).expect("no NUL in a path");
    let (source, target) = (path(source), path(target));
    // SAFETY: the closure calls async-signal-safe system calls only, with strings that end in NUL.
    unsafe {
        command.pre_exec(move || {
            let none = std::ptr::null();
            check(libc::unshare(libc::CLONE_NEWNS))?;
            check(libc::mount(none, c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast()))?;
            check(libc::mount(source.as_ptr(), target.as_ptr(), none, libc::MS_BIND, none.cast()))
        });
    }
}

/// Mounts tracefs at /sys/kernel/tracing for the process alone, in a mount namespace of its own.
pub fn mount_tracefs(command: &mut Command) {
    // SAFETY: the closure calls async-signal-safe system calls only, with strings that end in NUL.
    unsafe {
        command.pre_exec(|| {
            let (kind, target, none) = (c"tracefs".as_ptr(), c"/sys/kernel/tracing".as_ptr(), std::ptr::null());
            check(libc::unshare(libc::CLONE_NEWNS))?;
            check(libc::mount(none, c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast()))?;
            match check(libc::mount(kind, target, kind, 0, none.cast())) {
                // It is there already.
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => Ok(()),
                other => other,
            }
        });
    }
}

/// Starts the process with a signal ignored, as a shell does for `command &` in a script.
pub fn ignore_signal(command: &mut Command, signal: i32) {
    begin_with(command, signal, libc::SIG_IGN);
}

/// Starts the process with a signal that ends it, also where this test was started with the signal ignored.
pub fn heed_signal(command: &mut Command, signal: i32) {
    begin_with(command, signal, libc::SIG_DFL);
}

fn begin_with(command: &mut Command, signal: i32, disposition: libc::sighandler_t) {
    // SAFETY: signal(2) is async-signal-safe.
    unsafe {
        command.pre_exec(move || {
            libc::signal(signal, disposition);
            Ok(())
        });
    }
}

/// Runs a command as the user `nobody` with these capabilities and no others (capabilities(7)).
///
/// # Panics
/// One is not among the first 64.
pub fn only_capabilities(command: &mut Command, capabilities: &[u32]) {
    const NOBODY: libc::uid_t = 65534;
    const VERSION_3: u32 = 0x2008_0522;
    let mask: u64 = capabilities.iter().map(|capability| 1u64 << capability).sum();
    let [low, high] = [mask, mask >> 32].map(|half| u32::try_from(half & u64::from(u32::MAX)).expect("a half"));
    let capabilities = capabilities.to_vec();
    // SAFETY: the closure calls async-signal-safe system calls only, with pointers to locals.
    unsafe {
        command.pre_exec(move || {
            let header = [VERSION_3, 0];
            // Effective, permitted and inheritable ones, first the lower halves.
            let sets = [low, low, low, high, high, high];
            check(libc::prctl(libc::PR_SET_KEEPCAPS, 1))?;
            check(libc::setgroups(0, std::ptr::null()))?;
            check(libc::setresgid(NOBODY, NOBODY, NOBODY))?;
            check(libc::setresuid(NOBODY, NOBODY, NOBODY))?;
            let set = libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr());
            check(libc::c_int::try_from(set).unwrap_or(-1))?;
            for capability in &capabilities {
                check(libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, *capability, 0, 0))?;
            }
            Ok(())
        });
    }
}

/// Lets a command lock no more than a page of memory, as which old kernels count maps of BPF.
pub fn lock_little_memory(command: &mut Command) {
    let limit = libc::rlimit { rlim_cur: 4096, rlim_max: 4096 };
    // SAFETY: the closure calls an async-signal-safe system call only, with a pointer to its own copy.
    unsafe { command.pre_exec(move || check(libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit))) };
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Ends the first thread of this process, and nothing else of it: what it was doing it never finishes.
///
/// # Panics
/// There is no other thread.
pub fn end_first_thread() {
    extern "C" fn end(_: libc::c_int) {
        // SAFETY: a system call, in a handler; the thread's memory stays, because nobody frees it.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
    }
    // SAFETY: numbers only.
    let (pid, tid) = unsafe { (libc::getpid(), libc::gettid()) };
    assert_ne!(pid, tid, "another thread calls");
    let end: extern "C" fn(libc::c_int) = end;
    // SAFETY: the handler makes a system call only.
    unsafe { libc::signal(libc::SIGUSR1, end as libc::sighandler_t) };
    // SAFETY: numbers only.
    unsafe { libc::syscall(libc::SYS_tgkill, pid, pid, libc::SIGUSR1) };
    // As a zombie it has no memory to be shown.
    while fs::read("/proc/self/maps").is_ok_and(|maps| !maps.is_empty()) {
        thread::yield_now();
    }
}
