//! Processes that are killed because they want more memory than their cgroup has.

use std::path::Path;

use super::super::Oom;

pub(super) fn run_out(cgroup: &Path, rounds: usize) {
    let little = Oom::within(cgroup);
    for _ in 0..rounds {
        little.kill();
    }
}
