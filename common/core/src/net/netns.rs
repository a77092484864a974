//! Network namespaces: what the kernel shows of one only, a tool reads in each.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

use anyhow::{Context, Result};

use crate::process::{self, complain};

/// The namespace of this process.
const OWN: &str = "/proc/self/ns/net";

/// The network namespaces that processes live in: inode number, and one such process.
///
/// The namespace of this process is among them, even where /proc shows nothing else.
#[must_use]
pub fn all() -> BTreeMap<u32, u32> {
    let mut found = BTreeMap::new();
    for pid in process::all() {
        if let Ok(namespace) = inode(&path(pid)) {
            found.entry(namespace).or_insert(pid);
        }
    }
    if let Ok(own) = own() {
        found.insert(own, std::process::id());
    }
    found
}

/// Reports that no process lives in a namespace that the user has named, if so: it may be there all the same, kept by a mount as
/// ip-netns(8) does, or its number be wrong.
pub fn complain_if_empty(namespace: u32) {
    if !all().contains_key(&namespace) {
        complain(&format!("no process that this one can see is in network namespace {namespace}"));
    }
}

/// The namespace of this process.
///
/// # Errors
/// There is no /proc, or no such thing as namespaces in it.
pub fn own() -> io::Result<u32> {
    inode(OWN)
}

/// Calls `inside` while this thread is in the network namespace of process `pid`, and returns to its own.
///
/// # Errors
/// That process has gone or is in another namespace by now, or the kernel does not permit it; or those of `inside`.
///
/// # Panics
/// The kernel refuses the way back: whatever the tool did from there on would be about the wrong namespace.
pub fn within<T>(namespace: u32, pid: u32, inside: impl FnOnce() -> Result<T>) -> Result<T> {
    let own = File::open(OWN).context("cannot open the network namespace of this process")?;
    if file_inode(&own)? == namespace {
        return inside();
    }
    // Open just as long as it is needed: an open file keeps the namespace alive when its container has gone.
    let other = File::open(path(pid)).with_context(|| format!("the network namespace of process {pid}"))?;
    anyhow::ensure!(file_inode(&other)? == namespace, "process {pid} is in another network namespace by now");
    enter(&other).with_context(|| format!("cannot enter the network namespace of process {pid}"))?;
    let result = inside();
    enter(&own).expect("a process may return to its own network namespace");
    result
}

fn path(pid: u32) -> String {
    format!("/proc/{pid}/ns/net")
}

fn inode(path: &str) -> io::Result<u32> {
    fs::metadata(path).map(|status| number(status.ino()))
}

fn file_inode(file: &File) -> io::Result<u32> {
    file.metadata().map(|status| number(status.ino()))
}

/// Namespaces have numbers of 32 bits (`ns_common.inum`).
fn number(inode: u64) -> u32 {
    u32::try_from(inode).unwrap_or(u32::MAX)
}

fn enter(namespace: &File) -> io::Result<()> {
    // SAFETY: setns(2) takes no pointers. It concerns the calling thread only.
    match unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::{all, own, within};

    #[test]
    fn the_own_namespace_is_known_and_needs_no_privilege() {
        let own = own().expect("/proc");
        assert!(all().contains_key(&own));
        assert_eq!(within(own, 0, || Ok(7)).expect("no way to go"), 7);
    }

    #[test]
    fn a_process_that_has_gone_is_an_error() {
        assert!(within(1, u32::MAX, || Ok(())).is_err());
    }
}
