#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::BiopatternSkelBuilder;
use bpf::types::{biopattern_count as Count, biopattern_key as Key, biopattern_sum as Sum};
use clap::Parser;
use corescope::disk::DiskOption;
use corescope::interval::{Due, Interval};
use corescope::read::sums::{Counters, Sums};
use corescope::{Column, Common, Filter, Manual, Output, Table, Value, cli, column, summarize};

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || column::fields(COLUMNS) };

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Taken as libbpf-tools' biopattern takes it: the time is always printed
    #[arg(short = 'T', long = "timestamp")]
    _timestamp: bool,
    #[command(flatten)]
    disk: DiskOption,
    #[command(flatten)]
    interval: Interval,
    #[command(flatten)]
    common: Common,
}

/// A disk in an interval.
struct Row {
    time_ns: u64,
    disk: Key,
    reads: Count,
    writes: Count,
}

impl Row {
    fn random(&self) -> u64 {
        self.reads.random + self.writes.random
    }

    fn count(&self) -> u64 {
        self.random() + self.reads.sequential + self.writes.sequential
    }

    fn bytes(&self) -> u64 {
        self.reads.bytes + self.writes.bytes
    }

    /// Rounded; what is left of 100 is sequential.
    fn percent_random(&self) -> Option<u64> {
        let count = self.count();
        (self.random() * 100 + count / 2).checked_div(count)
    }
}

const COLUMNS: &[Column<Row>] = corescope::columns![Row;
    TIME as "TIME" left 9: "End of the interval" => |row| Value::Time(row.time_ns),
    DISK as "DISK" left 7 => |row| Value::c_string(&row.disk.disk),
    "%RND" right 5 "random_percent" number: "Percentage of the reads and writes that did not begin where the one before ended" =>
        |row| row.percent_random().into(),
    "%SEQ" right 5 "sequential_percent" number: "Percentage of those that did" =>
        |row| row.percent_random().map(|percent| 100 - percent).into(),
    COUNT: "Number of reads and writes" => |row| row.count().into(),
    BYTES as "KBYTES" right 10: "Bytes that were read and written" =>
        |row| Value::Scaled { raw: row.bytes(), per: 1024, decimals: 0 },
    json "read_random" number: "Reads that did not begin where the read before ended" => |row| row.reads.random.into(),
    json "read_sequential" number: "Reads that did" => |row| row.reads.sequential.into(),
    json "read_bytes" number: "Bytes that were read" => |row| row.reads.bytes.into(),
    json "write_random" number: "Writes that did not begin where the write before ended" => |row| row.writes.random.into(),
    json "write_sequential" number: "Writes that did" => |row| row.writes.sequential.into(),
    json "write_bytes" number: "Bytes that were written" => |row| row.writes.bytes.into(),
];

/// What follows the counts is where the last ones ended.
impl Counters for Sum {
    const COUNTED: usize = 2 * size_of::<Count>() / 8;
}

/// Runs the tool with the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    cli::main(&MANUAL, run)
}

fn run(args: Args) -> Result<()> {
    let filter = Filter::new(&args.common);
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(BiopatternSkelBuilder::default(), &mut object, &args.common, |setup| {
        filter.apply(setup)?;
        setup.trace_requests(args.disk.disk.as_ref())?;
        setup.trace_issuers("biopattern", filter.is_any(), false)?;
        setup.set("filtered", filter.is_any())
    })?;
    let mut out = Output::new(args.common.json);
    let mut sums = Sums::<Key, Sum>::default();
    let table = Table::new(COLUMNS);
    let links = corescope::attach(&skel, &args.common)?;
    out.announce("Tracing block device I/O requested seeks... Hit Ctrl-C to end.");
    table.header(&mut out);
    summarize(&skel, links, &args.interval, out, |due, out| {
        if due == Due::Look {
            return Ok(());
        }
        let (time_ns, all) = (out.clock.now_ns(), sums.take(&skel.maps.sums, |_, _| false)?);
        let row = |(disk, sum): (Key, Sum)| Row { time_ns, disk, reads: sum.counts[0], writes: sum.counts[1] };
        let mut rows: Vec<Row> = all.into_iter().map(row).collect();
        rows.sort_by_key(|row| row.disk.disk);
        for row in &rows {
            table.row(out, row);
        }
        Ok(())
    })
}
