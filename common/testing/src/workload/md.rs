//! Arrays of md (software RAID) on disks in memory, made without mdadm(8): through /sys.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Scratch;

/// Each level, by the name of its module.
pub const LEVELS: [(&str, &str); 7] = [
    ("linear", "linear"),
    ("raid0", "raid0"),
    ("raid1", "raid1"),
    ("raid4", "raid456"),
    ("raid5", "raid456"),
    ("raid6", "raid456"),
    ("raid10", "raid10"),
];

/// Kilobytes of a disk.
const SIZE: &str = "8192";
const DISKS: usize = 4;

/// An array of four disks, stopped at the end.
#[derive(Debug)]
pub struct Array(String);

impl Array {
    /// An array that the kernel calls `name`, which is `md` or `md_d` and a number or `md_` and a name; none where the kernel has
    /// no md or not this level. There is one at a time.
    ///
    /// # Panics
    /// The kernel has the level and makes no array of it.
    #[must_use]
    pub fn new(name: &str, level: &str) -> Option<Self> {
        let module = LEVELS.iter().find_map(|(known, module)| (*known == level).then_some(module));
        for arguments in [&["brd", "rd_nr=4", "rd_size=8192"][..], &[*module.expect("a level")]] {
            if !Command::new("modprobe").args(arguments).output().is_ok_and(|output| output.status.success()) {
                return None;
            }
        }
        match name.strip_prefix("md_d").and_then(|number| number.parse().ok()) {
            Some(number) => make_partitionable(number),
            None => fs::write("/sys/module/md_mod/parameters/new_array", name).expect("md makes arrays"),
        }
        let array = Self(name.into());
        array.set("metadata_version", "none");
        array.set("level", level);
        array.set("raid_disks", &DISKS.to_string());
        // Not all levels have these: chunks, and how they lie on the disks.
        let _ = fs::write(array.folder().join("chunk_size"), "65536");
        match level {
            "raid10" => array.set("layout", "258"),
            "raid0" | "raid5" | "raid6" => _ = fs::write(array.folder().join("layout"), "2"),
            _ => (),
        }
        for disk in 0..DISKS {
            array.set("new_dev", &format!("1:{disk}"));
            array.set(&format!("dev-ram{disk}/slot"), &disk.to_string());
            array.set(&format!("dev-ram{disk}/size"), SIZE);
        }
        if level != "linear" {
            array.set("component_size", SIZE);
        }
        array.set("array_state", "active");
        Some(array)
    }

    /// As the kernel calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        Path::new("/dev").join(&self.0)
    }

    /// Asks for so many flushes, by fsync(2).
    ///
    /// # Panics
    /// It fails.
    pub fn flush(&self, times: usize) {
        let file = File::options().write(true).open(self.path()).expect("an array that can be written");
        (0..times).for_each(|_| file.sync_all().expect("a flush"));
    }

    fn folder(&self) -> PathBuf {
        Path::new("/sys/block").join(&self.0).join("md")
    }

    fn set(&self, file: &str, value: &str) {
        let path = self.folder().join(file);
        fs::write(&path, value).unwrap_or_else(|error| panic!("{value} for {}: {error}", path.display()));
    }
}

impl Drop for Array {
    fn drop(&mut self) {
        let _ = fs::write(self.folder().join("array_state"), "clear");
    }
}

/// An array of the kind that has partitions by numbers of its own: made where such a device is opened.
fn make_partitionable(number: u32) {
    const MINORS: u32 = 64;
    let devices = fs::read_to_string("/proc/devices").expect("a list of drivers");
    let major = devices.lines().find_map(|line| line.trim().strip_suffix(" mdp")).expect("a driver of md");
    let scratch = Scratch::new("mdp");
    let device = scratch.join("device");
    let made = Command::new("mknod").arg(&device).args(["b", major, &(number * MINORS).to_string()]).status();
    assert!(made.is_ok_and(|status| status.success()), "a device");
    // There is nothing to be read.
    let _ = File::open(&device).map(|file| file.metadata());
}
