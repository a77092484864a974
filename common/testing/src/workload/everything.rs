//! A bit of everything that streaming tools watch.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::mounts::{self, Argument};
use super::{Cgroup, tiny_program};
use crate::Scratch;

/// How often each thing is done: a prime number.
pub const ROUNDS: usize = 499;

/// Does all of it within a cgroup, in a process that has joined it.
///
/// # Panics
/// The workload fails.
pub fn everything_in(cgroup: &Path) {
    let scratch = Scratch::new("everything");
    let program = scratch.join("cs-everything");
    tiny_program(&program);
    // A thread of its own: cgroup v2 moves processes, so the work is done by children that are moved before they start.
    for _ in 0..ROUNDS {
        let mut command = Command::new(&program);
        Cgroup::join_before_exec(&mut command, cgroup);
        // SAFETY: the closure makes system calls only.
        unsafe {
            command.pre_exec(|| {
                before_exec();
                Ok(())
            });
        }
        assert!(command.status().expect("a program").success());
    }
}

/// What a child does in the cgroup before it executes its program, each thing once. As this is after a fork, it makes
/// system calls and nothing else.
fn before_exec() {
    let missing = c"/corescope/everything/under/a/path/that/makes/the/record/of/its/event/longer/than/others";
    let _ = mounts::call("umount2", &[Argument::Text(missing)]);
}
