//! Copies of a library that processes use, wherever they are: in other mount namespaces, or deleted since.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::maps::Mapping;
use crate::process;

/// A file of which a process has code mapped.
#[derive(Debug)]
pub struct Library {
    /// Its path, as that process sees it.
    pub path: PathBuf,
    /// The very file, whatever its path means here.
    pub file: File,
}

/// Looks for files by name among what processes have mapped. Each is found once.
#[derive(Debug)]
pub struct Libraries {
    wanted: fn(&[u8]) -> bool,
    seen: HashSet<Identity>,
}

/// What makes a file the same as another.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Identity {
    /// Device and inode number, as /proc/PID/maps has them.
    Mapped(Vec<u8>, Vec<u8>),
    /// Of a file below an overlay, which has another device in each container: inode number, length and the time of its last
    /// change. Probes are at the file below, and one in each of its overlays would count each call as often.
    Below(u64, u64, i64, i64),
}

impl Identity {
    fn of_mapping(mapping: &Mapping<'_>) -> Self {
        Self::Mapped(mapping.device.to_vec(), mapping.inode.to_vec())
    }

    /// Where the file is below an overlay.
    fn below(file: &File) -> Option<Self> {
        let status = file.metadata().ok()?;
        is_of_overlay(file).then(|| Self::Below(status.ino(), status.len(), status.ctime(), status.ctime_nsec()))
    }
}

fn is_of_overlay(file: &File) -> bool {
    const OVERLAYFS_SUPER_MAGIC: i64 = 0x794c_7630;
    let mut status = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the descriptor is open; the struct is read only where the kernel has filled it.
    unsafe {
        libc::fstatfs(file.as_raw_fd(), status.as_mut_ptr()) == 0
            && i128::from(status.assume_init().f_type) == i128::from(OVERLAYFS_SUPER_MAGIC)
    }
}

impl Libraries {
    /// Files whose name, without its folders, is `wanted`.
    #[must_use]
    pub fn new(wanted: fn(&[u8]) -> bool) -> Self {
        Self { wanted, seen: HashSet::new() }
    }

    /// Those that were not found before. It takes a look at each process, some tens of microseconds.
    ///
    /// Files of processes that end meanwhile, or that this process may not look at, are left out.
    pub fn look(&mut self) -> Vec<Library> {
        process::all().flat_map(|pid| self.of(pid)).collect()
    }

    fn of(&mut self, pid: u32) -> Vec<Library> {
        let process = Path::new("/proc").join(pid.to_string());
        let maps = fs::read(process.join("maps")).unwrap_or_default();
        let mut found = Vec::new();
        for mapping in Mapping::all(&maps) {
            let wanted = mapping.executable && (self.wanted)(mapping.name());
            if !wanted || self.seen.contains(&Identity::of_mapping(&mapping)) {
                continue;
            }
            // Not by /proc/PID/root and the path: that is another file, or none, once this one is deleted.
            let Ok(file) = File::open(process.join(mapping.link())) else { continue };
            self.seen.insert(Identity::of_mapping(&mapping));
            if Identity::below(&file).is_none_or(|below| self.seen.insert(below)) {
                found.push(Library { path: OsString::from_vec(mapping.path.to_vec()).into(), file });
            }
        }
        found
    }
}
