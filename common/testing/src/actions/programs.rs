//! Programs that are executed and end, and programs that are missing.

use std::process::Command;

use super::{Action, Clock, Place, When};
use crate::workload::{execve, short_lives, tiny_program};

pub(super) const ALL: &[Action] = &[
    Action {
        name: "execute",
        what: "a process with a program of one page",
        times: 1_000,
        clock: Clock::Processes,
        when: When::SomeRounds,
        prepare: execute,
    },
    Action {
        name: "short_life",
        what: "a process without a program",
        times: 5_000,
        clock: Clock::Processes,
        when: When::EachRound,
        prepare: short_life,
    },
    Action {
        name: "execute_missing",
        what: "execve(2) of what is missing",
        times: 100_000,
        clock: Clock::Thread,
        when: When::EachRound,
        prepare: execute_missing,
    },
];

fn execute(place: &Place) -> Box<dyn FnMut()> {
    let program = place.folder.join(&place.name);
    tiny_program(&program);
    let name = place.name.clone();
    Box::new(move || assert!(Command::new(&program).arg(&name).status().expect("a program").success()))
}

fn short_life(_: &Place) -> Box<dyn FnMut()> {
    Box::new(|| short_lives(1))
}

fn execute_missing(place: &Place) -> Box<dyn FnMut()> {
    let (missing, name) = (place.folder.join("missing"), place.name.clone());
    Box::new(move || assert_eq!(execve(missing.as_os_str(), &[&name]).raw_os_error(), Some(libc::ENOENT)))
}
