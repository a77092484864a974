//! A top tool's output: a live screen of rows, plain screens, or JSON.

mod draw;
mod layout;
mod live;
mod model;
mod options;
mod plain;
mod span;
mod state;

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};
use std::os::fd::BorrowedFd;

use corescope::column::Align;
use corescope::lost::Lost;
use corescope::{Column, Output, Result, Table};

pub use options::TopOptions;
pub use span::Span;

use crate::screen::{self, Pace, is_usable};

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

    /// The rows of the interval that just ended.
    ///
    /// # Errors
    /// As [`drain`](Self::drain).
    fn rows(&mut self, span: Span) -> Result<Vec<Row>>;
}

impl<Row, Rows: FnMut(Span) -> Result<Vec<Row>>> Source<Row> for Rows {
    fn rows(&mut self, span: Span) -> Result<Vec<Row>> {
        self(span)
    }
}

/// One table of a plain screen.
#[derive(Debug)]
pub(crate) struct Part<Row: 'static> {
    pub(crate) table: Table<Row>,
    pub(crate) takes: fn(&Row) -> bool,
}

/// Rows that can be put together, by the key `g`.
#[derive(Debug, Clone, Copy)]
pub struct Group<Row> {
    /// What they are put together by, such as `process`.
    pub name: &'static str,
    /// The same for rows that belong together ([`id`]).
    pub key: fn(&Row) -> u64,
    /// What is shown of them, of which there is one at least.
    pub merge: fn(&[&Row]) -> Row,
}

/// What a top tool shows of its rows.
#[derive(Debug)]
pub struct Top<Row: 'static> {
    name: &'static str,
    columns: &'static [Column<Row>],
    live: Table<Row>,
    plain: Vec<Part<Row>>,
    sort: &'static str,
    sums: &'static [&'static str],
    least: &'static [&'static str],
    groups: &'static [Group<Row>],
    id: fn(&Row) -> u64,
    amount: fn(&Row) -> u64,
    rate: fn(&Row) -> u64,
}

/// What stays the same of a row from one interval to the next, as a number: for [`Top::id`].
#[must_use]
pub fn id(key: impl Hash) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(key)
}

impl<Row> Top<Row> {
    /// The rows of the tool `name`: what stays the same of one from interval to interval ([`id`]), and what happened in
    /// an interval. Plain screens and JSON have no rows in which nothing did. Without more said, screens have all columns.
    #[must_use]
    pub fn new(
        name: &'static str,
        columns: &'static [Column<Row>],
        id: fn(&Row) -> u64,
        amount: fn(&Row) -> u64,
    ) -> Self {
        let live = Table::new(columns);
        let sort = live.shown().first().map_or("", |column| column.header);
        Self {
            name,
            columns,
            live,
            plain: Vec::new(),
            sort,
            sums: &[],
            least: &[],
            groups: &[],
            id,
            amount,
            rate: amount,
        }
    }

    /// The columns of the live screen.
    #[must_use]
    pub fn live(mut self, headers: &[&str]) -> Self {
        self.live = Table::new(self.columns).only(headers);
        self
    }

    /// A table of plain screens, below those before it: its columns, and which rows are in it. One without rows is left
    /// out, but for the first one's header where none has any.
    #[must_use]
    pub fn plain(mut self, headers: &[&str], takes: fn(&Row) -> bool) -> Self {
        self.plain.push(Part { table: Table::new(self.columns).only(headers), takes });
        self
    }

    /// The header of the column of the live screen that all outputs are sorted by at first, the largest value on top.
    #[must_use]
    pub fn sort(mut self, header: &'static str) -> Self {
        self.sort = header;
        self
    }

    /// The columns of which the title of the live screen has the sum over all rows.
    #[must_use]
    pub fn sums(mut self, headers: &'static [&'static str]) -> Self {
        self.sums = headers;
        self
    }

    /// The headers of columns that go first where the live screen is too narrow for all, the least important one first; others
    /// follow from the right, numbers last. The column that rows are sorted by stays.
    #[must_use]
    pub fn least(mut self, headers: &'static [&'static str]) -> Self {
        self.least = headers;
        self
    }

    /// How rows of the live screen can be put together.
    #[must_use]
    pub fn groups(mut self, groups: &'static [Group<Row>]) -> Self {
        self.groups = groups;
        self
    }

    /// What a row's history shows; without it the amount.
    #[must_use]
    pub fn rate(mut self, rate: fn(&Row) -> u64) -> Self {
        self.rate = rate;
        self
    }

    /// Shows the rows of each interval until the tool is asked to end or all intervals are over.
    ///
    /// # Errors
    /// Those of the source; the output cannot be written ([`corescope::output::Closed`] where nobody reads it).
    pub fn run(
        mut self,
        source: &mut impl Source<Row>,
        options: &TopOptions,
        lost: Lost<'_>,
        out: Output,
    ) -> Result<()> {
        if self.plain.is_empty() {
            self.plain.push(Part { table: Table::new(self.columns), takes: |_| true });
        }
        let pace = Pace::new(options.interval, options.count);
        if out.is_json() || options.noclear || !is_usable() {
            plain::run(&self, source, options, lost, out, pace)
        } else {
            screen::run(&mut live::Live::new(&self, source, out.clock), lost, pace)
        }
    }

    /// The columns of the live screen in the order in which they go where there is no room for them.
    fn leave_order(&self) -> Vec<usize> {
        let columns = self.live.shown();
        let place = |header: &&str| columns.iter().position(|column| column.header == *header);
        let mut order: Vec<usize> = self.least.iter().filter_map(place).collect();
        let mut others: Vec<usize> = (0..columns.len()).rev().filter(|index| !order.contains(index)).collect();
        others.sort_by_key(|index| columns[*index].align == Align::Right);
        order.extend(others);
        order
    }

    /// The column that rows are sorted by at first: its index among those of the live screen.
    fn sort_column(&self) -> usize {
        self.live.shown().iter().position(|column| column.header == self.sort).unwrap_or(0)
    }
}
