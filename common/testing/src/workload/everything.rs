//! A bit of everything that streaming tools watch, for the tests that concern all of them: whoever adds a tool that
//! watches something else adds that here.

mod files;
mod memory;
mod mounting;
mod privileges;
mod programs;
mod signals;
mod syncing;

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::{Cgroup, Forked};
use crate::Scratch;

/// How often each thing is done that costs little: a prime number, and more than the smallest buffer of a tool holds.
pub const ROUNDS: usize = 499;

/// Does all of it within a cgroup, in processes that have joined it.
///
/// `name` is what programs, files, folders and the process itself are called, and the costly things are done in a
/// quarter of the rounds. Nothing of it is going on any more in the end.
///
/// # Panics
/// The workload fails.
pub fn everything_in(cgroup: &Path, name: &OsStr, rounds: usize) {
    let scratch = Scratch::new("everything");
    let folder = scratch.path().join(name);
    std::fs::create_dir(&folder).expect("a writable folder");
    let inside = Forked::new(|| {
        let done = catch_unwind(AssertUnwindSafe(|| {
            Cgroup::join(cgroup);
            rename(name);
            files::look(&folder, rounds);
            mounting::fail(&folder, rounds);
            privileges::need(rounds);
            signals::send(rounds);
            syncing::write_back(&folder, rounds);
            programs::execute(&folder, name, rounds);
        }));
        if done.is_err() {
            super::exit_process(101);
        }
    });
    assert!(inside.wait().success(), "everything can be done");
    memory::run_out(cgroup, rounds / 4);
}

/// Gives the calling process this name.
fn rename(name: &OsStr) {
    // SAFETY: the string ends in NUL.
    let failed = unsafe { libc::prctl(libc::PR_SET_NAME, c_string(name).as_ptr()) };
    assert_eq!(failed, 0, "a name");
}

fn c_string(text: &OsStr) -> CString {
    CString::new(text.as_bytes()).expect("no NUL within")
}
