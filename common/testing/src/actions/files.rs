//! Files that are opened and looked at, present and missing.

use std::ffi::{CStr, CString};
use std::{fs, mem};

use super::{Action, Clock, Place, When, c_string, missing};
use crate::workload::stat;

pub(super) const ALL: &[Action] = &[
    Action {
        name: "open",
        what: "open(2) and close(2)",
        times: 200_000,
        clock: Clock::Thread,
        when: When::EachRound,
        prepare: open_present,
    },
    Action {
        name: "open_missing",
        what: "open(2) of what is missing",
        times: 200_000,
        clock: Clock::Thread,
        when: When::EachRound,
        prepare: open_missing,
    },
    Action {
        name: "stat",
        what: "newfstatat(2)",
        times: 200_000,
        clock: Clock::Thread,
        when: When::EachRound,
        prepare: ask,
    },
    Action {
        name: "stat_missing",
        what: "newfstatat(2) of what is missing",
        times: 200_000,
        clock: Clock::Thread,
        when: When::EachRound,
        prepare: ask_missing,
    },
    Action {
        name: "statx",
        what: "statx(2) and statfs(2)",
        times: 100_000,
        clock: Clock::Thread,
        when: When::EachRound,
        prepare: ask_more,
    },
];

fn present(place: &Place) -> CString {
    let path = place.folder.join("present");
    fs::write(&path, "").expect("a writable folder");
    c_string(path)
}

fn open(path: &CStr, flags: i32) -> bool {
    // SAFETY: the path ends in NUL, and the descriptor is closed once.
    unsafe {
        let fd = libc::open(path.as_ptr(), flags | libc::O_CLOEXEC);
        fd >= 0 && libc::close(fd) == 0
    }
}

fn open_present(place: &Place) -> Box<dyn FnMut()> {
    let path = present(place);
    Box::new(move || assert!(open(&path, libc::O_RDONLY)))
}

fn open_missing(place: &Place) -> Box<dyn FnMut()> {
    let path = missing(place);
    Box::new(move || assert!(!open(&path, libc::O_RDONLY)))
}

fn ask(place: &Place) -> Box<dyn FnMut()> {
    let path = present(place);
    Box::new(move || assert_eq!(stat("newfstatat", libc::AT_FDCWD, Some(&path), 0), 0))
}

fn ask_missing(place: &Place) -> Box<dyn FnMut()> {
    let path = missing(place);
    Box::new(move || assert_eq!(stat("newfstatat", libc::AT_FDCWD, Some(&path), 0), -libc::ENOENT))
}

fn ask_more(place: &Place) -> Box<dyn FnMut()> {
    let path = present(place);
    Box::new(move || {
        // SAFETY: the path ends in NUL; the structs are plain data, of which zeros are a value.
        unsafe {
            let (mut more, mut system) = (mem::zeroed(), mem::zeroed());
            assert_eq!(libc::statx(libc::AT_FDCWD, path.as_ptr(), 0, libc::STATX_BASIC_STATS, &raw mut more), 0);
            assert_eq!(libc::statfs(path.as_ptr(), &raw mut system), 0);
        }
    })
}
