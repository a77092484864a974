//! Programs that are executed and end, and programs that are missing.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use super::super::{execve, short_lives, tiny_program};

pub(super) fn execute(folder: &Path, name: &OsStr, rounds: usize) {
    let program = folder.join(name);
    tiny_program(&program);
    for _ in 0..rounds / 4 {
        assert!(Command::new(&program).arg(name).status().expect("a program").success());
    }
    short_lives(rounds);
    let missing = folder.join("missing");
    for _ in 0..rounds {
        assert_eq!(execve(missing.as_os_str(), &[name]).raw_os_error(), Some(libc::ENOENT));
    }
}
