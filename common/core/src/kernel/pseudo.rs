//! Files of the kernel's own file systems, whether or not those are mounted.

use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use super::perf::own;

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileSystem {
    name: &'static CStr,
    /// By which statfs(2) knows it.
    magic: i64,
    /// Where distributions mount it.
    mounts: &'static [&'static CStr],
}

pub(crate) const TRACEFS: FileSystem = FileSystem {
    name: c"tracefs",
    magic: 0x7472_6163,
    mounts: &[c"/sys/kernel/tracing", c"/sys/kernel/debug/tracing"],
};
pub(crate) const DEBUGFS: FileSystem =
    FileSystem { name: c"debugfs", magic: 0x6462_6720, mounts: &[c"/sys/kernel/debug"] };
pub(crate) const SECURITYFS: FileSystem =
    FileSystem { name: c"securityfs", magic: 0x7363_6673, mounts: &[c"/sys/kernel/security"] };

impl FileSystem {
    /// Reads a file.
    ///
    /// # Errors
    /// `NotFound` if there is no such file; others say that the file system cannot be read, and why.
    pub(crate) fn read(&self, file: &str) -> io::Result<String> {
        let name = self.name.to_string_lossy();
        let read = if let Some(mount) = self.mounts.iter().find(|mount| self.is_mounted_at(mount)) {
            fs::read_to_string(Path::new(&*mount.to_string_lossy()).join(file))
        } else {
            let mount = detached_mount(self.name).map_err(|error| {
                io::Error::other(format!("{name} is not mounted, and the kernel refuses a mount of it: {error}"))
            })?;
            read_below(&mount, file)
        };
        read.map_err(|error| match error.kind() {
            ErrorKind::NotFound => error,
            // A mount of mode 0700, as tracefs is by default, is for root alone, whatever other capabilities there are.
            _ => io::Error::other(format!("cannot read {name}: {error}")),
        })
    }

    fn is_mounted_at(&self, mount: &CStr) -> bool {
        let mut status = MaybeUninit::<libc::statfs>::uninit();
        // SAFETY: the path ends in NUL; the struct is read only where the kernel has filled it.
        unsafe {
            libc::statfs(mount.as_ptr(), status.as_mut_ptr()) == 0
                && i128::from(status.assume_init().f_type) == i128::from(self.magic)
        }
    }
}

/// Reads a file of a mount that is not attached anywhere: nothing of it is left behind.
fn read_below(mount: &OwnedFd, file: &str) -> io::Result<String> {
    let path = CString::new(file)?;
    let mut text = String::new();
    // SAFETY: the path ends in NUL, and the new descriptor has no other owner.
    let mut file = unsafe {
        let fd = libc::openat(mount.as_raw_fd(), path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        File::from_raw_fd(fd)
    };
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// fsopen(2), fsconfig(2) and fsmount(2), Linux 5.2.
fn detached_mount(name: &CStr) -> io::Result<OwnedFd> {
    const FSOPEN_CLOEXEC: libc::c_uint = 1;
    const FSMOUNT_CLOEXEC: libc::c_uint = 1;
    const FSCONFIG_CMD_CREATE: libc::c_uint = 6;
    // SAFETY: the only pointers are to a string that ends in NUL and null ones where nothing is to be said.
    unsafe {
        let context = own(libc::syscall(libc::SYS_fsopen, name.as_ptr(), FSOPEN_CLOEXEC))?;
        let none = std::ptr::null::<libc::c_char>();
        if libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), FSCONFIG_CMD_CREATE, none, none, 0) < 0 {
            return Err(io::Error::last_os_error());
        }
        own(libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), FSMOUNT_CLOEXEC, 0))
    }
}
