//! A disk of known speed: the kernel's null_blk, which keeps nothing and takes its time.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The disk `/dev/nullb0`, gone at the end.
#[derive(Debug)]
pub struct NullBlock(());

impl NullBlock {
    /// A disk of which each request takes `delay`; none where the kernel has no such disks.
    ///
    /// # Panics
    /// The module loads and there is no disk.
    #[must_use]
    pub fn new(delay: Duration) -> Option<Self> {
        // Completed by a timer.
        let delay = format!("completion_nsec={}", delay.as_nanos());
        Self::with(&["irqmode=2", &delay])
    }

    /// A disk with these parameters of the module.
    ///
    /// # Panics
    /// The module loads and there is no disk.
    #[must_use]
    pub fn with(parameters: &[&str]) -> Option<Self> {
        let loaded = Command::new("modprobe").args(["null_blk", "nr_devices=1"]).args(parameters).output();
        if !loaded.is_ok_and(|output| output.status.success()) {
            return None;
        }
        let disk = Self(());
        assert!(disk.path().exists(), "null_blk is loaded and has no disk");
        Some(disk)
    }

    /// As the kernel calls it.
    pub fn name(&self) -> &'static str {
        "nullb0"
    }

    /// Where it is.
    pub fn path(&self) -> &'static Path {
        Path::new("/dev/nullb0")
    }
}

impl Drop for NullBlock {
    fn drop(&mut self) {
        let _ = Command::new("modprobe").args(["-r", "null_blk"]).output();
    }
}
