//! The rows of an interval, and their columns.

use std::borrow::Cow;
use std::time::Duration;

use corescope::clock::Clock;
use corescope::{Column, Table, Value, escape};
use corescope_tui::{Part, Top};

use crate::book::Connection;

/// BCC cuts names there.
const COMM_CELLS: usize = 12;

/// One connection in one interval.
pub(crate) struct Row {
    time_ns: u64,
    interval: Duration,
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

    fn per_second(&self, bytes: u64) -> u64 {
        let rate = u128::from(bytes) * 1_000_000_000 / self.interval.as_nanos().max(1);
        u64::try_from(rate).unwrap_or(u64::MAX)
    }

    fn rate(&self, bytes: u64) -> Value<'_> {
        Value::Size(self.per_second(bytes))
    }

    fn pid(&self) -> u32 {
        self.connection.owner.map_or(0, |owner| owner.pid)
    }

    fn comm(&self, cells: usize) -> Value<'_> {
        let Some(owner) = &self.connection.owner else {
            return Value::Missing;
        };
        let comm = escape::c_string(&owner.comm);
        Value::Text(Cow::Borrowed(&comm[..comm.len().min(cells)]))
    }

    fn local(&self) -> Value<'_> {
        self.connection.ends.local.to_string().into()
    }

    fn remote(&self) -> Value<'_> {
        self.connection.ends.remote.to_string().into()
    }
}

pub(crate) const COLUMNS: &[Column<Row>] = corescope::columns![Row;
    json TIME: "End of the interval" => |row| Value::Time(row.time_ns),
    json INTERVAL => |row| Value::Seconds(nanoseconds(row.interval)),
    text PID: "Process that has the connection open; 0 if it is not known" => |row| row.pid().into(),
    json PID: "Process that has the connection open; null if it is not known" =>
        |row| row.connection.owner.map(|owner| owner.pid).into(),
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

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn table(headers: &[&str]) -> Table<Row> {
    Table::new(COLUMNS).only(headers)
}

/// What tcptop shows; `sort` is a header of the live screen.
pub(crate) fn top(sort: &'static str) -> Top<Row> {
    Top {
        name: "tcptop",
        live: table(&["PID", "NAME", "LADDR", "RADDR", "RX/s", "TX/s", "SUM/s", "RX", "TX"]),
        plain: vec![
            Part { table: table(&["PID", "COMM", "LADDR", "RADDR", "RX_KB", "TX_KB"]), takes: Row::is_ipv4 },
            Part { table: table(&["PID", "COMM", "LADDR6", "RADDR6", "RX_KB", "TX_KB"]), takes: |row| !row.is_ipv4() },
        ],
        sort,
        id: |row| row.connection.id,
        amount: Row::moved,
        rate: |row| row.per_second(row.moved()),
        limit: None,
        summary: true,
        scroll: false,
    }
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
    /// The rows of an interval that ends now.
    pub(crate) fn rows(self, connections: Vec<Connection>, interval: Duration) -> Vec<Row> {
        let time_ns = Clock::new().now_ns();
        let row = |connection| Row { time_ns, interval, connection };
        connections.into_iter().filter(|connection| self.allows(connection)).map(row).collect()
    }

    fn allows(self, connection: &Connection) -> bool {
        let unwanted = if connection.ends.local.is_ipv4() { self.ipv6_only } else { self.ipv4_only };
        let foreign = self.owned_only && connection.owner.is_none();
        !unwanted && !foreign
    }
}
