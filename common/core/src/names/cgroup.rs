//! Where cgroups are, and their paths by their ids.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::{fs, io};

/// Where cgroup v2 is mounted with its root.
///
/// # Errors
/// The mounts cannot be read.
pub(crate) fn mounts() -> io::Result<Vec<PathBuf>> {
    fs::read("/proc/self/mountinfo").map(|mounts| mounts_in(&mounts))
}

/// From mountinfo (proc_pid_mountinfo(5)).
fn mounts_in(mountinfo: &[u8]) -> Vec<PathBuf> {
    let mut mounts = Vec::new();
    for line in mountinfo.split(|byte| *byte == b'\n') {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        let kind = fields.iter().position(|field| *field == b"-").and_then(|dash| fields.get(dash + 1));
        if let (Some(b"cgroup2"), Some(b"/"), Some(point)) =
            (kind.map(|k| &**k), fields.get(3).map(|f| &**f), fields.get(4))
        {
            mounts.push(PathBuf::from(OsStr::from_bytes(point)));
        }
    }
    mounts
}

thread_local! {
    /// Paths that were found before: they stay known when their cgroups are gone.
    static KNOWN: RefCell<HashMap<u64, Rc<str>>> = RefCell::default();
}

/// The path of a cgroup from the root of its hierarchy on, looked for once: its id is its directory's inode number. That number
/// alone, where it was gone or could not be seen.
#[must_use]
pub fn path(id: u64) -> Rc<str> {
    KNOWN.with_borrow_mut(|known| known.entry(id).or_insert_with(|| look_for(id).into()).clone())
}

fn look_for(id: u64) -> String {
    let mounts = mounts().unwrap_or_default();
    let found = mounts.iter().find_map(|mount| find(mount, id).map(|path| (mount, path)));
    let Some((mount, path)) = found else { return id.to_string() };
    format!("/{}", path.strip_prefix(mount).unwrap_or(&path).display())
}

fn find(folder: &Path, id: u64) -> Option<PathBuf> {
    if fs::metadata(folder).is_ok_and(|folder| folder.ino() == id) {
        return Some(folder.into());
    }
    let folders = fs::read_dir(folder).ok()?.flatten();
    folders.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).find_map(|entry| find(&entry.path(), id))
}

#[cfg(test)]
mod tests {
    use super::mounts_in;
    use std::path::PathBuf;

    #[test]
    fn cgroup_mounts_are_found_by_type_and_root() {
        let mountinfo = b"29 23 0:26 / /sys/fs/cgroup/unified rw,nosuid shared:4 - cgroup2 cgroup rw\n\
            30 23 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
            31 23 0:26 /sub /mnt/sub rw - cgroup2 cgroup rw\n";
        assert_eq!(mounts_in(mountinfo), [PathBuf::from("/sys/fs/cgroup/unified")]);
    }
}
