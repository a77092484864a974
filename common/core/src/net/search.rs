//! The search for the owners of sockets among all open files: bpf/include/net/owner.bpf.h has its kernel side.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use libbpf_rs::{IterOpts, Link, ProgramMut};

use crate::read::iterate;

/// Files are passed on, and processes change their names: owners are looked for again so often.
const REFRESH: Duration = Duration::from_secs(1);
/// A search may take at most one part in so many of the time.
const SHARE: u32 = 50;

/// An iterator over all open files, and when it is worth running.
#[derive(Debug)]
pub struct Search {
    files: Link,
    number: u64,
    last: Instant,
    took: Duration,
}

impl Search {
    /// With a program that is an `owner_search()`.
    ///
    /// # Errors
    /// The kernel refuses the iterator.
    pub fn new(program: &ProgramMut<'_>) -> Result<Self> {
        let files = program.attach_iter_with_opts(IterOpts::None);
        let files = files.context("this kernel does not iterate over open files")?;
        Ok(Self { files, number: 0, last: Instant::now(), took: Duration::ZERO })
    }

    /// Whether it is time for a search. One for an owner that is `wanted` does not wait until known ones are to be looked
    /// at again.
    #[must_use]
    pub fn is_due(&self, wanted: bool) -> bool {
        let since = self.last.elapsed();
        (wanted || since >= REFRESH) && since >= self.took * SHARE
    }

    /// Appends a `struct owner_found` for each socket that a process has open, in the order of their times, and gives the
    /// number of the search, from 1 on.
    ///
    /// # Errors
    /// The iterator cannot be read.
    pub fn run<Found: plain::Plain + Copy + Default>(&mut self, found: &mut Vec<Found>) -> Result<u64> {
        self.last = Instant::now();
        iterate::read(&self.files, found)?;
        self.took = self.last.elapsed();
        self.number += 1;
        Ok(self.number)
    }
}
