//! Calls that signals interrupt.

use std::fs;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::tid;

/// Signals that were handled.
static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn handle(_: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

/// Runs `call` in a thread, which sleeps in the kernel so often, and interrupts each of these sleeps with a signal; with
/// `restart` (SA_RESTART) the kernel goes on with the call, otherwise the call returns EINTR. `end` is for what makes the last
/// call return. Gives the thread's id.
///
/// # Panics
/// There are no threads.
pub fn interrupt(times: usize, restart: bool, call: impl FnOnce() + Send, end: impl FnOnce()) -> i32 {
    // SAFETY: the handler adds to a number, and the struct is zeroed but for what is set.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handle as *const () as libc::sighandler_t;
        action.sa_flags = if restart { libc::SA_RESTART } else { 0 };
        libc::sigaction(libc::SIGUSR2, &raw const action, ptr::null_mut());
    }
    let thread = AtomicI32::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            thread.store(tid(), Ordering::SeqCst);
            call();
        });
        for _ in 0..times {
            let before = HANDLED.load(Ordering::SeqCst);
            wait_until_asleep(&thread);
            // SAFETY: numbers only.
            unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread.load(Ordering::SeqCst), libc::SIGUSR2) };
            while HANDLED.load(Ordering::SeqCst) == before {
                thread::yield_now();
            }
        }
        wait_until_asleep(&thread);
        end();
    });
    thread.into_inner()
}

/// Until the thread sleeps, or has ended.
fn wait_until_asleep(thread: &AtomicI32) {
    loop {
        thread::sleep(Duration::from_millis(2));
        let id = thread.load(Ordering::SeqCst);
        let Ok(stat) = fs::read_to_string(format!("/proc/self/task/{id}/stat")) else {
            if id != 0 {
                return;
            }
            continue;
        };
        // Behind the name, which may hold anything.
        if stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S')) {
            return;
        }
    }
}
