//! Where the accounts come from: the kernel side's records, in all network namespaces.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use corescope::libbpf_rs::{IterOpts, Link, ProgramMut};
use corescope::{Queue, complain, iterate, netns};
use corescope_tui::{Source, Span};

use crate::book::{ACCEPT, Book, CONNECT};
use crate::bpf::TcptopSkel;
use crate::bpf::types::tcptop_record as Record;
use crate::row::{self, Row};

/// Files are passed on, and processes change their names: owners are looked for anew so often.
const REFRESH: Duration = Duration::from_secs(10);
/// A search may take at most one part in so many of the time.
const SHARE: u32 = 20;

pub(crate) struct Watch {
    sockets: Link,
    files: Link,
    queue: Queue<Record>,
    book: Book,
    choice: row::Choice,
    /// The namespace of this process, and all that are known, each with a process that lives in it.
    own: u32,
    namespaces: BTreeMap<u32, u32>,
    /// Namespaces that no process lives in, or that cannot be entered.
    hidden: BTreeSet<u32>,
    searched: Instant,
    search_took: Duration,
    verbose: bool,
}

impl Watch {
    /// Looks at all connections for the first time: what they transferred so far belongs to no interval.
    ///
    /// # Errors
    /// The kernel refuses its iterators.
    pub(crate) fn new(skel: &TcptopSkel<'_>, choice: row::Choice, verbose: bool) -> Result<Self> {
        let iterate = |program: &ProgramMut<'_>| program.attach_iter_with_opts(IterOpts::None);
        let mut watch = Self {
            sockets: iterate(&skel.progs.tcptop_sockets).context("this kernel does not iterate over TCP sockets")?,
            files: iterate(&skel.progs.tcptop_files).context("this kernel does not iterate over open files")?,
            queue: Queue::of(skel)?,
            book: Book::default(),
            choice,
            own: netns::own().context("cannot tell the own network namespace")?,
            namespaces: netns::all(),
            hidden: BTreeSet::new(),
            searched: Instant::now(),
            search_took: Duration::ZERO,
            verbose,
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
        let since = self.searched.elapsed();
        let due = since >= REFRESH && !self.book.is_empty() || self.book.has_unknown_owners();
        if due && since >= self.search_took * SHARE {
            self.search(records)?;
        }
        Ok(())
    }

    /// Reads the totals of all connections: in the own namespace, and in those where there are any.
    fn walk(&mut self, everywhere: bool, records: &mut Vec<Record>) -> Result<()> {
        let inhabited = if self.namespaces.len() > 1 { self.book.namespaces() } else { HashSet::new() };
        let known: Vec<(u32, u32)> = self.namespaces.iter().map(|(namespace, pid)| (*namespace, *pid)).collect();
        for (namespace, pid) in known {
            if namespace != self.own && !everywhere && !inhabited.contains(&namespace) {
                continue;
            }
            match netns::within(namespace, pid, || iterate::read(&self.sockets, records)) {
                Err(error) if namespace == self.own => return Err(error),
                Err(error) => self.hide(namespace, &error),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Another process may live in that namespace; otherwise it is passed over.
    fn hide(&mut self, namespace: u32, error: &anyhow::Error) {
        let others = netns::all();
        if others.get(&namespace) == self.namespaces.get(&namespace) {
            if self.verbose {
                complain(&format!("passes over a network namespace: {error:#}"));
            }
            self.hidden.insert(namespace);
        }
        self.namespaces = others;
        self.namespaces.retain(|namespace, _| !self.hidden.contains(namespace));
    }

    /// Takes what the kernel side sent on its own. It may tell of namespaces that are new.
    fn take(&mut self, records: &mut Vec<Record>) {
        let before = records.len();
        self.queue.take(records);
        let begun = records[before..].iter().filter(|record| matches!(record.kind, CONNECT | ACCEPT));
        let unknown = |namespace: &u32| !self.namespaces.contains_key(namespace) && !self.hidden.contains(namespace);
        let new: BTreeSet<u32> = begun.map(|record| record.netns).filter(unknown).collect();
        if !new.is_empty() {
            self.namespaces = netns::all();
            self.namespaces.retain(|namespace, _| !self.hidden.contains(namespace));
            self.hidden.extend(new.iter().filter(|namespace| !self.namespaces.contains_key(namespace)));
        }
    }

    /// Looks for the owners among all open files.
    fn search(&mut self, mut records: Vec<Record>) -> Result<()> {
        records.clear();
        self.searched = Instant::now();
        iterate::read(&self.files, &mut records)?;
        self.search_took = self.searched.elapsed();
        self.take(&mut records);
        self.book.apply_search(&mut records);
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
        Ok(self.choice.rows(self.book.take(), span))
    }
}
