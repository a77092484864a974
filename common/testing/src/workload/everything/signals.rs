//! Signals that do no harm, and one that finds nobody.

pub(super) fn send(rounds: usize) {
    // SAFETY: these calls take no pointers.
    unsafe {
        let own = libc::getpid();
        for _ in 0..rounds {
            // Ignored unless a process wants it.
            assert_eq!(libc::kill(own, libc::SIGURG), 0);
            assert_eq!(libc::kill(own, 0), 0);
            // No process has the largest id that there is.
            assert_eq!(libc::kill(libc::pid_t::MAX, libc::SIGURG), -1);
        }
    }
}
