//! Signals by number and by name, as in signal(7). x86-64 and arm64 have the same numbers.

use std::borrow::Cow;

/// From 1 on.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
];

/// What the C library calls the first and the last real-time signal: it keeps 32 and 33 for itself.
const RTMIN: u32 = 34;
const RTMAX: u32 = 64;

/// The name of a signal without its `SIG`: `KILL`, `RTMIN+2`.
#[must_use]
pub fn signal_name(signal: u32) -> Option<Cow<'static, str>> {
    match signal {
        RTMIN => Some("RTMIN".into()),
        RTMAX => Some("RTMAX".into()),
        _ if (RTMIN..RTMAX).contains(&signal) => Some(format!("RTMIN+{}", signal - RTMIN).into()),
        _ => NAMES.get(signal.checked_sub(1)? as usize).map(|name| Cow::Borrowed(*name)),
    }
}

#[cfg(test)]
mod tests {
    use super::signal_name;

    #[test]
    #[allow(clippy::cast_sign_loss, reason = "numbers of signals")]
    fn names_are_those_of_the_c_library() {
        let known = [
            (libc::SIGHUP, "HUP"),
            (libc::SIGKILL, "KILL"),
            (libc::SIGSEGV, "SEGV"),
            (libc::SIGTERM, "TERM"),
            (libc::SIGSTKFLT, "STKFLT"),
            (libc::SIGCHLD, "CHLD"),
            (libc::SIGIO, "IO"),
            (libc::SIGSYS, "SYS"),
            (libc::SIGRTMIN(), "RTMIN"),
            (libc::SIGRTMIN() + 2, "RTMIN+2"),
            (libc::SIGRTMAX(), "RTMAX"),
        ];
        for (number, name) in known {
            assert_eq!(signal_name(number as u32).as_deref(), Some(name));
        }
    }

    #[test]
    fn others_have_no_name() {
        for number in [0, 32, 33, 65, u32::MAX] {
            assert_eq!(signal_name(number), None, "{number}");
        }
    }
}
