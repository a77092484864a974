//! The rows of an interval, and their columns.

use corescope::{Column, Value};
use corescope_tui::{Span, Top};

use crate::book::Connection;

/// BCC cuts names there.
const COMM_CELLS: usize = 12;

/// One connection in one interval.
pub(crate) struct Row {
    span: Span,
    connection: Connection,
}

impl Row {
    fn is_ipv4(&self) -> bool {
        self.connection.ends.local.is_ipv4()
    }

    /// Bytes in both directions.
    fn moved(&self) -> u64 {
        self.connection.moved.received + self.connection.moved.sent
    }

    fn rate(&self, bytes: u64) -> Value<'_> {
        Value::Size(self.span.per_second(bytes))
    }

    fn comm(&self, cells: usize) -> Value<'_> {
        self.connection.owner.get().map(|owner| Value::c_string(&owner.comm[..cells])).into()
    }

    fn local(&self) -> Value<'_> {
        self.connection.ends.local.to_string().into()
    }

    fn remote(&self) -> Value<'_> {
        self.connection.ends.remote.to_string().into()
    }
}

pub(crate) const COLUMNS: &[Column<Row>] = corescope::columns![Row;
    json TIME: "End of the interval" => |row| row.span.time(),
    json INTERVAL => |row| row.span.interval(),
    text PID: "Process that has the connection open; 0 if it is not known" => |row| row.connection.owner.get().map_or(0, |owner| owner.pid).into(),
    json PID: "Process that has the connection open; null if it is not known" =>
        |row| row.connection.owner.get().map(|owner| owner.pid).into(),
    json OWNER => |row| row.connection.owner.word().into(),
    text "COMM" left 12: "Its name, cut to 12 bytes in plain text" => |row| row.comm(COMM_CELLS),
    COMM as "NAME" left 15: "Its name, as the live screen shows it; null in JSON if it is not known" => |row| row.comm(16),
    text "LADDR" left 21: "Local address and port, IPv4 (both in the live screen)" => |row| row.local(),
    text "RADDR" left 21: "Remote address and port, IPv4 (both in the live screen)" => |row| row.remote(),
    text "LADDR6" left 32: "Local address and port, IPv6" => |row| row.local(),
    text "RADDR6" left 32: "Remote address and port, IPv6" => |row| row.remote(),
    json FAMILY => |row| if row.is_ipv4() { 4u32 } else { 6 }.into(),
    json LADDR => |row| row.connection.ends.local.ip().to_string().into(),
    json LPORT => |row| row.connection.ends.local.port().into(),
    json RADDR => |row| row.connection.ends.remote.ip().to_string().into(),
    json RPORT => |row| row.connection.ends.remote.port().into(),
    text "RX_KB" right 6: "KiB received in the interval" => |row| (row.connection.moved.received / 1024).into(),
    text "TX_KB" right 6: "KiB sent in the interval" => |row| (row.connection.moved.sent / 1024).into(),
    text "RX/s" right 6: "Bytes received per second" => |row| row.rate(row.connection.moved.received),
    text "TX/s" right 6: "Bytes sent per second" => |row| row.rate(row.connection.moved.sent),
    text "SUM/s" right 6: "Both" => |row| row.rate(row.moved()),
    json RX: "Bytes received in the interval" => |row| row.connection.moved.received.into(),
    json TX: "Bytes sent in the interval" => |row| row.connection.moved.sent.into(),
    "RX" right 5 "rx_total_bytes" number: "Bytes received since the connection began" =>
        |row| Value::Size(row.connection.total.received),
    "TX" right 5 "tx_total_bytes" number: "Bytes sent since the connection began" =>
        |row| Value::Size(row.connection.total.sent),
    json "ended" bool: "Whether the connection ended in the interval" => |row| row.connection.ended.into(),
    json NETNS => |row| row.connection.netns.into(),
];

/// What tcptop shows; `sort` is a header of the live screen.
pub(crate) fn top(sort: &'static str) -> Top<Row> {
    Top::new("tcptop", COLUMNS, |row| row.connection.id, Row::moved)
        .live(&["PID", "NAME", "LADDR", "RADDR", "RX/s", "TX/s", "SUM/s", "RX", "TX"])
        .plain(&["PID", "COMM", "LADDR", "RADDR", "RX_KB", "TX_KB"], Row::is_ipv4)
        .plain(&["PID", "COMM", "LADDR6", "RADDR6", "RX_KB", "TX_KB"], |row| !row.is_ipv4())
        .sort(sort)
        .sums(&["RX/s", "TX/s", "SUM/s"])
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
    pub(crate) fn rows(self, connections: Vec<Connection>, span: Span) -> Vec<Row> {
        let allowed = connections.into_iter().filter(|connection| self.allows(connection));
        allowed.map(|connection| Row { span, connection }).collect()
    }

    fn allows(self, connection: &Connection) -> bool {
        let unwanted = if connection.ends.local.is_ipv4() { self.ipv6_only } else { self.ipv4_only };
        let foreign = self.owned_only && connection.owner.get().is_none();
        !unwanted && !foreign
    }
}
