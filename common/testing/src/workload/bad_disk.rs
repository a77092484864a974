//! A disk of which some sectors cannot be read: the kernel's scsi_debug.

use std::fs::{self, File};
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::direct;

/// The disk, gone at the end.
#[derive(Debug)]
pub struct BadDisk(String);

impl BadDisk {
    /// The first sector that cannot be read: `OPT_MEDIUM_ERR_ADDR` of drivers/scsi/scsi_debug.c.
    pub const BAD_SECTOR: u64 = 0x1234;

    /// None where the kernel has no such disks.
    ///
    /// # Panics
    /// The module loads and there is no disk.
    #[must_use]
    pub fn new() -> Option<Self> {
        let loaded = Command::new("modprobe").args(["scsi_debug", "opts=2", "dev_size_mb=8"]).output();
        loaded.is_ok_and(|output| output.status.success()).then_some(())?;
        // What udev does elsewhere.
        let _ = Command::new("modprobe").arg("sd_mod").output();
        let is_it = |name: &String| {
            fs::read_to_string(format!("/sys/block/{name}/device/model"))
                .is_ok_and(|model| model.trim() == "scsi_debug")
        };
        for _ in 0..100 {
            let names = fs::read_dir("/sys/block").expect("sysfs").flatten();
            let found = names.map(|entry| entry.file_name().to_string_lossy().into_owned()).find(is_it);
            if let Some(name) = found.filter(|name| fs::exists(format!("/dev/{name}")).is_ok_and(|is| is)) {
                return Some(Self(name));
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("scsi_debug is loaded and has no disk");
    }

    /// As the kernel calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Opens it for I/O that does not pass the cache.
    ///
    /// # Panics
    /// It is not there.
    #[must_use]
    pub fn open(&self) -> File {
        direct(format!("/dev/{}", self.0), 0)
    }
}

impl Drop for BadDisk {
    fn drop(&mut self) {
        let _ = Command::new("modprobe").args(["-r", "scsi_debug"]).output();
    }
}
