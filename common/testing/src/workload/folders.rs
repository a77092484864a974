//! A view of the file system that other threads do not share.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Gives the calling thread a root, a current directory and mounts of its own: what it mounts is gone with it.
///
/// # Panics
/// The kernel refuses.
pub fn own_folders() {
    // SAFETY: unshare(2) takes no pointers.
    let failed = unsafe { libc::unshare(libc::CLONE_FS | libc::CLONE_NEWNS) };
    assert_eq!(failed, 0, "{}", std::io::Error::last_os_error());
    mount(None, Path::new("/"), libc::MS_REC | libc::MS_PRIVATE);
}

/// Shows the folder `source` at `target` as well, to a thread that has called [`own_folders`].
///
/// # Panics
/// The kernel refuses.
pub fn bind_folder(source: &Path, target: &Path) {
    mount(Some(source), target, libc::MS_BIND);
}

fn mount(source: Option<&Path>, target: &Path, flags: libc::c_ulong) {
    let path = |path: &Path| CString::new(path.as_os_str().as_bytes()).expect("no NUL in a path");
    let (source, target) = (source.map(path), path(target));
    let from = source.as_ref().map_or(std::ptr::null(), |source| source.as_ptr());
    // SAFETY: the paths end in NUL, and null pointers are allowed elsewhere.
    let failed = unsafe { libc::mount(from, target.as_ptr(), std::ptr::null(), flags, std::ptr::null()) };
    assert_eq!(failed, 0, "{}", std::io::Error::last_os_error());
}
