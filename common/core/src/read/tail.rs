//! A record: an event, and the strings that follow it.

use std::ffi::CStr;

/// Splits a record into the event and what follows it.
///
/// # Panics
/// A record is shorter than its struct, which the kernel side never sends.
#[must_use]
pub fn event<Event: plain::Plain>(record: &[u8]) -> (&Event, Tail<'_>) {
    let event = plain::from_bytes(record).expect("ring buffer records are aligned and whole");
    (event, Tail(&record[size_of::<Event>()..]))
}

/// What follows an event, taken piece by piece in the order in which the kernel side put it there.
#[derive(Debug, Clone, Copy)]
pub struct Tail<'a>(&'a [u8]);

impl<'a> Tail<'a> {
    /// The next `length` bytes, as many of them as there are: a record in the buffer may be longer than its strings.
    pub fn take(&mut self, length: impl TryInto<usize>) -> &'a [u8] {
        let length = length.try_into().unwrap_or(usize::MAX).min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    /// The next string, of `length` bytes with its NUL; none if it has none, because it could not be read.
    pub fn text(&mut self, length: impl TryInto<usize>) -> Option<&'a [u8]> {
        let taken = self.take(length);
        CStr::from_bytes_until_nul(taken).ok().map(CStr::to_bytes)
    }

    /// All that is left.
    #[must_use]
    pub fn rest(self) -> &'a [u8] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Tail, event};

    #[test]
    fn strings_follow_each_other() {
        let record: Vec<u64> = vec![7, u64::from_ne_bytes(*b"ab\0cd\0\0\0")];
        let bytes: Vec<u8> = record.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let (number, mut tail) = event::<u64>(&bytes);
        assert_eq!((*number, tail.text(3u16), tail.take(2u32)), (7, Some(&b"ab"[..]), &b"cd"[..]));
        assert_eq!((tail.text(0u16), tail.rest()), (None, &b"\0\0\0"[..]));
    }

    #[test]
    fn what_is_not_there_is_not_taken() {
        let mut tail = Tail(b"ab");
        assert_eq!((tail.take(9u64), tail.text(9u64)), (&b"ab"[..], None));
    }
}
