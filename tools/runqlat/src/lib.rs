#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::RunqlatSkelBuilder;
use bpf::types::runqlat_key as Key;
use clap::Parser;
use corescope::column::{Column, Value};
use corescope::histogram::{self, Counted, Scale};
use corescope::interval::Due;
use corescope::read::sums::process_is_gone;
use corescope::{Common, Filter, HistogramOptions, Histograms, Lost, Manual, Output, cli, complain, summarize};

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || histogram::fields(COLUMNS) };
const SCALE: Scale = Scale::Log2;

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Print a histogram for each process
    #[arg(short = 'P', long, group = "by")]
    pids: bool,
    /// Print a histogram for each thread
    #[arg(short = 'L', long, group = "by")]
    tids: bool,
    /// Print a histogram for each PID namespace
    #[arg(long, group = "by")]
    pidnss: bool,
    /// Trace these processes only, separated by commas
    #[arg(short, long, value_delimiter = ',', value_parser = cli::id)]
    pid: Vec<u32>,
    /// Show a live heat map instead: time to the right, waiting times upwards, counts as shades
    #[arg(long, conflicts_with = "json")]
    tui: bool,
    #[command(flatten)]
    histogram: HistogramOptions,
    #[command(flatten)]
    common: Common,
}

const COLUMNS: &[Column<Counted<Key>>] = corescope::columns![Counted<Key>;
    PID as "pid" left 0: "Process id, with -P" => |waits| Value::unless_zero(waits.key.pid),
    TID as "tid" left 0: "Thread id, with -L" => |waits| Value::unless_zero(waits.key.tid),
    PIDNS as "pidns" left 0: "PID namespace, with --pidnss: inode number of /proc/PID/ns/pid" =>
        |waits| Value::unless_zero(waits.key.pidns),
    COMM: "Name of the process or thread at the end of the interval, with -P or -L" =>
        |waits| Value::unless_empty(&waits.comm),
];

/// Runs the tool with the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    cli::main(&MANUAL, run)
}

fn run(args: Args) -> Result<()> {
    let filter = Filter::new(&args.common).pids(&args.pid);
    let by_key = args.pids || args.tids || args.pidnss;
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(RunqlatSkelBuilder::default(), &mut object, &args.common, |setup| {
        filter.apply(setup)?;
        args.histogram.apply(setup, SCALE, by_key)?;
        setup.set("by_pid", args.pids)?;
        setup.set("by_tid", args.tids)?;
        setup.load_if("runqlat_rename", args.pids || args.tids)
    })?;
    let links = corescope::attach(&skel, &args.common)?;
    let out = Output::new(args.common.json);
    let mut histograms = Histograms::<Key>::of(&skel, by_key)?;
    let look = args.histogram.look(SCALE);
    let mut take = || histograms.take(|key| key.pidns == 0 && process_is_gone(key.pid.max(key.tid)));
    let interval = &args.histogram.interval;
    if args.tui && corescope_tui::is_usable() {
        let named = || Ok(histogram::named(take()?, COLUMNS));
        corescope_tui::heat("runqlat", &look, interval, Lost::of(&skel)?, out, named)?;
    } else {
        out.announce("Tracing run queue latency... Hit Ctrl-C to end.");
        summarize(&skel, links, interval, out, |due, out| {
            if due == Due::Output {
                histogram::print(out, take()?, COLUMNS, &look);
            }
            Ok(())
        })?;
    }
    if let Some(cut_short @ 1..) = skel.maps.bss_data.as_ref().map(|counters| counters.cut_short) {
        complain(&format!(
            "waits that continued on another CPU, which count only from there: {cut_short} (this kernel lacks CONFIG_SCHEDSTATS)"
        ));
    }
    Ok(())
}
