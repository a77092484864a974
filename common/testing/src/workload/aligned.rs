//! I/O that does not pass the cache: files that are open for it, and memory that begins at a page, as it wants.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const PAGE: usize = 4096;

/// Opens a file or disk with O_DIRECT and other flags, to read and to write.
///
/// # Panics
/// It is not there, or not to be opened in this way.
#[must_use]
pub fn direct(path: impl AsRef<Path>, flags: i32) -> File {
    let opened = OpenOptions::new().read(true).write(true).custom_flags(libc::O_DIRECT | flags).open(path);
    opened.expect("a disk or file that the cache can be left out of")
}

/// Some pages.
#[derive(Debug)]
pub struct Aligned {
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

impl Aligned {
    /// So many bytes, all 0.
    #[must_use]
    pub fn new(length: usize) -> Self {
        let memory = vec![0; length + PAGE];
        let start = memory.as_ptr().align_offset(PAGE);
        Self { memory, start, length }
    }

    /// All of them.
    pub fn bytes(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.length]
    }
}
