#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

mod request;

use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::BiosnoopSkelBuilder;
use clap::Parser;
use corescope::disk::DiskOption;
use corescope::{Buffer, Common, Filter, Manual, Output, Table, cli, column, complain_of};
use request::{COLUMNS, Request};

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || column::fields(COLUMNS) };
const NS_PER_MS: u64 = 1_000_000;

#[derive(Parser)]
#[command(version, about)]
#[command(mut_arg("cgroup", |argument| argument.short('c')))]
struct Args {
    /// Show how long each request was queued before its driver got it
    #[arg(short = 'Q', long)]
    queue: bool,
    /// Show whether each request begins where the one before it ended, on the same disk: S, or R for random
    #[arg(short = 'P', long)]
    pattern: bool,
    /// Show only requests that took at least this many milliseconds
    #[arg(short, long, value_name = "MS", default_value = "0", hide_default_value = true, value_parser = cli::whole::<u32>)]
    min: u32,
    /// Show the time of day instead of seconds since the start
    #[arg(short, long)]
    timestamp: bool,
    /// Show only requests that failed, and their errors
    #[arg(short = 'x', long)]
    failed: bool,
    /// Show only requests of these processes, separated by commas
    #[arg(short, long, value_delimiter = ',', value_parser = cli::id)]
    pid: Vec<u32>,
    #[command(flatten)]
    disk: DiskOption,
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
    let skel = corescope::load(BiosnoopSkelBuilder::default(), &mut object, &args.common, |setup| {
        filter.apply(setup)?;
        args.buffer.apply(setup)?;
        setup.trace_requests(args.disk.disk.as_ref())?;
        setup.trace_issuers("biosnoop", true, args.common.json)?;
        setup.set("request_counts_bios", args.common.json)?;
        setup.set("filtered", filter.is_any())?;
        setup.set("failed_only", args.failed)?;
        setup.set("with_pattern", args.pattern || args.common.json)?;
        setup.set("min_latency_ns", u64::from(args.min) * NS_PER_MS)
    })?;
    let mut out = Output::new(args.common.json);
    let table = Table::new(COLUMNS)
        .show("TIME(s)", !args.timestamp)
        .show("TIME", args.timestamp)
        .show("P", args.pattern)
        .show("QUE(ms)", args.queue)
        .show("ERR", args.failed);
    let links = corescope::attach(&skel, &args.common)?;
    table.header(&mut out);
    corescope::stream(&skel, links, out, |record, out| table.row(out, &Request::new(record)))?;
    let passthrough = skel.maps.bss_data.as_ref().map_or(0, |counters| counters.passthrough);
    complain_of(passthrough, "commands for drivers (passthrough), which are not shown");
    Ok(())
}
