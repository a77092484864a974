//! Live screens: one of rows, the busiest on top, and a heat map of latencies. One loop drives both.
//!
//! Without a terminal the same rows come out as plain screens or, with `--json`, as JSON.
//!
//! ```no_run
//! use corescope::{Column, Output, Result};
//! use corescope_tui::{Span, Top, TopOptions};
//!
//! struct Row { span: Span, pid: u32, reads: u64 }
//! const COLUMNS: &[Column<Row>] = corescope::columns![Row;
//!     json TIME => |row| row.span.time(),
//!     PID => |row| row.pid.into(),
//!     "READS/s" right 6 "reads" number: "Reads in the interval" => |row| row.span.per_second(row.reads).into(),
//! ];
//!
//! # fn read_the_map(_: Span) -> Vec<Row> { Vec::new() }
//! # fn run(lost: corescope::lost::Lost<'_>, options: &TopOptions) -> Result<()> {
//! let top = Top::new("readtop", COLUMNS, |row| row.pid.into(), |row| row.reads).sort("READS/s").sums(&["READS/s"]);
//! top.run(&mut |span| Ok(read_the_map(span)), options, lost, Output::new(false))
//! # }
//! ```

mod draw;
mod heat;
mod screen;
mod top;

pub use heat::heat;
pub use screen::{Pace, is_usable};
pub use top::{Group, Source, Span, Top, TopOptions, id};
