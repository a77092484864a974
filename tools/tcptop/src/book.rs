//! The accounts: from what was seen of each socket to what its connection transferred in an interval.
//!
//! A connection is named by its socket's address in the kernel, which the kernel gives to another one later on. So
//! records are taken in the order of their times, and a begin or an end says where one connection stops and the next one
//! starts. Bytes count from the begin where that was seen, otherwise from the first sight on.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use corescope::address;
use corescope::net::{Known, Owned, Owner};

use crate::bpf::types::{owner_found as Found, sock_ends, tcptop_kind as Kind, tcptop_record as Record};

/// A connection that transfers nothing stays a row for so many intervals.
const QUIET: u32 = 20;

/// Both ends of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

impl Ends {
    fn of(ends: &sock_ends) -> Self {
        let socket = |bytes, port| SocketAddr::new(address::address(ends.family, bytes), port);
        Self { local: socket(ends.local, ends.local_port), remote: socket(ends.remote, ends.remote_port) }
    }

    /// The same for both ends of a connection within this machine.
    pub(crate) fn either_way(&self) -> [SocketAddr; 2] {
        [self.local.min(self.remote), self.local.max(self.remote)]
    }

    fn unknown() -> Self {
        let nowhere = SocketAddr::new(IpAddr::from([0, 0, 0, 0]), 0);
        Self { local: nowhere, remote: nowhere }
    }
}

impl Record {
    pub(crate) fn kind(&self) -> Kind {
        Kind(self.kind.into())
    }

    /// The process that was at work on the socket.
    fn owner(&self) -> Option<Owner> {
        Owner::new(self.owner.pid, self.owner.comm, Known::Seen)
    }
}

/// Bytes in both directions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bytes {
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Connection {
    /// Never given twice.
    pub(crate) id: u64,
    pub(crate) owner: Owned,
    pub(crate) ends: Ends,
    pub(crate) netns: u32,
    /// Since the connection began.
    pub(crate) total: Bytes,
    /// In the present interval.
    pub(crate) moved: Bytes,
    pub(crate) ended: bool,
    /// The SYN that the kernel counts as a byte sent, where this side sent the first one.
    syn: u64,
    quiet: u32,
    /// Whether some process has it open, as far as is known.
    open: bool,
}

impl Connection {
    /// Takes newer totals. One that is less than before was read in the midst of a change: the next look is right.
    fn see(&mut self, record: &Record) {
        let sent = record.sent.saturating_sub(self.syn);
        self.moved.sent += sent.saturating_sub(self.total.sent);
        self.moved.received += record.received.saturating_sub(self.total.received);
        self.total.sent = self.total.sent.max(sent);
        self.total.received = self.total.received.max(record.received);
        self.open = record.open != 0;
    }

    fn has_moved(&self) -> bool {
        self.moved != Bytes::default()
    }
}

/// All connections that are open, and those that ended in the present interval.
#[derive(Debug, Default)]
pub(crate) struct Book {
    live: HashMap<u64, Connection>,
    ended: Vec<Connection>,
    /// Where in `ended` the last connection of a socket is.
    ended_at: HashMap<u64, usize>,
    made: u64,
}

impl Book {
    /// Takes records of any kind, in the order of their times.
    pub(crate) fn apply(&mut self, records: &mut [Record]) {
        self.merge(records, &[], 0);
    }

    /// Takes what a search found as well, and remembers what it did not find.
    pub(crate) fn apply_search(&mut self, records: &mut [Record], found: &[Found], search: u64) {
        self.merge(records, found, search);
        for connection in self.live.values_mut().filter(|connection| connection.open) {
            connection.owner.searched(search);
        }
    }

    fn merge(&mut self, records: &mut [Record], found: &[Found], search: u64) {
        // Stable: what the kernel side wrote at the same time stays in the order that it was written in.
        records.sort_by_key(|record| record.time_ns);
        let mut found = found.iter().peekable();
        for record in records.iter() {
            while let Some(found) = found.next_if(|found| found.time_ns <= record.time_ns) {
                self.found(found, search);
            }
            match record.kind() {
                Kind::TCPTOP_CONNECT | Kind::TCPTOP_ACCEPT => self.begin(record),
                Kind::TCPTOP_SEEN => self.seen(record).see(record),
                Kind::TCPTOP_USED => self.used(record),
                Kind::TCPTOP_END => self.end(record),
                _ => {}
            }
        }
        found.for_each(|found| self.found(found, search));
    }

    fn begin(&mut self, record: &Record) {
        self.close(record.sock);
        let mut connection = self.connection(record);
        connection.syn = u64::from(record.kind() == Kind::TCPTOP_CONNECT);
        self.live.insert(record.sock, connection);
    }

    /// The connection that a record with totals is about.
    fn seen(&mut self, record: &Record) -> &mut Connection {
        let ends = Ends::of(&record.ends);
        let known =
            self.live.get(&record.sock).is_some_and(|known| known.ends == ends || known.ends == Ends::unknown());
        if !known {
            self.close(record.sock);
            let mut found = self.connection(record);
            // What it transferred before it was seen belongs to no interval.
            found.syn = record.syn.into();
            found.total = Bytes { received: record.received, sent: record.sent.saturating_sub(found.syn) };
            self.live.insert(record.sock, found);
        }
        let connection = self.live.entry(record.sock).or_insert_with(|| unreachable!("just found or inserted"));
        connection.ends = ends;
        connection.netns = record.netns;
        connection
    }

    fn found(&mut self, found: &Found, search: u64) {
        if let Some(connection) = self.live.get_mut(&found.sock) {
            connection.owner.found(Owner::new(found.owner.pid, found.owner.comm, Known::Found), search);
        }
    }

    fn used(&mut self, record: &Record) {
        let ended = self.ended_at.get(&record.sock).and_then(|index| self.ended.get_mut(*index));
        if let Some(connection) = self.live.get_mut(&record.sock).or(ended) {
            connection.owner.seen(record.owner());
        }
    }

    fn end(&mut self, record: &Record) {
        // Without a begin or an earlier sight nobody knows what of it belongs to this interval.
        if !self.live.contains_key(&record.sock) {
            return;
        }
        let connection = self.seen(record);
        connection.see(record);
        connection.owner.seen(record.owner());
        self.close(record.sock);
    }

    /// Moves a connection to those that ended.
    fn close(&mut self, sock: u64) {
        if let Some(mut connection) = self.live.remove(&sock)
            && connection.has_moved()
        {
            connection.ended = true;
            self.ended_at.insert(sock, self.ended.len());
            self.ended.push(connection);
        }
    }

    fn connection(&mut self, record: &Record) -> Connection {
        self.made += 1;
        let mut owner = Owned::default();
        owner.seen(record.owner());
        Connection {
            id: self.made,
            owner,
            ends: Ends::unknown(),
            netns: record.netns,
            total: Bytes::default(),
            moved: Bytes::default(),
            ended: false,
            syn: 0,
            quiet: QUIET,
            open: false,
        }
    }

    /// Whether there is a connection that a search among all open files could find the owner of.
    pub(crate) fn has_unknown_owners(&self) -> bool {
        self.live.values().any(|connection| connection.open && connection.owner.is_wanted())
    }

    /// Whether there is anything to search for.
    pub(crate) fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// The network namespaces that connections are in.
    pub(crate) fn namespaces(&self) -> HashSet<u32> {
        self.live.values().map(|connection| connection.netns).collect()
    }

    /// Ends the interval: gives the connections that transferred something in it, or lately.
    pub(crate) fn take(&mut self) -> Vec<Connection> {
        let mut connections = std::mem::take(&mut self.ended);
        self.ended_at.clear();
        for connection in self.live.values_mut() {
            connection.quiet = if connection.has_moved() { 0 } else { (connection.quiet + 1).min(QUIET) };
            if connection.quiet < QUIET {
                connections.push(connection.clone());
            }
            connection.moved = Bytes::default();
        }
        connections
    }
}

#[cfg(test)]
mod tests {
    use super::{Book, Bytes, Connection, Found, Kind, Record, sock_ends};
    use crate::bpf::types::sock_owner;

    const SOCK: u64 = 0xffff_8880_0000_1000;

    const CONNECT: Kind = Kind::TCPTOP_CONNECT;
    const ACCEPT: Kind = Kind::TCPTOP_ACCEPT;
    const SEEN: Kind = Kind::TCPTOP_SEEN;
    const USED: Kind = Kind::TCPTOP_USED;
    const END: Kind = Kind::TCPTOP_END;

    fn record(time_ns: u64, kind: Kind, sent: u64, received: u64, port: u16) -> Record {
        let ends = sock_ends { family: 2, local_port: port, remote_port: 80, ..sock_ends::default() };
        let ends = if matches!(kind, SEEN | END) { ends } else { sock_ends::default() };
        let kind = kind.0.to_le_bytes()[0];
        Record { time_ns, kind, sock: SOCK, sent, received, ends, open: 1, netns: 7, ..Record::default() }
    }

    fn by(mut record: Record, pid: u32) -> Record {
        record.owner.pid = pid;
        record
    }

    fn found(time_ns: u64, pid: u32) -> Found {
        Found { time_ns, sock: SOCK, owner: sock_owner { pid, ..sock_owner::default() }, ..Found::default() }
    }

    /// What the interval gives: bytes sent and received, the local port, the owner.
    fn take(book: &mut Book) -> Vec<(u64, u64, u16, u32)> {
        let line =
            |c: &Connection| (c.moved.sent, c.moved.received, c.ends.local.port(), c.owner.get().map_or(0, |o| o.pid));
        let mut lines: Vec<_> = book.take().iter().map(line).collect();
        lines.sort_unstable();
        lines
    }

    #[test]
    fn an_old_connection_counts_from_the_first_sight() {
        let mut book = Book::default();
        book.apply(&mut [record(1, SEEN, 1000, 500, 1)]);
        assert!(take(&mut book).is_empty());
        book.apply(&mut [record(2, SEEN, 1100, 507, 1)]);
        assert_eq!(take(&mut book), [(100, 7, 1, 0)]);
        book.apply(&mut [record(3, END, 1101, 507, 1)]);
        let ended = book.take().pop().expect("a row");
        assert_eq!(ended.moved, Bytes { sent: 1, received: 0 });
        assert_eq!(ended.total, Bytes { sent: 1101, received: 507 });
        assert!(ended.ended && book.is_empty());
    }

    #[test]
    fn a_new_connection_counts_from_zero_and_without_its_syn() {
        let mut book = Book::default();
        book.apply(&mut [record(1, CONNECT, 0, 0, 0), record(2, SEEN, 11, 3, 1)]);
        assert_eq!(take(&mut book), [(10, 3, 1, 0)]);
        book.apply(&mut [record(3, ACCEPT, 0, 0, 0), record(4, SEEN, 11, 3, 1)]);
        assert_eq!(take(&mut book), [(11, 3, 1, 0)]);
    }

    #[test]
    fn a_connection_within_one_interval() {
        let mut book = Book::default();
        book.apply(&mut [by(record(1, CONNECT, 0, 0, 0), 42), record(2, END, 1_000_001, 9, 5)]);
        assert_eq!(take(&mut book), [(1_000_000, 9, 5, 42)]);
        assert!(take(&mut book).is_empty());
    }

    #[test]
    fn a_socket_that_is_used_again_is_another_connection() {
        let mut book = Book::default();
        // The records come in two batches, the walk's before the events': their times put them right.
        book.apply(&mut [
            record(6, SEEN, 71, 0, 2),
            record(1, ACCEPT, 0, 0, 0),
            record(3, END, 100, 0, 1),
            record(5, ACCEPT, 0, 0, 0),
        ]);
        assert_eq!(take(&mut book), [(71, 0, 2, 0), (100, 0, 1, 0)]);
        // Even with the same ends, and with more bytes than the one before.
        book.apply(&mut [record(7, END, 71, 0, 2), record(8, ACCEPT, 0, 0, 0), record(9, SEEN, 500, 0, 2)]);
        assert_eq!(take(&mut book), [(500, 0, 2, 0)]);
    }

    #[test]
    fn begin_and_end_that_were_lost_count_nothing_twice() {
        let mut book = Book::default();
        book.apply(&mut [record(1, ACCEPT, 0, 0, 0), record(2, SEEN, 100, 0, 1)]);
        assert_eq!(take(&mut book), [(100, 0, 1, 0)]);
        book.apply(&mut [record(3, SEEN, 5000, 0, 2)]);
        assert!(take(&mut book).is_empty());
        book.apply(&mut [record(4, END, 5001, 0, 2), record(5, END, 5001, 0, 2)]);
        assert_eq!(take(&mut book), [(1, 0, 2, 0)]);
    }

    #[test]
    fn a_reading_in_the_midst_of_a_change_is_made_good() {
        let mut book = Book::default();
        book.apply(&mut [record(1, ACCEPT, 0, 0, 0), record(2, SEEN, 100, 11, 1), record(3, SEEN, 90, 10, 1)]);
        book.apply(&mut [record(4, END, 110, 12, 1)]);
        assert_eq!(take(&mut book), [(110, 12, 1, 0)]);
    }

    #[test]
    fn owners_come_from_searches_and_from_whoever_closes() {
        let mut book = Book::default();
        book.apply(&mut [record(1, ACCEPT, 0, 0, 0), record(2, SEEN, 1, 0, 1)]);
        assert!(book.has_unknown_owners());
        book.apply_search(&mut [], &[found(3, 7), found(3, 9)], 1);
        assert!(!book.has_unknown_owners());
        assert_eq!(take(&mut book), [(1, 0, 1, 7)]);
        // Process 7 has passed it on.
        book.apply_search(&mut [], &[found(4, 9)], 2);
        book.apply(&mut [by(record(5, USED, 0, 0, 0), 8), by(record(6, END, 2, 0, 1), 8)]);
        assert_eq!(take(&mut book), [(1, 0, 1, 9)]);
    }

    #[test]
    fn a_search_tells_of_the_connection_that_there_was_at_the_time() {
        let mut book = Book::default();
        book.apply(&mut [record(1, ACCEPT, 0, 0, 0), record(2, SEEN, 5, 0, 1)]);
        // The socket is another connection's by the time that the search is over.
        let mut meanwhile = [by(record(6, ACCEPT, 0, 0, 0), 8), record(4, END, 9, 0, 1), record(7, SEEN, 3, 0, 2)];
        book.apply_search(&mut meanwhile, &[found(3, 7)], 1);
        assert_eq!(take(&mut book), [(3, 0, 2, 8), (9, 0, 1, 7)]);
    }

    #[test]
    fn a_search_in_vain_is_not_repeated() {
        let mut book = Book::default();
        book.apply(&mut [record(1, SEEN, 1, 0, 1)]);
        book.apply_search(&mut [], &[], 1);
        assert!(!book.has_unknown_owners());
    }

    #[test]
    fn the_owner_of_a_reset_connection_comes_last() {
        let mut book = Book::default();
        let mut reset = record(2, END, 10, 0, 1);
        reset.open = 1;
        book.apply(&mut [record(1, ACCEPT, 0, 0, 0), reset, by(record(3, USED, 0, 0, 0), 5)]);
        assert_eq!(take(&mut book), [(10, 0, 1, 5)]);
    }

    #[test]
    fn quiet_connections_stay_for_a_while() {
        let mut book = Book::default();
        book.apply(&mut [record(1, ACCEPT, 0, 0, 0), record(2, SEEN, 1, 0, 1)]);
        let intervals = (0..100).take_while(|_| !take(&mut book).is_empty()).count();
        assert_eq!(intervals, super::QUIET as usize);
    }
}
