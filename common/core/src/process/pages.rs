//! Memory of a BPF map that is shared with the kernel.

use std::io;
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU64;

use libbpf_rs::MapCore;

/// Some pages of it, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Pages {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping belongs to this value, whichever thread has it.
unsafe impl Send for Pages {}

impl Pages {
    /// Maps `length` bytes from `offset` on, which is a multiple of the page size.
    pub(crate) fn of(map: &impl MapCore, length: usize, writable: bool, offset: usize) -> io::Result<Self> {
        let offset = libc::off_t::try_from(offset).map_err(io::Error::other)?;
        let protection = libc::PROT_READ | if writable { libc::PROT_WRITE } else { 0 };
        let fd = map.as_fd().as_raw_fd();
        // SAFETY: new memory, wherever there is room for it.
        let start = unsafe { libc::mmap(ptr::null_mut(), length, protection, libc::MAP_SHARED, fd, offset) };
        match NonNull::new(start.cast::<u8>()) {
            Some(first) if start != libc::MAP_FAILED => Ok(Self { start: first, length }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// The byte at a place.
    ///
    /// # Panics
    /// It is none of these pages'.
    pub(crate) fn at(&self, place: usize) -> *const u8 {
        assert!(place < self.length, "{place} of {} bytes", self.length);
        // SAFETY: it lies within the mapping.
        unsafe { self.start.as_ptr().add(place) }
    }

    /// The word at a place that is a multiple of its size, which both sides write and read as a whole.
    ///
    /// # Panics
    /// It is none of these pages'.
    #[allow(clippy::cast_ptr_alignment, reason = "the place is aligned, and so are pages")]
    pub(crate) fn word(&self, place: usize) -> &AtomicU64 {
        assert!(place.is_multiple_of(size_of::<u64>()), "aligned");
        // SAFETY: an aligned word of the mapping, which lives as long as `self`.
        unsafe { &*self.at(place).cast::<AtomicU64>() }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: it is this value's own mapping, and nothing borrows from it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}
