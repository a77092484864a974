//! Records of a ring buffer, taken when the tool has time for them: for tools that print at intervals.

use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result};
use libbpf_rs::skel::Skel;

use super::ring::Ring;
use super::stream::{Wakeups, events};

/// The map `events` of a loaded object, where all records are of one type. The kernel side may leave out the end of one:
/// it is as in the default record.
pub struct Queue<Record> {
    ring: Ring,
    wakeups: Wakeups,
    records: PhantomData<Record>,
}

impl<Record: plain::Plain + Default> Queue<Record> {
    /// Watches the map.
    ///
    /// # Errors
    /// The object has no such map, or the kernel refuses to show it.
    pub fn of<'obj>(skel: &impl Skel<'obj>) -> Result<Self> {
        let events = events(skel)?;
        let wakeups = Wakeups::of(events.as_fd()).context("cannot watch the event buffer")?;
        Ok(Self { ring: Ring::of(&events)?, wakeups, records: PhantomData })
    }

    /// Readable when the kernel side asks for room: [`take`](Self::take) then, or records will be lost.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.wakeups.fd()
    }

    /// Appends all that is waiting.
    pub fn take(&mut self, records: &mut Vec<Record>) {
        self.wakeups.clear();
        self.ring.consume(|bytes| {
            records.push(record(bytes));
            true
        });
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
