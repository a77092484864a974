//! The cgroup of `--cgroup`. A service that is started again gets a new one at the same path: the filter follows the path.

use std::ffi::{CString, OsStr};
use std::fs;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use libbpf_rs::Object;

use super::setup::map_of;
use crate::names::cgroup::mounts;
use crate::process::complain;
use crate::process::pages::Pages;

/// Of the initial cgroup namespace, `PROC_CGROUP_INIT_INO` in include/linux/proc_ns.h. In others the directories above are
/// hidden, and with them the depth.
const INITIAL_NAMESPACE: u64 = 0xefff_fffb;

/// A cgroup v2 directory.
#[derive(Debug)]
pub(crate) struct Cgroup {
    pub(super) path: PathBuf,
    /// How far it is below the root.
    pub(super) level: u32,
}

impl Cgroup {
    /// By its path or, where that is no path, by its name, such as `nginx.service`.
    ///
    /// # Errors
    /// There is none, or more than one of that name; or the depth cannot be known.
    pub(super) fn find(given: &Path) -> Result<Self> {
        let mounts = mounts().context("cannot read /proc/self/mountinfo")?;
        let is_name = given.components().count() == 1 && !given.exists();
        let path = if is_name { named(&mounts, given.as_os_str())? } else { given.canonicalize()? };
        ensure!(path.is_dir(), "not a directory");
        ensure!(
            fs::metadata("/proc/self/ns/cgroup").is_ok_and(|namespace| namespace.ino() == INITIAL_NAMESPACE),
            "filters by cgroup work in the initial cgroup namespace only; run it on the host"
        );
        let Some(mount) = mounts.iter().find(|mount| path.starts_with(mount)) else {
            bail!("not a cgroup v2 directory");
        };
        let level = u32::try_from(path.strip_prefix(mount)?.components().count())?;
        Ok(Self { path, level })
    }
}

/// The one cgroup of a name.
fn named(mounts: &[PathBuf], name: &OsStr) -> Result<PathBuf> {
    fn look(folder: &Path, name: &OsStr, found: &mut Vec<PathBuf>) {
        let folders = fs::read_dir(folder).into_iter().flatten().flatten();
        for entry in folders.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            if entry.file_name() == name {
                found.push(entry.path());
            }
            look(&entry.path(), name, found);
        }
    }
    let mut found = Vec::new();
    mounts.iter().take(1).for_each(|mount| look(mount, name, &mut found));
    match &found[..] {
        [only] => Ok(only.clone()),
        [] => bail!("there is no cgroup of this path or name"),
        [first, second, ..] => {
            bail!("several cgroups have this name, such as {} and {}", first.display(), second.display())
        }
    }
}

/// A cgroup whose id the kernel side has in memory that both share.
#[derive(Debug)]
struct Followed {
    path: PathBuf,
    id: Pages,
    /// Readable when something came or went beside it or above it.
    changes: Option<OwnedFd>,
    looked: Instant,
}

static FOLLOWED: Mutex<Option<Followed>> = Mutex::new(None);

fn followed() -> MutexGuard<'static, Option<Followed>> {
    FOLLOWED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells a loaded object the cgroup's id, now and whenever it changes.
///
/// # Errors
/// The kernel does not show the map's memory.
pub(super) fn follow(object: &Object, path: PathBuf) -> Result<()> {
    let id = Pages::of(&map_of(object, "filter_cgroup")?, size_of::<u64>(), true, 0);
    let id = id.context("cannot map the id of the cgroup")?;
    // SAFETY: inotify_init1(2) takes no pointers; a new descriptor has no other owner.
    let changes = unsafe {
        let fd = libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK);
        (fd >= 0).then(|| OwnedFd::from_raw_fd(fd))
    };
    let new = Followed { path, id, changes, looked: Instant::now() };
    new.id.word(0).store(new.present(), Ordering::Relaxed);
    new.watch();
    *followed() = Some(new);
    Ok(())
}

/// A descriptor that is readable when it is time to [`look`], if there is a cgroup.
pub(crate) fn changes() -> Option<RawFd> {
    followed().as_ref().and_then(|followed| followed.changes.as_ref().map(AsRawFd::as_raw_fd))
}

/// Finds out whether there is another cgroup at the path by now, where something changed there or a while has passed.
pub(crate) fn look() {
    if let Some(followed) = followed().as_mut() {
        followed.look();
    }
}

impl Followed {
    /// The id of the cgroup at the path, which is its directory's inode number (kernfs, on 64-bit systems); 0 for none.
    fn present(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |status| status.ino())
    }

    /// Watches the nearest directory above it that is there.
    fn watch(&self) {
        const CHANGES: u32 =
            libc::IN_CREATE | libc::IN_DELETE | libc::IN_MOVED_TO | libc::IN_MOVED_FROM | libc::IN_DELETE_SELF;
        let (Some(changes), Some(above)) = (&self.changes, self.path.ancestors().skip(1).find(|above| above.is_dir()))
        else {
            return;
        };
        if let Ok(above) = CString::new(above.as_os_str().as_bytes()) {
            // SAFETY: the path ends in NUL. Of a directory that is watched already nothing changes.
            unsafe { libc::inotify_add_watch(changes.as_raw_fd(), above.as_ptr(), CHANGES) };
        }
    }

    /// Takes what has changed; false where nothing has.
    fn take_changes(&self) -> bool {
        let mut events = [0u8; 4096];
        let mut any = false;
        if let Some(changes) = &self.changes {
            // SAFETY: the buffer is as long as it says; the descriptor does not block.
            while unsafe { libc::read(changes.as_raw_fd(), events.as_mut_ptr().cast(), events.len()) } > 0 {
                any = true;
            }
        }
        any
    }

    fn look(&mut self) {
        const NOW_AND_THEN: Duration = Duration::from_secs(1);
        if !self.take_changes() && self.looked.elapsed() < NOW_AND_THEN {
            return;
        }
        self.looked = Instant::now();
        // What comes between this and the look at the path is in the next look.
        self.watch();
        let (before, now) = (self.id.word(0).load(Ordering::Relaxed), self.present());
        if now == before {
            return;
        }
        self.id.word(0).store(now, Ordering::Relaxed);
        let news = if now == 0 { "is gone; waiting for it to come back" } else { "was made again, and is followed" };
        complain(&format!("cgroup {} {news}", self.path.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::Cgroup;
    use std::path::Path;

    #[test]
    fn what_is_no_cgroup_is_refused() {
        for path in ["/tmp", "/nonexistent", "no-such.service"] {
            assert!(Cgroup::find(Path::new(path)).is_err(), "{path}");
        }
    }
}
