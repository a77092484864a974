//! The reader's side of a BPF ring buffer (Documentation/bpf/ringbuf.rst).
//!
//! libbpf's own tells the kernel after each record that its room is free, and maps the data twice. Every open file of a
//! traced program would then wait for a cache line that the reader has just written, and the tool would need a buffer's
//! size of memory more: this one tells the kernel once for many records.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use libbpf_rs::{MapCore, MapType};

use crate::process::pages::Pages;

/// In the length of a record: the kernel side is still writing it, or has changed its mind.
const BUSY: u32 = 1 << 31;
const DISCARD: u32 = 1 << 30;
/// Length, and a number that is the kernel's own.
const HEADER: u64 = 8;
/// The kernel hears of free room each time that this part of the buffer has been read.
const PARTS: u64 = 8;

/// The map of a loaded object.
#[derive(Debug)]
pub struct Ring {
    consumer: Pages,
    producer: Pages,
    page: usize,
    size: u64,
    /// A record that begins at the end of the buffer and ends at its start.
    wrapped: Vec<u8>,
}

impl Ring {
    /// Maps the buffer.
    ///
    /// # Errors
    /// The map is no ring buffer, or the kernel refuses.
    pub fn of(map: &impl MapCore) -> Result<Self> {
        anyhow::ensure!(map.map_type() == MapType::RingBuf, "this map is no ring buffer");
        // SAFETY: sysconf(3) takes no pointers.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
        let size = map.max_entries() as usize;
        let pages =
            |length, writable, offset| Pages::of(map, length, writable, offset).context("cannot map the event buffer");
        let consumer = pages(page, true, 0)?;
        let producer = pages(page + size, false, page)?;
        Ok(Self { consumer, producer, page, size: size as u64, wrapped: Vec::new() })
    }

    /// Hands over what is waiting, until nothing is left or `on_record` gives false.
    pub fn consume(&mut self, mut on_record: impl FnMut(&[u8]) -> bool) {
        let mut at = self.consumer.word(0).load(Ordering::Acquire);
        let mut told = at;
        let mut go_on = true;
        while go_on {
            let end = self.producer.word(0).load(Ordering::Acquire);
            if at >= end {
                break;
            }
            while go_on && at < end {
                let length = self.length(at);
                if length & BUSY != 0 {
                    go_on = false;
                    break;
                }
                let size = u64::from(length & !DISCARD);
                if length & DISCARD == 0 {
                    go_on = on_record(self.record(at + HEADER, size));
                }
                at += (HEADER + size).next_multiple_of(8);
                if at - told >= self.size / PARTS {
                    told = at;
                    self.consumer.word(0).store(at, Ordering::Release);
                }
            }
            self.consumer.word(0).store(at, Ordering::Release);
        }
    }

    /// The length word of the record at a position.
    #[allow(clippy::cast_ptr_alignment, reason = "records are aligned to 8 bytes")]
    fn length(&self, at: u64) -> u32 {
        // SAFETY: records are aligned to 8 bytes and their first word lies within the data; the kernel writes it atomically.
        let word = unsafe { &*self.data(at).cast::<AtomicU32>() };
        word.load(Ordering::Acquire)
    }

    fn record(&mut self, at: u64, size: u64) -> &[u8] {
        let (size, to_end) = (usize_of(size), usize_of(self.size - (at & (self.size - 1))));
        // SAFETY: the kernel does not write to a finished record until it hears that its room is free, and both parts lie
        // within the data.
        unsafe {
            if size <= to_end {
                return std::slice::from_raw_parts(self.data(at), size);
            }
            self.wrapped.clear();
            self.wrapped.extend_from_slice(std::slice::from_raw_parts(self.data(at), to_end));
            self.wrapped.extend_from_slice(std::slice::from_raw_parts(self.data(0), size - to_end));
        }
        &self.wrapped
    }

    /// The byte at a position; the buffer's size is a power of two.
    fn data(&self, at: u64) -> *const u8 {
        self.producer.at(self.page + usize_of(at & (self.size - 1)))
    }
}

fn usize_of(number: u64) -> usize {
    usize::try_from(number).expect("at most the buffer's size")
}
