//! Calls that mount and unmount, and fail.

use std::path::Path;

use super::super::mounts::{Argument, call};
use super::c_string;

pub(super) fn fail(folder: &Path, rounds: usize) {
    let missing = c_string(folder.join("missing").as_os_str());
    let path = Argument::Text(&missing);
    for _ in 0..rounds {
        let mounted = call("mount", &[path, path, Argument::Text(c"tmpfs"), Argument::Number(0)]);
        let unmounted = call("umount2", &[path, Argument::Number(0)]);
        assert_eq!([mounted, unmounted], [i64::from(-libc::ENOENT); 2]);
    }
}
