//! Calls that mount and unmount, and fail.

use super::{Action, Clock, Place, When, missing};
use crate::workload::mounts::{Argument, call};

pub(super) const ALL: &[Action] = &[
    Action {
        name: "umount",
        what: "umount2(2) of what is missing",
        times: 100_000,
        clock: Clock::Thread,
        when: When::EachRound,
        prepare: unmount,
    },
    Action {
        name: "mount",
        what: "mount(2) on what is missing",
        times: 100_000,
        clock: Clock::Thread,
        when: When::EachRound,
        prepare: mount,
    },
];

fn unmount(place: &Place) -> Box<dyn FnMut()> {
    let missing = missing(place);
    Box::new(move || {
        let result = call("umount2", &[Argument::Text(&missing), Argument::Number(0)]);
        assert_eq!(result, i64::from(-libc::ENOENT));
    })
}

fn mount(place: &Place) -> Box<dyn FnMut()> {
    let missing = missing(place);
    Box::new(move || {
        let path = Argument::Text(&missing);
        let result = call("mount", &[path, path, Argument::Text(c"tmpfs"), Argument::Number(0)]);
        assert_eq!(result, i64::from(-libc::ENOENT));
    })
}
