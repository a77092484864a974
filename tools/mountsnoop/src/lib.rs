#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

mod calls;
mod made;

use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::MountsnoopSkelBuilder;
use calls::Call;
use clap::Parser;
use corescope::object::filter::PinnedMaps;
use corescope::{Buffer, Common, Filter, Manual, Output, Starts, Table, Value, cli, column, table};
use made::{COLUMNS, DETAILS, Made};

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || column::fields(COLUMNS) };

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Show the time of day
    #[arg(short, long)]
    timestamp: bool,
    /// Show the parent process
    #[arg(short = 'P', long = "parent_process", alias = "parent-process")]
    parent_process: bool,
    /// Show a line per argument, and how long the call took
    #[arg(short, long)]
    detailed: bool,
    /// Trace these processes only, separated by commas
    #[arg(short, long, value_delimiter = ',', value_parser = cli::id)]
    pid: Vec<u32>,
    #[command(flatten)]
    maps: PinnedMaps,
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
    let filter = Filter::new(&args.common).pids(&args.pid).maps(&args.maps);
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(MountsnoopSkelBuilder::default(), &mut object, &args.common, |setup| {
        filter.apply(setup)?;
        args.buffer.apply(setup)?;
        setup.load_if("mountsnoop_enter", args.detailed)?;
        setup.keep_starts(Starts::OfCalls)?;
        setup.trace_calls(&Call::numbers())
    })?;
    let mut out = Output::new(args.common.json);
    let mut table = Table::new(COLUMNS)
        .show("TIME", args.timestamp)
        .show("PCOMM", args.parent_process)
        .show("PPID", args.parent_process)
        .show("CALL", !args.detailed);
    for header in DETAILS {
        table = table.show(header, args.detailed);
    }
    let by_line = args.common.json || !args.detailed;
    let links = corescope::attach(&skel, &args.common)?;
    if by_line {
        table.header(&mut out);
    }
    corescope::stream(&skel, links, out, |record, out| {
        let made = Made::new(record);
        if by_line {
            table.row(out, &made);
        } else {
            print_details(out, &table, &made);
        }
    })
}

/// A line for each column that the call has a value for, and an empty one.
fn print_details(out: &mut Output, table: &Table<Made>, made: &Made) {
    for column in table.shown() {
        let value = (column.value)(made);
        if value != Value::Missing {
            out.push(&format!("{:<13}", format!("{}:", column.header)));
            table::push_text(&mut out.buffer, &mut out.clock, &value);
            out.end_line();
        }
    }
    out.end_line();
}
