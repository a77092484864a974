//! Cgroup v2 directories of a test's own.

use std::fs::{self, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A directory under the root of cgroup v2, removed at the end.
#[derive(Debug)]
pub struct Cgroup(PathBuf);

impl Cgroup {
    /// A new cgroup.
    ///
    /// # Panics
    /// There is no cgroup v2, or the name is taken.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(root()).child(&format!("{name}-{}", std::process::id()))
    }

    /// The directory of the cgroup that this process is in.
    ///
    /// # Panics
    /// There is no cgroup v2.
    #[must_use]
    pub fn of_this_process() -> PathBuf {
        let text = fs::read_to_string("/proc/self/cgroup").expect("a list of cgroups");
        let path = text.lines().find_map(|line| line.strip_prefix("0::/")).expect("cgroup v2");
        root().join(path)
    }

    /// A new cgroup below this one.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        let path = self.0.join(name);
        fs::create_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self(path)
    }

    /// Removes it and makes it again: another cgroup at the same path.
    ///
    /// # Panics
    /// There are processes in it.
    pub fn renew(&self) {
        fs::remove_dir(&self.0).and_then(|()| fs::create_dir(&self.0)).expect("an empty cgroup");
    }

    /// Its directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Its directory, as an argument.
    ///
    /// # Panics
    /// It is not UTF-8.
    #[must_use]
    pub fn path_str(&self) -> &str {
        self.0.to_str().expect("an ASCII path")
    }

    /// Moves this process into a cgroup.
    ///
    /// # Panics
    /// The kernel refuses.
    pub fn join(directory: &Path) {
        let pid = std::process::id().to_string();
        fs::write(directory.join("cgroup.procs"), pid).expect("a cgroup that takes processes");
    }
}

impl Cgroup {
    /// Moves a command's process into a cgroup before it executes its program.
    ///
    /// # Panics
    /// There is no such cgroup.
    pub fn join_before_exec(command: &mut Command, directory: &Path) {
        let file = OpenOptions::new().write(true).open(directory.join("cgroup.procs")).expect("a cgroup");
        // SAFETY: write(2) is async-signal-safe, and the file stays open as long as the closure. 0 is the writer.
        unsafe {
            command.pre_exec(move || match libc::write(file.as_raw_fd(), c"0".as_ptr().cast(), 1) {
                1 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            });
        }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if self.0 != root() {
            let _ = fs::remove_dir(&self.0);
        }
    }
}

/// Where cgroup v2 is mounted.
pub(super) fn root() -> PathBuf {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("a list of mounts");
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    fields
        .into_iter()
        .find(|fields| fields.get(2) == Some(&"cgroup2"))
        .map_or_else(|| panic!("cgroup v2 is not mounted"), |fields| PathBuf::from(fields[1]))
}
