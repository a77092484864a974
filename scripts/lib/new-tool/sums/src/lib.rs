#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

use std::cmp::Reverse;
use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::@TYPE@SkelBuilder;
use bpf::types::{@NAME@_key as Key, @NAME@_sum as Sum};
use clap::Parser;
use corescope::interval::{Due, Interval};
use corescope::read::sums::{Counters, Sums};
use corescope::{Column, Common, Filter, Manual, Output, Table, Value, cli, column, summarize};

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || column::fields(COLUMNS) };

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Trace these processes only, separated by commas
    #[arg(short, long, value_delimiter = ',', value_parser = cli::id)]
    pid: Vec<u32>,
    #[command(flatten)]
    interval: Interval,
    #[command(flatten)]
    common: Common,
}

const COLUMNS: &[Column<(Key, Sum)>] = corescope::columns![(Key, Sum);
    COMM: "Name of the processes" => |row| Value::c_string(&row.0.comm),
    COUNT: "How many have ended" => |row| row.1.count.into(),
    TOTAL as "TIME (ms)" right 12: "How long they have lived, in total" =>
        |row| Value::Scaled { raw: row.1.total_ns, per: 1_000_000, decimals: 3 },
];

impl Counters for Sum {}

/// Runs the tool with the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    cli::main(&MANUAL, run)
}

fn run(args: Args) -> Result<()> {
    let filter = Filter::new(&args.common).pids(&args.pid);
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(@TYPE@SkelBuilder::default(), &mut object, &args.common, |setup| filter.apply(setup))?;
    let out = Output::new(args.common.json);
    let mut sums = Sums::<Key, Sum>::default();
    let table = Table::new(COLUMNS);
    let links = corescope::attach(&skel, &args.common)?;
    out.announce("Counting processes as they end... Hit Ctrl-C to end.");
    summarize(&skel, links, &args.interval, out, |due, out| {
        if due == Due::Look {
            return Ok(());
        }
        let mut rows = sums.take(&skel.maps.sums, |_, _| false)?;
        rows.sort_by_key(|(_, sum)| Reverse(sum.count));
        table.page(out, &rows);
        Ok(())
    })
}
