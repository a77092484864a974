//! Where the accounts come from: the kernel side's records, in all network namespaces.

use std::collections::HashSet;
use std::os::fd::BorrowedFd;

use anyhow::{Context, Result};
use corescope::libbpf_rs::{IterOpts, Link};
use corescope::net::{Namespaces, Search};
use corescope::{Queue, iterate};
use corescope_tui::{Source, Span};

use crate::book::Book;
use crate::bpf::TcptopSkel;
use crate::bpf::types::{tcptop_kind as Kind, tcptop_record as Record};
use crate::row::{self, Row};

pub(crate) struct Watch {
    sockets: Link,
    owners: Search,
    queue: Queue<Record>,
    book: Book,
    choice: row::Choice,
    namespaces: Namespaces,
}

impl Watch {
    /// Looks at all connections for the first time: what they transferred so far belongs to no interval.
    ///
    /// # Errors
    /// The kernel refuses its iterators.
    pub(crate) fn new(skel: &TcptopSkel<'_>, choice: row::Choice, verbose: bool) -> Result<Self> {
        let sockets = skel.progs.tcptop_sockets.attach_iter_with_opts(IterOpts::None);
        let mut watch = Self {
            sockets: sockets.context("this kernel does not iterate over TCP sockets")?,
            owners: Search::new(&skel.progs.tcptop_files)?,
            queue: Queue::of(skel)?,
            book: Book::default(),
            choice,
            namespaces: Namespaces::new(verbose)?,
        };
        watch.look(true)?;
        Ok(watch)
    }

    /// Brings the accounts up to date.
    ///
    /// # Errors
    /// The kernel's answers cannot be read.
    pub(crate) fn look(&mut self, everywhere: bool) -> Result<()> {
        let mut records = Vec::new();
        self.walk(everywhere, &mut records)?;
        // After the walk, for it may have seen connections whose begin is in the queue.
        self.take(&mut records);
        self.book.apply(&mut records);
        if !self.book.is_empty() && self.owners.is_due(self.book.has_unknown_owners()) {
            self.search(records)?;
        }
        Ok(())
    }

    /// Reads the totals of all connections: in the namespace of this process, and in those where there are any.
    fn walk(&mut self, everywhere: bool, records: &mut Vec<Record>) -> Result<()> {
        let inhabited = if self.namespaces.are_many() { self.book.namespaces() } else { HashSet::new() };
        let wanted = |namespace| everywhere || inhabited.contains(&namespace);
        self.namespaces.each(wanted, || iterate::read(&self.sockets, records))
    }

    /// Takes what the kernel side sent on its own. It may tell of namespaces that are new.
    fn take(&mut self, records: &mut Vec<Record>) {
        let before = records.len();
        self.queue.take(records);
        let begun = records[before..].iter().filter(|r| matches!(r.kind(), Kind::TCPTOP_CONNECT | Kind::TCPTOP_ACCEPT));
        self.namespaces.meet(begun.map(|record| record.netns));
    }

    /// Looks for the owners among all open files.
    fn search(&mut self, mut records: Vec<Record>) -> Result<()> {
        records.clear();
        let mut found = Vec::new();
        let search = self.owners.run(&mut found)?;
        self.take(&mut records);
        self.book.apply_search(&mut records, &found, search);
        Ok(())
    }
}

impl Source<Row> for Watch {
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.queue.fd())
    }

    fn drain(&mut self) -> Result<()> {
        let mut records = Vec::new();
        self.take(&mut records);
        self.book.apply(&mut records);
        Ok(())
    }

    fn rows(&mut self, span: Span) -> Result<Vec<Row>> {
        self.look(false)?;
        Ok(self.choice.rows(&self.book.take(), span))
    }
}
