//! The PID namespace that process ids are meant in: the one that /proc shows.

use std::fs;
use std::os::unix::fs::MetadataExt;

/// `PROC_PID_INIT_INO` in include/linux/proc_ns.h.
const INITIAL: u64 = 0xefff_fffc;

/// Its inode number; none for the initial one, whose ids are the kernel's own.
#[must_use]
pub(crate) fn of_ids() -> Option<u32> {
    // Process 1 of a /proc is the first of its namespace; not everybody may look at it.
    let namespace = |pid: &str| fs::metadata(format!("/proc/{pid}/ns/pid")).map(|status| status.ino());
    let inode = namespace("1").or_else(|_| namespace("self")).unwrap_or(INITIAL);
    (inode != INITIAL).then(|| u32::try_from(inode).unwrap_or(0))
}

/// Whether /proc shows the namespace that this process lives in: its children then have the ids that it gets for them.
#[must_use]
pub(crate) fn is_own() -> bool {
    let shown = fs::read_link("/proc/self").ok().and_then(|link| link.to_str()?.parse().ok());
    shown == Some(std::process::id())
}
