//! Programs to execute, and the ways to execute them.

use std::ffi::{CString, OsStr};
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::{fs, io, ptr};

use crate::Scratch;

/// Writes a program that exits with 0 at once: a static ELF file of one page, so that executing it costs little beside
/// the exec itself.
///
/// # Panics
/// The file cannot be written.
pub fn tiny_program(path: &Path) {
    fs::write(path, tiny_elf()).expect("a writable folder");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a file of one's own");
}

/// Runs a program of this name so many times, one after the other.
///
/// # Panics
/// It cannot be run.
pub fn run_tiny_program(name: &str, times: usize) {
    let scratch = Scratch::new(name);
    let path = scratch.join(name);
    tiny_program(&path);
    for _ in 0..times {
        assert!(Command::new(&path).status().expect("a program").success());
    }
}

/// Calls execve(2) with an empty environment. Comes back only where that failed.
///
/// # Panics
/// A string holds a NUL.
pub fn execve(path: &OsStr, arguments: &[&OsStr]) -> io::Error {
    let path = c_string(path);
    let strings: Vec<CString> = arguments.iter().copied().map(c_string).collect();
    let argv = pointers(&strings);
    // SAFETY: the strings end in NUL, and the lists of them in a null pointer.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), [ptr::null()].as_ptr()) };
    io::Error::last_os_error()
}

/// The same through execveat(2) of the open file, as runc and fexecve(3) do.
///
/// # Panics
/// The file cannot be opened, or a string holds a NUL.
pub fn execveat(path: &Path, arguments: &[&OsStr]) -> io::Error {
    execveat_open(&fs::File::open(path).expect("a program"), "", arguments)
}

/// The same of a file that is open, or of one by its name in a folder that is.
///
/// # Panics
/// A string holds a NUL.
pub fn execveat_open(file: &fs::File, name: &str, arguments: &[&OsStr]) -> io::Error {
    let name = c_string(OsStr::new(name));
    let strings: Vec<CString> = arguments.iter().copied().map(c_string).collect();
    let (argv, environment) = (pointers(&strings), [ptr::null::<libc::c_char>()]);
    // SAFETY: the strings end in NUL, and the lists of them in a null pointer.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_raw_fd(),
            name.as_ptr(),
            argv.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    io::Error::last_os_error()
}

/// A copy of a file in memory, without a path (memfd_create(2)), that stays open over an exec.
///
/// # Panics
/// The kernel gives none, or the file cannot be read.
#[must_use]
pub fn in_memory(path: &Path) -> fs::File {
    // SAFETY: the name ends in NUL, and nobody else has the new descriptor.
    let mut copy = unsafe { fs::File::from_raw_fd(libc::memfd_create(c"cs-memfd".as_ptr(), 0)) };
    copy.write_all(&fs::read(path).expect("a file")).expect("memory");
    copy
}

/// Leaves an open file open over an exec.
pub fn keep_open(file: &fs::File) {
    // SAFETY: it is open.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFD, 0) };
}

/// Calls execve(2) with an argument vector that is not mapped, which fails with EFAULT.
///
/// # Panics
/// The path holds a NUL.
pub fn execve_unreadable(path: &OsStr) -> io::Error {
    let path = c_string(path);
    // SAFETY: the path ends in NUL; the kernel answers a bad address with an error.
    unsafe { libc::execve(path.as_ptr(), ptr::without_provenance(8), ptr::null()) };
    io::Error::last_os_error()
}

fn c_string(text: &OsStr) -> CString {
    CString::new(text.as_bytes()).expect("no NUL within")
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

/// `exit(0)` in machine code.
#[cfg(target_arch = "x86_64")]
const CODE: &[u8] = &[
    0xb8, 0x3c, 0, 0, 0, // mov eax, 60
    0x31, 0xff, // xor edi, edi
    0x0f, 0x05, // syscall
];
#[cfg(target_arch = "aarch64")]
const CODE: &[u8] = &[
    0x00, 0x00, 0x80, 0xd2, // mov x0, 0
    0xa8, 0x0b, 0x80, 0xd2, // mov x8, 93
    0x01, 0x00, 0x00, 0xd4, // svc 0
];
#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = 62;
#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = 183;

/// An ELF file (elf(5)) of one segment: headers and code.
fn tiny_elf() -> Vec<u8> {
    const ADDRESS: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    let mut elf = Vec::new();
    elf.extend(b"\x7fELF\x02\x01\x01");
    elf.resize(16, 0);
    let half = |elf: &mut Vec<u8>, value: u16| elf.extend(value.to_le_bytes());
    half(&mut elf, 2); // ET_EXEC
    half(&mut elf, MACHINE);
    elf.extend(1u32.to_le_bytes());
    for word in [ADDRESS + HEADERS, 64, 0] {
        elf.extend(word.to_le_bytes()); // entry, program headers, no section headers
    }
    elf.extend(0u32.to_le_bytes());
    for value in [64, 56, 1, 64, 0, 0] {
        half(&mut elf, value);
    }
    let size = HEADERS + CODE.len() as u64;
    elf.extend(1u32.to_le_bytes()); // PT_LOAD
    elf.extend(5u32.to_le_bytes()); // readable, executable
    for word in [0, ADDRESS, ADDRESS, size, size, 0x1000] {
        elf.extend(word.to_le_bytes());
    }
    elf.extend(CODE);
    elf
}

#[cfg(test)]
mod tests {
    use super::tiny_program;
    use crate::Scratch;
    use std::process::Command;

    #[test]
    fn the_tiny_program_runs() {
        let scratch = Scratch::new("tiny");
        let path = scratch.join("tiny");
        tiny_program(&path);
        assert!(Command::new(path).status().expect("an executable file").success());
    }
}
