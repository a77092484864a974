//! Copies of a library that processes use, wherever they are: in other mount namespaces, or deleted since.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::ffi::OsStringExt;
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

/// Device and inode number, as /proc/PID/maps has them.
type Identity = (Vec<u8>, Vec<u8>);

fn identity(mapping: &Mapping<'_>) -> Identity {
    (mapping.device.to_vec(), mapping.inode.to_vec())
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
            if wanted && !self.seen.contains(&identity(&mapping)) {
                // Not by /proc/PID/root and the path: that is another file, or none, once this one is deleted.
                let Ok(file) = File::open(process.join(mapping.link())) else { continue };
                self.seen.insert(identity(&mapping));
                found.push(Library { path: OsString::from_vec(mapping.path.to_vec()).into(), file });
            }
        }
        found
    }
}
