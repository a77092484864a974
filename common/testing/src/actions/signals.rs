//! Signals that do no harm, and one that finds nobody.

use super::{Action, Clock, Place, When};
use crate::workload::signal;

pub(super) const ALL: &[Action] = &[
    Action {
        name: "kill",
        what: "kill(2) of signal 0",
        times: 200_000,
        clock: Clock::Thread,
        when: When::EachRound,
        prepare: kill,
    },
    Action {
        name: "signal",
        what: "kill(2) of a signal that is ignored",
        times: 200_000,
        clock: Clock::Thread,
        when: When::EachRound,
        prepare: ignored,
    },
    Action {
        name: "kill_nobody",
        what: "kill(2) of a process that is not there",
        times: 200_000,
        clock: Clock::Thread,
        when: When::EachRound,
        prepare: nobody,
    },
];

fn own() -> i32 {
    std::process::id().cast_signed()
}

fn kill(_: &Place) -> Box<dyn FnMut()> {
    let own = own();
    Box::new(move || assert_eq!(signal::kill(own, 0), 0))
}

/// Ignored unless a process wants it.
fn ignored(_: &Place) -> Box<dyn FnMut()> {
    let own = own();
    Box::new(move || assert_eq!(signal::kill(own, libc::SIGURG), 0))
}

/// No process has the largest id that there is.
fn nobody(_: &Place) -> Box<dyn FnMut()> {
    Box::new(|| assert_eq!(signal::kill(libc::pid_t::MAX, libc::SIGURG), -libc::ESRCH))
}
