#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

mod end;

use std::mem::MaybeUninit;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use bpf::ExitsnoopSkelBuilder;
use clap::Parser;
use corescope::{Buffer, Common, Filter, Manual, Output, Table, cli, column};
use end::{COLUMNS, End};

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || column::fields(COLUMNS) };

#[derive(Parser)]
#[command(version, about, mut_arg("json", |json| json.short('j')), mut_arg("cgroup", |cgroup| cgroup.short('c')))]
struct Args {
    /// Show the local time of day
    #[arg(short, long)]
    timestamp: bool,
    /// Show the time of day in UTC
    #[arg(long)]
    utc: bool,
    /// Trace these processes only, separated by commas, and end with the last of them
    #[arg(short, long, value_delimiter = ',', value_parser = cli::id)]
    pid: Vec<u32>,
    /// Put a label into each line: exit, if none is given
    #[arg(long, value_name = "LABEL", num_args = 0..=1, default_missing_value = "exit")]
    label: Option<Arc<str>>,
    /// Leave out what exited with 0
    #[arg(short = 'x', long)]
    failed: bool,
    /// Print a line for each thread instead of each process; also --threaded
    #[arg(short = 'T', long, alias = "threaded")]
    per_thread: bool,
    /// Show the arguments (Linux 6.16 and newer)
    #[arg(long)]
    args: bool,
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
    let skel = corescope::load(ExitsnoopSkelBuilder::default(), &mut object, &args.common, |setup| {
        filter.apply(setup)?;
        args.buffer.apply(setup)?;
        // Since 6.16 the tracepoint tells which thread is the last of its process.
        let knows_last = setup.types()?.has_field("trace_event_raw_sched_process_exit", "group_dead");
        setup.set("knows_last", knows_last)?;
        setup.set("per_thread", args.per_thread)?;
        setup.set("only_failed", args.failed)?;
        setup.set("with_args", args.args || args.common.json)?;
        let several_may_be_last = !knows_last && !args.per_thread;
        setup.load_if("exitsnoop_free", several_may_be_last)?;
        if several_may_be_last { Ok(()) } else { setup.size("ended", 1) }
    })?;
    let mut out = Output::new(args.common.json);
    if args.utc {
        out.clock.use_utc();
    }
    let table = Table::new(COLUMNS)
        .show("TIME", args.timestamp || args.utc)
        .rename("TIME", format!("TIME-{}", out.clock.zone_name()))
        .show("LABEL", args.label.is_some())
        .show("ARGS", args.args);
    let links = corescope::attach(&skel, &args.common)?;
    table.header(&mut out);
    corescope::stream(&skel, links, out, |record, out| table.row(out, &End::new(record, args.label.clone())))
}
