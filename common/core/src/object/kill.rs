//! Signals that processes send by system calls: the settings of bpf/include/call/kill.bpf.h, and signals on a command line.

use std::borrow::Cow;

use anyhow::Result;

use super::setup::Setup;
use crate::names::signal_name;

/// The system calls that send a signal, in the order of `kill_call`.
const CALLS: [&str; 6] = ["kill", "tkill", "tgkill", "pidfd_send_signal", "rt_sigqueueinfo", "rt_tgsigqueueinfo"];

/// `KILL_PIDFD`: what it sends to is behind a file descriptor, which may be none.
pub const BY_PIDFD: u16 = 4;

/// `KILL_SIGNALS`.
const SIGNALS: usize = 128;

/// The system call of an event; none where it is of the signal itself.
#[must_use]
pub fn call(number: u16) -> Option<&'static str> {
    CALLS.get(usize::from(number.checked_sub(1)?)).copied()
}

/// Tells an object whose program includes kill.bpf.h which system calls those are.
///
/// # Errors
/// The object has no such table.
pub fn trace_calls(setup: &mut Setup<'_>) -> Result<()> {
    let numbered: Vec<(&str, u32)> = CALLS.into_iter().zip(1..).collect();
    setup.trace_calls(&numbered)
}

/// The signals to trace: all of them, where the list is empty.
///
/// # Errors
/// The object has no such filter.
pub fn filter_signals(setup: &mut Setup<'_>, signals: &[u32]) -> Result<()> {
    let mut wanted = [0u8; SIGNALS];
    for signal in signals {
        if let Some(place) = wanted.get_mut(*signal as usize) {
            *place = 1;
        }
    }
    setup.set("filter_by_signal", !signals.is_empty())?;
    setup.set("filter_signals", wanted)
}

/// A signal as a user writes it: `9`, `KILL`, `SIGKILL`, `RTMIN+2`; 0 asks whether a process is there.
///
/// # Errors
/// A sentence where there is no such signal.
pub fn parse_signal(text: &str) -> Result<u32, String> {
    const LAST: u32 = 64;
    let upper = text.to_ascii_uppercase();
    let wanted = upper.strip_prefix("SIG").unwrap_or(&upper);
    let named = |signal: &u32| signal_name(*signal).is_some_and(|name| name == wanted);
    let number = text.parse().ok().filter(|signal| *signal <= LAST && !text.starts_with('+'));
    number
        .or_else(|| (1..=LAST).find(named))
        .ok_or_else(|| "not a signal (expected a number or name such as 9, KILL or RTMIN+1)".into())
}

/// A signal as text shows it: by number or, where it has one, by its name with SIG.
#[must_use]
pub fn show_signal(signal: i32, names: bool) -> Cow<'static, str> {
    match u32::try_from(signal).ok().and_then(signal_name) {
        Some(name) if names => format!("SIG{name}").into(),
        _ => signal.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{BY_PIDFD, CALLS, call, parse_signal, show_signal};

    #[test]
    fn calls_are_those_of_the_kernel_side() {
        let names = corescope_testing::headers::enumerators("call/kill.bpf.h", "kill_call");
        assert_eq!(names.len(), CALLS.len() + 1);
        assert_eq!((names[0].as_str(), names[usize::from(BY_PIDFD)].as_str()), ("KILL_NONE", "KILL_PIDFD"));
        for (name, call) in names[1..].iter().zip(CALLS) {
            // KILL_TGQUEUE is rt_tgsigqueueinfo.
            let name = name.trim_start_matches("KILL_").to_lowercase().replace("queue", "sigqueue");
            assert!(call.contains(&name), "{name} {call}");
        }
    }

    #[test]
    fn calls_have_names() {
        assert_eq!((call(0), call(1), call(7)), (None, Some("kill"), None));
        assert_eq!(call(BY_PIDFD), Some("pidfd_send_signal"));
    }

    #[test]
    fn signals_are_numbers_or_names() {
        for (text, signal) in
            [("0", 0), ("9", 9), ("kill", 9), ("SIGKILL", 9), ("64", 64), ("RTMIN+1", 35), ("SIGRTMAX", 64)]
        {
            assert_eq!(parse_signal(text), Ok(signal), "{text}");
        }
        for text in ["", "SIG", "-1", "+9", "65", "nothing", "RTMIN+99"] {
            assert!(parse_signal(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_signal_without_a_name_is_a_number() {
        assert_eq!(show_signal(9, false), "9");
        assert_eq!(show_signal(9, true), "SIGKILL");
        assert_eq!(show_signal(0, true), "0");
        assert_eq!(show_signal(-5, true), "-5");
    }
}
