#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

mod call;

use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::SyncsnoopSkelBuilder;
use call::{CALLS, COLUMNS, Call};
use clap::Parser;
use corescope::{Buffer, Common, Filter, Manual, Output, Starts, Table, cli, column};

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || column::fields(COLUMNS) };
const NS_PER_MS: u64 = 1_000_000;

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Trace these processes only, separated by commas
    #[arg(short, long, value_delimiter = ',', value_parser = cli::id)]
    pid: Vec<u32>,
    /// Show only calls that took at least this many milliseconds
    #[arg(long, value_name = "MS", default_value = "0", hide_default_value = true, value_parser = cli::whole::<u32>)]
    min_latency: u32,
    #[command(flatten)]
    buffer: Buffer,
    #[command(flatten)]
    common: Common,
}

/// Runs the tool with the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    cli::main(&MANUAL, run)
}

fn run(args: Args) -> Result<()> {
    let filter = Filter::new(&args.common).pids(&args.pid);
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(SyncsnoopSkelBuilder::default(), &mut object, &args.common, |setup| {
        filter.apply(setup)?;
        args.buffer.apply(setup)?;
        setup.set("min_latency_ns", u64::from(args.min_latency) * NS_PER_MS)?;
        setup.keep_starts(Starts::OfCalls)?;
        setup.trace_uring(&CALLS.actions())?;
        setup.trace_calls(&CALLS.actions())
    })?;
    let mut out = Output::new(args.common.json);
    let table = Table::new(COLUMNS);
    let links = corescope::attach(&skel, &args.common)?;
    table.header(&mut out);
    corescope::stream(&skel, links, out, |record, out| table.row(out, &Call::new(record)))
}
