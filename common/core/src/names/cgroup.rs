//! Cgroups by their ids.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Where cgroup v2 is mounted.
const ROOTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// Paths that were found before: they stay known when their cgroups are gone.
#[derive(Debug, Default)]
pub struct Cgroups(HashMap<u64, Rc<str>>);

impl Cgroups {
    /// The path of a cgroup from the root of its hierarchy on: its id is its directory's inode number. That number alone, where
    /// it was gone or could not be seen.
    pub fn path(&mut self, id: u64) -> Rc<str> {
        self.0.entry(id).or_insert_with(|| path(id).into()).clone()
    }
}

/// The same, looked for each time.
#[must_use]
pub fn path(id: u64) -> String {
    let found = ROOTS.iter().find_map(|root| find(Path::new(root), id).map(|path| (root, path)));
    let Some((root, path)) = found else { return id.to_string() };
    let below = path.strip_prefix(root).unwrap_or(&path).display().to_string();
    format!("/{below}")
}

fn find(folder: &Path, id: u64) -> Option<PathBuf> {
    if fs::metadata(folder).is_ok_and(|folder| folder.ino() == id) {
        return Some(folder.into());
    }
    let folders = fs::read_dir(folder).ok()?.flatten();
    folders.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).find_map(|entry| find(&entry.path(), id))
}
