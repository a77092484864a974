#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::@TYPE@SkelBuilder;
use bpf::types::@NAME@_event as Event;
use clap::Parser;
use corescope::{Buffer, Column, Common, Filter, Manual, Output, Table, Value, cli, column, event};

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || column::fields(COLUMNS) };

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Show the time of day
    #[arg(short = 'T', long)]
    time: bool,
    /// Trace these processes only, separated by commas
    #[arg(short, long, value_delimiter = ',', value_parser = cli::id)]
    pid: Vec<u32>,
    #[command(flatten)]
    buffer: Buffer,
    #[command(flatten)]
    common: Common,
}

const COLUMNS: &[Column<Event>] = corescope::columns![Event;
    TIME: "When it ended" => |event| Value::Time(event.time_ns),
    PID => |event| event.pid.into(),
    COMM: "Name of the process" => |event| Value::c_string(&event.comm),
];

/// Runs the tool with the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    cli::main(&MANUAL, run)
}

fn run(args: Args) -> Result<()> {
    let filter = Filter::new(&args.common).pids(&args.pid);
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(@TYPE@SkelBuilder::default(), &mut object, &args.common, |setup| {
        filter.apply(setup)?;
        args.buffer.apply(setup)
    })?;
    let mut out = Output::new(args.common.json);
    let table = Table::new(COLUMNS).show("TIME", args.time);
    let links = corescope::attach(&skel, &args.common)?;
    table.header(&mut out);
    corescope::stream(&skel, links, out, |record, out| table.row(out, event::<Event>(record).0))
}
