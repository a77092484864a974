//! Network namespaces of a test's own.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Lets a command's process run in a network namespace of its own, which has nothing but loopback.
pub fn isolate(command: &mut Command) {
    // SAFETY: unshare(2), socket(2) and ioctl(2) are system calls and no more, and nothing is allocated in between.
    unsafe {
        command.pre_exec(|| {
            if libc::unshare(libc::CLONE_NEWNET) != 0 {
                return Err(io::Error::last_os_error());
            }
            loopback_up()
        });
    }
}

/// Switches `lo` on in the namespace of the calling thread.
fn loopback_up() -> io::Result<()> {
    // SAFETY: an ifreq is plain data; the descriptor has no other owner; ioctl(2) reads the struct that it is given.
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let socket = OwnedFd::from_raw_fd(fd);
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[0] = b'l'.cast_signed();
        request.ifr_name[1] = b'o'.cast_signed();
        request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_UP).expect("a small bit");
        match libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
