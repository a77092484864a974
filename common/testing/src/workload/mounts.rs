//! System calls that mount and unmount, made as they are: with arguments that no library lets through.

use std::ffi::CStr;

#[cfg(target_arch = "x86_64")]
use super::{LowMemory, compat};

/// An argument of a system call.
#[derive(Debug, Clone, Copy)]
pub enum Argument<'a> {
    /// A number, a descriptor, or an address that may be wrong.
    Number(i64),
    /// A string.
    Text(&'a CStr),
    /// Bytes.
    Bytes(&'a [u8]),
}

/// Names, with the numbers of 64-bit and of 32-bit callers.
const CALLS: &[(&str, libc::c_long, u32)] = &[
    ("mount", libc::SYS_mount, 21),
    ("umount", -1, 22),
    ("umount2", libc::SYS_umount2, 52),
    ("pivot_root", libc::SYS_pivot_root, 217),
    ("open_tree", libc::SYS_open_tree, 428),
    ("move_mount", libc::SYS_move_mount, 429),
    ("fsopen", libc::SYS_fsopen, 430),
    ("fsconfig", libc::SYS_fsconfig, 431),
    ("fsmount", libc::SYS_fsmount, 432),
    ("fspick", libc::SYS_fspick, 433),
    ("mount_setattr", libc::SYS_mount_setattr, 442),
    ("open_tree_attr", 467, 467),
];

fn numbers(name: &str) -> (libc::c_long, u32) {
    let found = CALLS.iter().find(|(known, ..)| *known == name).expect("a call that mounts");
    (found.1, found.2)
}

/// Makes such a call by its name; gives what the kernel returns, an error as a negative errno.
///
/// # Panics
/// There is no such call.
#[must_use]
pub fn call(name: &str, arguments: &[Argument<'_>]) -> i64 {
    let mut values = [0; 5];
    for (value, argument) in values.iter_mut().zip(arguments) {
        *value = match argument {
            Argument::Number(number) => *number,
            Argument::Text(text) => text.as_ptr() as i64,
            Argument::Bytes(bytes) => bytes.as_ptr() as i64,
        };
    }
    let [first, second, third, fourth, fifth] = values;
    // SAFETY: these calls only read what their arguments point to, and answer a bad address with an error.
    match unsafe { libc::syscall(numbers(name).0, first, second, third, fourth, fifth) } {
        -1 => -i64::from(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)),
        result => result,
    }
}

/// The same as a 32-bit program makes it.
///
/// # Panics
/// As [`call`].
#[cfg(target_arch = "x86_64")]
#[must_use]
pub fn call_compat(name: &str, arguments: &[Argument<'_>]) -> i32 {
    let mut memory = LowMemory::new();
    let mut values = [0; 5];
    for (value, argument) in values.iter_mut().zip(arguments) {
        *value = match argument {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a register of 32 bits")]
            Argument::Number(number) => *number as u32,
            Argument::Text(text) => memory.put_string(text),
            Argument::Bytes(bytes) => memory.put(bytes),
        };
    }
    // SAFETY: as above.
    unsafe { compat(numbers(name).1, values) }
}

/// Gives the calling thread mounts of its own: what it mounts is gone with it and seen by nobody else.
/// One call of mount(2) is part of it.
///
/// # Panics
/// The kernel refuses.
pub fn own_mounts() {
    // SAFETY: unshare(2) takes no pointers.
    assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNS) }, 0, "a mount namespace");
    let private = i64::try_from(libc::MS_REC | libc::MS_PRIVATE).expect("flags");
    let none = Argument::Text(c"none");
    let made = call("mount", &[none, Argument::Text(c"/"), Argument::Number(0), Argument::Number(private)]);
    assert_eq!(made, 0, "private mounts");
}
