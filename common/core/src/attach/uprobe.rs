//! Functions of executables and libraries.

use std::fs::File;
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};
use libbpf_rs::{Link, ProgramMut, UprobeOpts};

use super::elf;

/// Where in a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Where it is called: the arguments are in the registers.
    Entry,
    /// Where it returns: the result is.
    Return,
}

/// Attaches a program to a function of a file, in all processes that run or will run it; gives nothing if the file has no
/// function of that name.
///
/// # Errors
/// The file is no executable or library, or the kernel refuses.
pub fn uprobe(program: &ProgramMut<'_>, file: &File, function: &str, at: At) -> Result<Option<Link>> {
    const ALL_PROCESSES: i32 = -1;
    let Some(place) = elf::place(file, function)? else { return Ok(None) };
    // By descriptor: the file may have been deleted, or have no name in this mount namespace.
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let options = UprobeOpts { retprobe: at == At::Return, ..UprobeOpts::default() };
    let link = program
        .attach_uprobe_with_opts(ALL_PROCESSES, path, usize::try_from(place)?, options)
        .with_context(|| format!("the kernel refuses to probe {function}()"))?;
    Ok(Some(link))
}
