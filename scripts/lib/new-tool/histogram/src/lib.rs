#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::@TYPE@SkelBuilder;
use bpf::types::@NAME@_key as Key;
use clap::Parser;
use corescope::histogram::{self, Counted, Scale};
use corescope::interval::Due;
use corescope::read::sums::process_is_gone;
use corescope::{Column, Common, Filter, HistogramOptions, Histograms, Manual, Output, Value, cli, summarize};

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || histogram::fields(COLUMNS) };
const SCALE: Scale = Scale::Log2;

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Trace these processes only, separated by commas
    #[arg(short, long, value_delimiter = ',', value_parser = cli::id)]
    pid: Vec<u32>,
    /// Print a histogram for each parent
    #[arg(short = 'P', long)]
    parents: bool,
    #[command(flatten)]
    histogram: HistogramOptions,
    #[command(flatten)]
    common: Common,
}

const COLUMNS: &[Column<Counted<Key>>] = corescope::columns![Counted<Key>;
    PPID as "ppid" left 0: "Process id of the parent, with -P" => |lives| Value::unless_zero(lives.key.ppid),
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
        args.histogram.apply(setup, SCALE, args.parents)
    })?;
    let out = Output::new(args.common.json);
    let mut histograms = Histograms::<Key>::of(&skel, args.parents)?;
    let look = args.histogram.look(SCALE);
    let links = corescope::attach(&skel, &args.common)?;
    out.announce("Tracing how long processes live... Hit Ctrl-C to end.");
    summarize(&skel, links, &args.histogram.interval, out, |due, out| {
        if due == Due::Output {
            let lives = histograms.take(|key| process_is_gone(key.ppid))?;
            histogram::print(out, lives, COLUMNS, &look);
        }
        Ok(())
    })
}
