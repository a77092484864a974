//! Calls that write a file back. There is nothing to write, so that they are quick.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::ptr;

use super::{Action, Clock, Place, When};

pub(super) const ALL: &[Action] = &[
    Action {
        name: "fdatasync",
        what: "fdatasync(2) of nothing",
        times: 200_000,
        clock: Clock::Thread,
        when: When::EachRound,
        prepare: sync,
    },
    Action {
        name: "sync_range",
        what: "sync_file_range(2) of nothing",
        times: 200_000,
        clock: Clock::Thread,
        when: When::EachRound,
        prepare: sync_range,
    },
    Action {
        name: "msync",
        what: "msync(2) of nothing",
        times: 200_000,
        clock: Clock::Thread,
        when: When::EachRound,
        prepare: sync_memory,
    },
];

fn file(place: &Place) -> File {
    File::create(place.folder.join("written")).expect("a writable folder")
}

fn sync(place: &Place) -> Box<dyn FnMut()> {
    let file = file(place);
    // SAFETY: the descriptor is open as long as the closure lives.
    Box::new(move || assert_eq!(unsafe { libc::fdatasync(file.as_raw_fd()) }, 0))
}

fn sync_range(place: &Place) -> Box<dyn FnMut()> {
    let file = file(place);
    Box::new(move || {
        // SAFETY: as above.
        let failed = unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
        assert_eq!(failed, 0);
    })
}

fn sync_memory(_: &Place) -> Box<dyn FnMut()> {
    const PAGE: usize = 4096;
    let (access, kind) = (libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a mapping of its own, which nobody accesses; it stays until the process ends.
    let memory = unsafe { libc::mmap(ptr::null_mut(), PAGE, access, kind, -1, 0) };
    assert_ne!(memory, libc::MAP_FAILED, "a page");
    // SAFETY: as above.
    Box::new(move || assert_eq!(unsafe { libc::msync(memory, PAGE, libc::MS_ASYNC) }, 0))
}
