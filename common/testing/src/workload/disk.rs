//! Disks whose requests are known: one that takes its time where the kernel has such disks, and the kernel's own count of what
//! it did.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Aligned, Cgroup, NullBlock, direct};

/// There is one of each kind: a test waits for its turn, before it starts a tool.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A disk that nobody else uses.
#[derive(Debug)]
pub struct Disk {
    kind: Kind,
    _turn: MutexGuard<'static, ()>,
}

/// What goes with the disk.
#[derive(Debug)]
#[allow(dead_code, reason = "the loop device is there to be dropped")]
enum Kind {
    Null(NullBlock),
    Loop(LoopDisk),
}

/// `/dev/loop6`, on a file.
#[derive(Debug)]
struct LoopDisk(PathBuf);

impl LoopDisk {
    const NAME: &str = "loop6";

    fn new() -> Self {
        let file = std::env::temp_dir().join(format!("cs-disk-{}", std::process::id()));
        fs::write(&file, vec![0; 16 << 20]).expect("a writable folder");
        let disk = Self(file);
        let made = Command::new("losetup").arg("/dev/loop6").arg(&disk.0).output().expect("losetup");
        assert!(made.status.success(), "{made:?}");
        disk
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["-d", "/dev/loop6"]).output();
        let _ = fs::remove_file(&self.0);
    }
}

/// What the kernel counted of a disk: the fields of /sys/block/NAME/stat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Reads, without those that became part of another one.
    pub reads: u64,
    /// Bytes of them.
    pub read_bytes: u64,
    /// Writes.
    pub writes: u64,
    /// Bytes of them.
    pub written_bytes: u64,
    /// Reads and writes that became part of another one.
    pub merged: u64,
}

impl Disk {
    /// A disk of null_blk of which each request takes `delay`; none where the kernel has no such disks.
    #[must_use]
    pub fn slow(delay: Duration) -> Option<Self> {
        let delay = format!("completion_nsec={}", delay.as_nanos());
        Self::with(&["irqmode=2", &delay])
    }

    /// The same with parameters of the module.
    #[must_use]
    pub fn with(parameters: &[&str]) -> Option<Self> {
        // A test that failed while it had its turn does not concern the next one.
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Self { kind: Kind::Null(NullBlock::with(parameters)?), _turn: turn })
    }

    /// One of them, or where there are none a loop device on a file.
    ///
    /// # Panics
    /// There is neither.
    #[must_use]
    pub fn any(delay: Duration) -> Self {
        Self::slow(delay).unwrap_or_else(|| {
            let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
            Self { kind: Kind::Loop(LoopDisk::new()), _turn: turn }
        })
    }

    /// As the kernel calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.kind {
            Kind::Null(disk) => disk.name(),
            Kind::Loop(_) => LoopDisk::NAME,
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        Path::new("/dev").join(self.name())
    }

    /// Whether its requests take their time.
    #[must_use]
    pub fn is_slow(&self) -> bool {
        matches!(self.kind, Kind::Null(_))
    }

    /// What the kernel has counted.
    #[must_use]
    pub fn stat(&self) -> Stat {
        Stat::of(self.name())
    }

    /// Calls `look` with each filter that tools of disks have, and whether requests of this process to this disk pass it.
    ///
    /// # Panics
    /// Those of `look`.
    pub fn filters(&self, mut look: impl FnMut(&[&str], bool)) {
        let (me, group, own_group) =
            (std::process::id().to_string(), Cgroup::new("cs-other"), Cgroup::of_this_process());
        let own_group = own_group.to_str().expect("ASCII");
        for (filter, passes) in [
            (["-p", &me], true),
            (["-p", "1"], false),
            (["--cgroup", own_group], true),
            (["--cgroup", group.path_str()], false),
            (["-d", self.name()], true),
        ] {
            look(&filter, passes);
        }
        if Path::new("/sys/block/loop3").exists() {
            look(&["-d", "loop3"], false);
        }
    }

    /// Changes a setting of its queue, such as `iostats`; nothing where it has none of this name.
    pub fn set(&self, setting: &str, value: &str) {
        let _ = fs::write(format!("/sys/block/{}/queue/{setting}", self.name()), value);
    }

    /// Opens it for I/O that does not pass the cache.
    ///
    /// # Panics
    /// It is not there.
    #[must_use]
    pub fn open(&self) -> File {
        direct(self.path(), 0)
    }

    /// Reads `bytes` as often as `times`, each from another place.
    ///
    /// # Panics
    /// It cannot be read.
    pub fn read(&self, times: u64, bytes: usize) {
        let (file, mut memory) = (self.open(), Aligned::new(bytes));
        for place in 0..times {
            file.read_exact_at(memory.bytes(), place * bytes as u64).expect("a disk that can be read");
        }
    }

    /// Writes in the same way.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn write(&self, times: u64, bytes: usize) {
        let (file, mut memory) = (self.open(), Aligned::new(bytes));
        for place in 0..times {
            file.write_all_at(memory.bytes(), place * bytes as u64).expect("a disk that can be written");
        }
    }
}

impl Stat {
    /// What the kernel has counted of a disk.
    ///
    /// # Panics
    /// It does not say.
    #[must_use]
    pub fn of(disk: &str) -> Self {
        let text = fs::read_to_string(format!("/sys/block/{disk}/stat")).expect("a disk");
        let fields: Vec<u64> = text.split_whitespace().map(|field| field.parse().expect("a number")).collect();
        Self {
            reads: fields[0],
            read_bytes: fields[2] * 512,
            writes: fields[4],
            written_bytes: fields[6] * 512,
            merged: fields[1] + fields[5],
        }
    }

    /// What came since.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            reads: self.reads - earlier.reads,
            read_bytes: self.read_bytes - earlier.read_bytes,
            writes: self.writes - earlier.writes,
            written_bytes: self.written_bytes - earlier.written_bytes,
            merged: self.merged - earlier.merged,
        }
    }
}
