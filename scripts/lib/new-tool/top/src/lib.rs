#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::@TYPE@SkelBuilder;
use bpf::types::{@NAME@_key as Key, @NAME@_sum as Sum};
use clap::Parser;
use corescope::read::sums::{Counters, Sums};
use corescope::{Column, Common, Filter, Lost, Manual, Output, Value, cli, column};
use corescope_tui::{Span, Top, TopOptions, id};

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || column::fields(COLUMNS) };

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Trace these processes only, separated by commas
    #[arg(short, long, value_delimiter = ',', value_parser = cli::id)]
    pid: Vec<u32>,
    #[command(flatten)]
    top: TopOptions,
    #[command(flatten)]
    common: Common,
}

/// The processes of one name in one interval.
struct Row {
    span: Span,
    key: Key,
    sum: Sum,
}

const COLUMNS: &[Column<Row>] = corescope::columns![Row;
    json TIME: "End of the interval" => |row| row.span.time(),
    json INTERVAL => |row| row.span.interval(),
    COMM as "NAME" left 16: "Name of the processes" => |row| Value::c_string(&row.key.comm),
    text "ENDS/s" right 8: "How many end per second" => |row| row.span.per_second(row.sum.count).into(),
    COUNT: "How many have ended in the interval" => |row| row.sum.count.into(),
    TOTAL as "TIME (ms)" right 12: "How long they have lived, in total" =>
        |row| Value::Scaled { raw: row.sum.total_ns, per: 1_000_000, decimals: 3 },
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
    let _links = corescope::attach(&skel, &args.common)?;
    let mut sums = Sums::<Key, Sum>::default();
    let mut rows = |span| {
        let grown = sums.take(&skel.maps.sums, |_, _| false)?;
        Ok(grown.into_iter().map(|(key, sum)| Row { span, key, sum }).collect())
    };
    let top = Top::new("@NAME@", COLUMNS, |row: &Row| id(row.key.comm), |row| row.sum.count);
    top.sort("COUNT").sums(&["ENDS/s"]).run(&mut rows, &args.top, Lost::of(&skel)?, Output::new(args.common.json))
}
