//! The verb of top tools: what happened in each interval, as a live screen on a terminal, as plain screens elsewhere,
//! or as JSON lines.
//!
//! A tool describes its rows once, as [`Column`](corescope::Column)s, and gives those of an interval when asked:
//!
//! ```no_run
//! use corescope::{Column, Output, Result, Table};
//! use corescope_tui::{Pace, Part, Top};
//!
//! struct Row { pid: u32, reads: u64 }
//! const COLUMNS: &[Column<Row>] = corescope::columns![Row;
//!     PID => |row| row.pid.into(),
//!     "READS" right 6 "reads" number: "Reads in the interval" => |row| row.reads.into(),
//! ];
//!
//! # fn read_the_map() -> Vec<Row> { Vec::new() }
//! # fn run(lost: corescope::lost::Lost<'_>) -> Result<()> {
//! let top = Top {
//!     name: "readtop",
//!     live: Table::new(COLUMNS),
//!     plain: vec![Part { table: Table::new(COLUMNS), takes: |_| true }],
//!     sort: "READS",
//!     id: |row| row.pid.into(),
//!     amount: |row| row.reads,
//!     rate: |row| row.reads,
//!     limit: None,
//!     summary: true,
//!     scroll: false,
//! };
//! let pace = Pace::new("1".parse().map(std::time::Duration::from_secs).unwrap_or_default(), None);
//! top.run(&mut |_interval| Ok(read_the_map()), lost, Output::new(false), pace)
//! # }
//! ```

mod draw;
mod history;
mod keys;
mod live;
mod load;
mod model;
mod pace;
mod plain;
mod state;
mod terminal;

use std::os::fd::BorrowedFd;
use std::time::Duration;

use corescope::lost::Lost;
use corescope::{Output, Result, Table};

pub use pace::Pace;

/// Where rows come from.
///
/// A closure that gives the rows of the interval that just ended is one; so is whatever has to look after a buffer in
/// between.
pub trait Source<Row> {
    /// Readable when [`drain`](Self::drain) is to be called before the interval is over.
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Takes what is waiting.
    ///
    /// # Errors
    /// The source is broken, and the tool with it.
    fn drain(&mut self) -> Result<()> {
        Ok(())
    }

    /// The rows of the interval that just ended, and how long it was.
    ///
    /// # Errors
    /// As [`drain`](Self::drain).
    fn rows(&mut self, interval: Duration) -> Result<Vec<Row>>;
}

impl<Row, Rows: FnMut(Duration) -> Result<Vec<Row>>> Source<Row> for Rows {
    fn rows(&mut self, interval: Duration) -> Result<Vec<Row>> {
        self(interval)
    }
}

/// One table of a plain screen.
#[derive(Debug)]
pub struct Part<Row: 'static> {
    /// Its columns.
    pub table: Table<Row>,
    /// Which rows are in it.
    pub takes: fn(&Row) -> bool,
}

/// A top tool's output.
#[derive(Debug)]
pub struct Top<Row: 'static> {
    /// The tool.
    pub name: &'static str,
    /// The columns of the live screen.
    pub live: Table<Row>,
    /// The tables of a plain screen, one below the other; those without rows are left out. JSON has all columns of the
    /// first.
    pub plain: Vec<Part<Row>>,
    /// The header of the column of `live` that all outputs are sorted by at first, the largest value on top.
    pub sort: &'static str,
    /// What stays the same of a row from one interval to the next: its history hangs on it.
    pub id: fn(&Row) -> u64,
    /// What happened in the interval: plain screens and JSON have no rows where nothing did.
    pub amount: fn(&Row) -> u64,
    /// The same per second: the history.
    pub rate: fn(&Row) -> u64,
    /// At most this many rows of each table.
    pub limit: Option<usize>,
    /// Whether plain screens begin with a line of time and load.
    pub summary: bool,
    /// Plain screens one after the other, on a terminal too (`-C` of BCC's tools).
    pub scroll: bool,
}

impl<Row> Top<Row> {
    /// Shows the rows of each interval until the tool is asked to end or all intervals are over.
    ///
    /// # Errors
    /// Those of the source; the output cannot be written ([`corescope::output::Closed`] where nobody reads it).
    pub fn run(&self, source: &mut impl Source<Row>, lost: Lost<'_>, out: Output, pace: Pace) -> Result<()> {
        if out.is_json() || self.scroll || !terminal::is_usable() {
            plain::run(self, source, lost, out, pace)
        } else {
            live::run(self, source, lost, out.clock, pace)
        }
    }

    /// The column that rows are sorted by at first: its index among those of the live screen.
    fn sort_column(&self) -> usize {
        self.live.shown().iter().position(|column| column.header == self.sort).unwrap_or(0)
    }
}
