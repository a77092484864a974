//! A file's content: mapped, lent, or read piece by piece.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::ptr;

#[derive(Debug)]
pub(super) enum Bytes<'a> {
    Lent(&'a [u8]),
    Owned(Vec<u8>),
    Mapped(Mapped),
    Pages(Pages),
}

impl Bytes<'static> {
    /// The content of a file, mapped where its file system can do that.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        Ok(Mapped::of(&file, length).map_or_else(|| Self::Pages(Pages::of(file, length)), Self::Mapped))
    }

    #[cfg(test)]
    pub(super) fn in_pieces(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self::Pages(Pages::of(file, usize::try_from(length).map_err(io::Error::other)?)))
    }
}

impl Bytes<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Lent(bytes) => bytes.len(),
            Self::Owned(bytes) => bytes.len(),
            Self::Mapped(mapped) => mapped.length,
            Self::Pages(pages) => pages.length,
        }
    }

    /// All of it, where it is in memory.
    fn whole(&self) -> Option<&[u8]> {
        match self {
            Self::Lent(bytes) => Some(bytes),
            Self::Owned(bytes) => Some(bytes),
            // SAFETY: the mapping has this length and lives as long as the value. The kernel's own types do not change, and
            // a file that somebody cuts off meanwhile ends this process with SIGBUS, as it would libbpf.
            Self::Mapped(mapped) => Some(unsafe { std::slice::from_raw_parts(mapped.start.cast(), mapped.length) }),
            Self::Pages(_) => None,
        }
    }

    /// Some bytes at a place.
    pub(super) fn at<const COUNT: usize>(&self, at: usize) -> Option<[u8; COUNT]> {
        match self {
            Self::Pages(pages) => pages.at(at),
            _ => self.whole()?.get(at..)?.first_chunk().copied(),
        }
    }

    /// The number at a place.
    pub(super) fn word(&self, at: usize) -> Option<u32> {
        self.at(at).map(u32::from_ne_bytes)
    }

    /// A part of it.
    pub(super) fn part(&self, range: Range<usize>) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Pages(pages) => pages.part(range).map(Cow::Owned),
            _ => self.whole()?.get(range).map(Cow::Borrowed),
        }
    }

    /// A part of it, in pieces that follow each other.
    pub(super) fn pieces(&self, range: Range<usize>, mut each: impl FnMut(&[u8])) {
        match self {
            Self::Pages(pages) => {
                let mut piece = Vec::new();
                for start in range.clone().step_by(PAGE) {
                    if pages.read(&mut piece, start..range.end.min(start + PAGE)).is_some() {
                        each(&piece);
                    }
                }
            }
            _ => each(self.whole().and_then(|bytes| bytes.get(range)).unwrap_or_default()),
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
    fn of(file: &File, length: usize) -> Option<Self> {
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

/// What sysfs gives at once, which is read of what is looked through, and what is read elsewhere.
const PAGE: usize = 4096;
const ELSEWHERE: usize = 1024;

/// A file of which one piece is kept: all of the kernel's types would be twice what else a tool needs.
#[derive(Debug)]
pub(super) struct Pages {
    file: File,
    length: usize,
    /// Where it begins, and what is there.
    kept: RefCell<(usize, Vec<u8>)>,
}

impl Pages {
    fn of(file: File, length: usize) -> Self {
        Self { file, length, kept: RefCell::default() }
    }

    fn at<const COUNT: usize>(&self, at: usize) -> Option<[u8; COUNT]> {
        let (start, bytes) = &mut *self.kept.borrow_mut();
        let end = *start + bytes.len();
        if at < *start || end < at + COUNT {
            let follows = (end.saturating_sub(COUNT)..end + PAGE).contains(&at);
            let length = if follows { PAGE } else { ELSEWHERE };
            self.read(bytes, at..self.length.min(at + length))?;
            *start = at;
        }
        bytes.get(at - *start..)?.first_chunk().copied()
    }

    fn part(&self, range: Range<usize>) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read(&mut bytes, range)?;
        Some(bytes)
    }

    /// Leaves nothing in `bytes` where it cannot be read.
    fn read(&self, bytes: &mut Vec<u8>, range: Range<usize>) -> Option<()> {
        if range.start > range.end || range.end > self.length {
            bytes.clear();
            return None;
        }
        bytes.resize(range.len(), 0);
        let read = self.file.read_exact_at(bytes, range.start as u64).ok();
        if read.is_none() {
            bytes.clear();
        }
        read
    }
}
