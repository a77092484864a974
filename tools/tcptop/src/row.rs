//! The rows of an interval, and their columns.

use std::net::IpAddr;

use corescope::net::Owned;
use corescope::{Column, Value};
use corescope_tui::{Group, Span, Top, id};

use crate::book::{Bytes, Connection, Ends};

/// An end of one connection, or what is the same in those of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct End {
    address: Option<IpAddr>,
    port: Option<u16>,
}

impl End {
    /// `192.0.2.1:443`; what differs is left out.
    fn text(self) -> Value<'static> {
        match (self.address, self.port) {
            (Some(address), Some(port)) => corescope::address::with_port(address, port).into(),
            (Some(address), None) => address.to_string().into(),
            (None, Some(port)) => format!("*:{port}").into(),
            (None, None) => Value::Missing,
        }
    }

    fn common(self, other: Self) -> Self {
        Self { address: same(self.address, other.address), port: same(self.port, other.port) }
    }
}

/// What two rows have alike.
fn same<T: PartialEq>(one: Option<T>, other: Option<T>) -> Option<T> {
    one.filter(|one| Some(one) == other.as_ref())
}

/// One connection in one interval, or several on the live screen.
pub(crate) struct Row {
    span: Span,
    id: u64,
    connections: usize,
    owner: Owned,
    ends: Ends,
    local: End,
    remote: End,
    netns: u32,
    total: Bytes,
    moved: Bytes,
    ended: bool,
}

impl Row {
    fn new(span: Span, connection: &Connection) -> Self {
        let Connection { id, owner, ends, netns, total, moved, ended, .. } = *connection;
        let end = |socket: std::net::SocketAddr| End { address: Some(socket.ip()), port: Some(socket.port()) };
        let (local, remote) = (end(ends.local), end(ends.remote));
        Self { span, id, connections: 1, owner, ends, local, remote, netns, total, moved, ended }
    }

    /// All of them as one row.
    fn together(rows: &[&Self]) -> Self {
        let first = rows[0];
        let mut row = Self { connections: rows.len(), ..*first };
        for other in &rows[1..] {
            row.local = row.local.common(other.local);
            row.remote = row.remote.common(other.remote);
            if row.owner.get().map(|owner| owner.pid) != other.owner.get().map(|owner| owner.pid) {
                row.owner = Owned::default();
            }
            for (sum, more) in [(&mut row.total, other.total), (&mut row.moved, other.moved)] {
                sum.received = sum.received.saturating_add(more.received);
                sum.sent = sum.sent.saturating_add(more.sent);
            }
        }
        row
    }

    /// Of both ends of a connection within this machine, the one whose process has opened it or came first.
    fn one_end(rows: &[&Self]) -> Self {
        let first = rows.iter().min_by_key(|row| row.id).unwrap_or(&rows[0]);
        Self { connections: rows.len(), ..**first }
    }

    fn is_ipv4(&self) -> bool {
        self.ends.local.is_ipv4()
    }

    /// Bytes in both directions.
    fn moved(&self) -> u64 {
        self.moved.received + self.moved.sent
    }

    fn rate(&self, bytes: u64) -> Value<'_> {
        Value::Size(self.span.per_second(bytes))
    }

    fn comm(&self) -> Value<'_> {
        self.owner.get().map(|owner| Value::c_string(&owner.comm)).into()
    }

    fn pid(&self) -> Option<u32> {
        self.owner.get().map(|owner| owner.pid)
    }
}

pub(crate) const COLUMNS: &[Column<Row>] = corescope::columns![Row;
    json TIME: "End of the interval" => |row| row.span.time(),
    json INTERVAL => |row| row.span.interval(),
    text PID: "Process that has the connection open; 0 if it is not known" => |row| row.pid().unwrap_or(0).into(),
    json PID: "Process that has the connection open; null if it is not known" => |row| row.pid().into(),
    json OWNER => |row| row.owner.word().into(),
    COMM as "COMM" left 15: "Its name; - or null if it is not known" => Row::comm,
    text "CONN" right 4: "How many connections are in the row, on the live screen" => |row| (row.connections as u64).into(),
    text "LADDR" left 21: "Local address and port, IPv4 (both in the live screen)" => |row| row.local.text(),
    text "RADDR" left 21: "Remote address and port, IPv4 (both in the live screen)" => |row| row.remote.text(),
    text "LADDR6" left 32: "Local address and port, IPv6" => |row| row.local.text(),
    text "RADDR6" left 32: "Remote address and port, IPv6" => |row| row.remote.text(),
    json FAMILY => |row| if row.is_ipv4() { 4u32 } else { 6 }.into(),
    json LADDR => |row| row.ends.local.ip().to_string().into(),
    json LPORT => |row| row.ends.local.port().into(),
    json RADDR => |row| row.ends.remote.ip().to_string().into(),
    json RPORT => |row| row.ends.remote.port().into(),
    text "RX_KB" right 6: "KiB received in the interval" => |row| (row.moved.received / 1024).into(),
    text "TX_KB" right 6: "KiB sent in the interval" => |row| (row.moved.sent / 1024).into(),
    text "RX/s" right 6: "Bytes received per second" => |row| row.rate(row.moved.received),
    text "TX/s" right 6: "Bytes sent per second" => |row| row.rate(row.moved.sent),
    text "SUM/s" right 6: "Both" => |row| row.rate(row.moved()),
    json RX: "Bytes received in the interval" => |row| row.moved.received.into(),
    json TX: "Bytes sent in the interval" => |row| row.moved.sent.into(),
    "RX" right 5 "rx_total_bytes" number: "Bytes received since the connection began" => |row| Value::Size(row.total.received),
    "TX" right 5 "tx_total_bytes" number: "Bytes sent since the connection began" => |row| Value::Size(row.total.sent),
    json "ended" bool: "Whether the connection ended in the interval" => |row| row.ended.into(),
    json NETNS => |row| row.netns.into(),
];

const GROUPS: &[Group<Row>] = &[
    Group { name: "process", key: |row| id(row.pid()), merge: Row::together },
    Group { name: "remote address", key: |row| id((row.netns, row.ends.remote.ip())), merge: Row::together },
    Group { name: "connection, both local ends as one", key: |row| id(row.ends.either_way()), merge: Row::one_end },
];

/// What tcptop shows; `sort` is a header of the live screen.
pub(crate) fn top(sort: &'static str) -> Top<Row> {
    Top::new("tcptop", COLUMNS, |row| row.id, Row::moved)
        .live(&["PID", "COMM", "CONN", "LADDR", "RADDR", "RX/s", "TX/s", "SUM/s", "RX", "TX"])
        .plain(&["PID", "COMM", "LADDR", "RADDR", "RX_KB", "TX_KB"], Row::is_ipv4)
        .plain(&["PID", "COMM", "LADDR6", "RADDR6", "RX_KB", "TX_KB"], |row| !row.is_ipv4())
        .sort(sort)
        .sums(&["RX/s", "TX/s", "SUM/s"])
        .least(&["CONN", "LADDR", "PID", "RADDR", "COMM"])
        .groups(GROUPS)
        .rate(|row| row.span.per_second(row.moved()))
}

/// Which connections are rows.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Choice {
    pub(crate) ipv4_only: bool,
    pub(crate) ipv6_only: bool,
    /// The kernel side tells only owners that the filters allow: a connection without one is not asked for.
    pub(crate) owned_only: bool,
}

impl Choice {
    /// The rows of an interval.
    pub(crate) fn rows(self, connections: &[Connection], span: Span) -> Vec<Row> {
        let allowed = connections.iter().filter(|connection| self.allows(connection));
        allowed.map(|connection| Row::new(span, connection)).collect()
    }

    fn allows(self, connection: &Connection) -> bool {
        let unwanted = if connection.ends.local.is_ipv4() { self.ipv6_only } else { self.ipv4_only };
        let foreign = self.owned_only && connection.owner.get().is_none();
        !unwanted && !foreign
    }
}
