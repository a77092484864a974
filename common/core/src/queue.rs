//! Records of a ring buffer, taken when the tool has time for them: for tools that print at intervals.

use std::cell::RefCell;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;

use anyhow::{Context, Result};
use libbpf_rs::skel::Skel;
use libbpf_rs::{RingBuffer, RingBufferBuilder};

use crate::stream::{Wakeups, events};

/// The map `events` of a loaded object, where all records are of one type. The kernel side may leave out the end of one:
/// it is as in the default record.
pub struct Queue<'obj, Record> {
    ring: RingBuffer<'obj>,
    wakeups: Wakeups,
    taken: Rc<RefCell<Vec<Record>>>,
}

impl<'obj, Record: plain::Plain + Default + 'obj> Queue<'obj, Record> {
    /// Watches the map.
    ///
    /// # Errors
    /// The object has no such map, or the kernel refuses to show it.
    pub fn of<'skel>(skel: &'obj impl Skel<'skel>) -> Result<Self> {
        let events = events(skel)?;
        let wakeups = Wakeups::of(events.as_fd()).context("cannot watch the event buffer")?;
        let taken = Rc::new(RefCell::new(Vec::new()));
        let filled = Rc::clone(&taken);
        let mut builder = RingBufferBuilder::new();
        builder.add(&events, move |bytes| {
            filled.borrow_mut().push(record(bytes));
            0
        })?;
        Ok(Self { ring: builder.build()?, wakeups, taken })
    }

    /// Readable when the kernel side asks for room: [`take`](Self::take) then, or records will be lost.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.wakeups.fd()
    }

    /// Appends all that is waiting.
    ///
    /// # Errors
    /// The buffer cannot be read.
    pub fn take(&self, records: &mut Vec<Record>) -> Result<()> {
        self.wakeups.clear();
        let consumed = self.ring.consume();
        records.append(&mut self.taken.borrow_mut());
        consumed.context("cannot read the event buffer")
    }
}

/// A record from as many bytes as there are of it.
fn record<Record: plain::Plain + Default>(bytes: &[u8]) -> Record {
    let mut record = Record::default();
    // SAFETY: `Plain` promises a type without padding or pointers, of which any bytes are a value.
    let whole = unsafe { plain::as_mut_bytes(&mut record) };
    let length = whole.len().min(bytes.len());
    whole[..length].copy_from_slice(&bytes[..length]);
    record
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_left_out_is_zero() {
        let half: u32 = super::record(&[1, 0]);
        let more: u32 = super::record(&[1, 0, 0, 0, 9]);
        assert_eq!((half.to_le(), more.to_le()), (1, 1));
    }
}
