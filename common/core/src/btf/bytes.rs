//! A file's content: mapped, read, or lent.

use std::fs::File;
use std::io::{self, Read};
use std::marker::PhantomData;
use std::ops::Deref;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr;

#[derive(Debug)]
pub(super) enum Bytes<'a> {
    Lent(&'a [u8]),
    Read(Vec<u8>),
    Mapped(Mapped),
}

impl Bytes<'static> {
    /// The content of a file, mapped where its file system can do that.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        if let Some(mapped) = Mapped::of(&file) {
            return Ok(Self::Mapped(mapped));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Self::Read(bytes))
    }
}

impl<'a> From<&'a [u8]> for Bytes<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Lent(bytes)
    }
}

impl Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Lent(bytes) => bytes,
            Self::Read(bytes) => bytes,
            // SAFETY: the mapping has this length and lives as long as the value. The kernel's own types do not change, and
            // a file that somebody cuts off meanwhile ends this process with SIGBUS, as it would libbpf.
            Self::Mapped(mapped) => unsafe { std::slice::from_raw_parts(mapped.start.cast(), mapped.length) },
        }
    }
}

#[derive(Debug)]
pub(super) struct Mapped {
    start: *mut libc::c_void,
    length: usize,
    bytes: PhantomData<[u8]>,
}

impl Mapped {
    fn of(file: &File) -> Option<Self> {
        let length = usize::try_from(file.metadata().ok()?.len()).ok()?;
        // SAFETY: new memory, wherever there is room for it; a length of 0 is refused.
        let start =
            unsafe { libc::mmap(ptr::null_mut(), length, libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd(), 0) };
        (start != libc::MAP_FAILED).then_some(Self { start, length, bytes: PhantomData })
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: it is this value's own mapping, and nothing borrows from it any more.
        unsafe { libc::munmap(self.start, self.length) };
    }
}
