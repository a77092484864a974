//! Requests to disks.

use std::os::unix::fs::FileExt;
use std::time::Duration;

use super::{Action, Clock, Place, When};
use crate::workload::{Aligned, Array, NullBlock, Virtio, direct};

pub(super) const ALL: &[Action] = &[
    Action {
        name: "disk_read",
        what: "a read of 4 KiB from a disk",
        times: 20_000,
        clock: Clock::Wall,
        when: When::SomeRounds,
        prepare: disk_read,
    },
    Action {
        name: "md_flush",
        what: "a flush of an md array (RAID 0)",
        times: 20_000,
        clock: Clock::Wall,
        when: When::SomeRounds,
        prepare: md_flush,
    },
    Action {
        name: "virtio_read",
        what: "a read of 4 KiB from a virtio disk",
        times: 20_000,
        clock: Clock::Wall,
        when: When::SomeRounds,
        prepare: virtio_read,
    },
];

/// From a disk that takes no time, where the kernel has such disks; otherwise from a file.
fn disk_read(place: &Place) -> Box<dyn FnMut()> {
    let disk = NullBlock::new(Duration::ZERO);
    let path = disk.as_ref().map_or_else(|| place.folder.join("cs-disk-read"), |disk| disk.path().into());
    if disk.is_none() {
        std::fs::write(&path, [1; 4096]).expect("a writable folder");
    }
    let file = direct(&path, 0);
    let mut memory = Aligned::new(4096);
    Box::new(move || {
        let _keeps = &disk;
        file.read_exact_at(memory.bytes(), 0).expect("a disk that can be read");
    })
}

/// Nothing where the kernel has no md, and so no tool that watches it.
fn md_flush(_: &Place) -> Box<dyn FnMut()> {
    let Some(array) = Array::new("md77", "raid0") else { return Box::new(|| ()) };
    Box::new(move || array.flush(1))
}

/// Nothing outside of emulated machines: what a machine has belongs to others.
fn virtio_read(_: &Place) -> Box<dyn FnMut()> {
    let Some(virtio) = Virtio::new() else { return Box::new(|| ()) };
    Box::new(move || virtio.read(1, 4096))
}
