//! Calls that need a capability.

pub(super) fn need(rounds: usize) {
    for _ in 0..rounds {
        // SAFETY: the string ends in NUL. The root stays what it is.
        let failed = unsafe { libc::chroot(c"/".as_ptr()) };
        assert_eq!(failed, 0, "CAP_SYS_CHROOT");
    }
}
