#![doc = include_str!("../manual.md")]

mod end;

use std::mem::MaybeUninit;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use bpf::ExitsnoopSkelBuilder;
use clap::Parser;
use corescope::manual::Manual;
use corescope::{Buffer, Common, Filter, Output, Table, cli, column, object, signals};
use end::{COLUMNS, End};

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || column::fields(COLUMNS) };
/// The largest record that bpf/exitsnoop.bpf.c makes.
const MOST_BYTES: u64 = 8192;

#[derive(Parser)]
#[command(version, about, mut_arg("json", |json| json.short('j')), mut_arg("cgroup", |cgroup| cgroup.short('c')))]
struct Args {
    /// Show the local time of day
    #[arg(short, long)]
    timestamp: bool,
    /// Show the time of day in UTC
    #[arg(long)]
    utc: bool,
    /// Trace this process only, and end with it
    #[arg(short, long, value_parser = clap::value_parser!(u32).range(1..))]
    pid: Option<u32>,
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

fn main() -> ExitCode {
    cli::main(&MANUAL, run)
}

fn run(args: Args) -> Result<()> {
    let filter = Filter::new(&args.common).pid(args.pid);
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(ExitsnoopSkelBuilder::default(), &mut object, &args.common, |object| {
        filter.apply(object)?;
        args.buffer.apply(object, MOST_BYTES)?;
        // Since 6.16 the tracepoint tells which thread is the last of its process.
        let knows_last = object.types()?.has_field("trace_event_raw_sched_process_exit", "group_dead");
        object::set(object, "knows_last", u8::from(knows_last))?;
        object::set(object, "per_thread", u8::from(args.per_thread))?;
        object::set(object, "only_failed", u8::from(args.failed))?;
        object::set(object, "with_args", u8::from(args.args || args.common.json))?;
        let several_may_be_last = !knows_last && !args.per_thread;
        object::set_autoload(object, "exitsnoop_free", several_may_be_last);
        if several_may_be_last { Ok(()) } else { object::set_max_entries(object, "ended", 1) }
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
    corescope::stream(&skel, links, out, |record, out| {
        table.row(out, &End::new(record, args.label.clone()));
        // Nothing follows the end of the one process.
        if args.pid.is_some() && !args.per_thread {
            signals::stop();
        }
    })
}
