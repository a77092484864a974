#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

mod call;

use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::StatsnoopSkelBuilder;
use call::{CALLS, COLUMNS, Call};
use clap::Parser;
use corescope::{Buffer, Common, Filter, Manual, Output, Table, cli, column};

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || column::fields(COLUMNS) };

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Show the seconds since the start
    #[arg(short, long)]
    timestamp: bool,
    /// Show only calls that failed
    #[arg(short = 'x', long)]
    failed: bool,
    /// Trace these processes only, separated by commas
    #[arg(short, long, value_delimiter = ',', value_parser = cli::id)]
    pid: Vec<u32>,
    /// Show the name of the system call
    #[arg(short, long)]
    syscall: bool,
    /// Show full paths, as seen from the process's root directory, even if the caller gave relative ones
    #[arg(short = 'F', long)]
    full_path: bool,
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
    let skel = corescope::load(StatsnoopSkelBuilder::default(), &mut object, &args.common, |setup| {
        filter.apply(setup)?;
        args.buffer.apply(setup)?;
        setup.set("event_times", args.timestamp || args.common.json)?;
        setup.set("failed_only", args.failed)?;
        setup.set("full_path", args.full_path)?;
        setup.trace_calls(&CALLS.actions())
    })?;
    let mut out = Output::new(args.common.json);
    let table = Table::new(COLUMNS).show("TIME(s)", args.timestamp).show("SYSCALL", args.syscall);
    let links = corescope::attach(&skel, &args.common)?;
    table.header(&mut out);
    corescope::stream(&skel, links, out, |record, out| table.row(out, &Call::new(record, args.full_path)))
}
