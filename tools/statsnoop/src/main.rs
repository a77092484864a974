#![doc = include_str!("../manual.md")]

mod call;

use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::StatsnoopSkelBuilder;
use call::{COLUMNS, Call};
use clap::Parser;
use corescope::manual::Manual;
use corescope::{Buffer, Common, Filter, Output, Table, cli, column, object, syscalls};

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || column::fields(COLUMNS) };
/// The largest record: a path, and the names of a folder.
const MOST_BYTES: u64 = 16 * 1024;

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Show the seconds since the start
    #[arg(short, long)]
    timestamp: bool,
    /// Show only calls that failed
    #[arg(short = 'x', long)]
    failed: bool,
    /// Trace this process only
    #[arg(short, long, value_parser = clap::value_parser!(u32).range(1..))]
    pid: Option<u32>,
    /// Show the name of the system call
    #[arg(short, long)]
    syscall: bool,
    /// Show paths from the root of the process, also where the caller gave relative ones
    #[arg(short = 'F', long)]
    full_path: bool,
    #[command(flatten)]
    buffer: Buffer,
    #[command(flatten)]
    common: Common,
}

fn main() -> ExitCode {
    cli::main(&MANUAL, run)
}

fn run(args: Args) -> Result<()> {
    let filter = Filter::new(&args.common).pid(args.pid);
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(StatsnoopSkelBuilder::default(), &mut object, &args.common, |object| {
        filter.apply(object)?;
        args.buffer.apply(object, MOST_BYTES)?;
        object::set(object, "event_times", u8::from(args.timestamp || args.common.json))?;
        object::set(object, "failed_only", u8::from(args.failed))?;
        object::set(object, "full_path", u8::from(args.full_path))?;
        syscalls::trace(object, &call::actions())
    })?;
    let mut out = Output::new(args.common.json);
    let table = Table::new(COLUMNS).show("TIME(s)", args.timestamp).show("SYSCALL", args.syscall);
    let links = corescope::attach(&skel, &args.common)?;
    table.header(&mut out);
    corescope::stream(&skel, links, out, |record, out| table.row(out, &Call::new(record, args.full_path)))
}
