//! Signals that end the process with a core dump: the terminal is given back before.

use std::mem::MaybeUninit;
use std::sync::OnceLock;

const SIGNALS: [libc::c_int; 5] = [libc::SIGQUIT, libc::SIGABRT, libc::SIGSEGV, libc::SIGBUS, libc::SIGILL];

/// Leaves the alternate screen, and shows the cursor.
const LEAVE: &[u8] = b"\x1b[?1049l\x1b[?25h";

/// How the terminal was.
static BEFORE: OnceLock<libc::termios> = OnceLock::new();

/// Handles these signals from now on; the terminal is as it is to be again.
pub(super) fn restore_before() {
    let mut before = MaybeUninit::<libc::termios>::uninit();
    // SAFETY: the struct is read only where it was filled; the handler is async-signal-safe.
    unsafe {
        if libc::tcgetattr(libc::STDIN_FILENO, before.as_mut_ptr()) != 0 {
            return;
        }
        let _ = BEFORE.set(before.assume_init());
        for signal in SIGNALS {
            libc::signal(signal, restore as *const () as libc::sighandler_t);
        }
    }
}

/// write(2), tcsetattr(3), signal(2) and raise(3) are async-signal-safe (signal-safety(7)).
extern "C" fn restore(signal: libc::c_int) {
    // SAFETY: pointer and length are those of a constant; what is set was read from the terminal.
    unsafe {
        libc::write(libc::STDOUT_FILENO, LEAVE.as_ptr().cast(), LEAVE.len());
        if let Some(before) = BEFORE.get() {
            libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, before);
        }
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}
