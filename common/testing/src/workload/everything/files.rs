//! Files that are opened and looked at, present and missing.

use std::ffi::CStr;
use std::path::Path;
use std::{fs, mem};

use super::c_string;

pub(super) fn look(folder: &Path, rounds: usize) {
    let file = folder.join("present");
    fs::write(&file, "").expect("a writable folder");
    let (file, missing) = (c_string(file.as_os_str()), c_string(folder.join("missing").as_os_str()));
    for _ in 0..rounds {
        assert!(open(&file, libc::O_RDWR | libc::O_CREAT) && !open(&missing, libc::O_RDONLY));
        assert!(ask(&file) && !ask(&missing));
    }
}

fn open(path: &CStr, flags: i32) -> bool {
    // SAFETY: the path ends in NUL, and the descriptor is closed once.
    unsafe {
        let fd = libc::open(path.as_ptr(), flags, 0o600);
        fd >= 0 && libc::close(fd) == 0
    }
}

/// Asks for what stat(2), statx(2) and statfs(2) tell.
fn ask(path: &CStr) -> bool {
    // SAFETY: the path ends in NUL; the structs are plain data, of which zeros are a value.
    unsafe {
        let (mut file, mut more, mut system) = (mem::zeroed(), mem::zeroed(), mem::zeroed());
        libc::stat(path.as_ptr(), &raw mut file) == 0
            && libc::statx(libc::AT_FDCWD, path.as_ptr(), 0, libc::STATX_BASIC_STATS, &raw mut more) == 0
            && libc::statfs(path.as_ptr(), &raw mut system) == 0
    }
}
