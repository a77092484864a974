#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

use std::ffi::OsString;
use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::BitesizeSkelBuilder;
use bpf::types::bitesize_key as Key;
use clap::Parser;
use corescope::disk::DiskOption;
use corescope::histogram::{self, Counted, Scale};
use corescope::interval::Due;
use corescope::read::sums::process_is_gone;
use corescope::{
    Column, Common, Filter, HistogramOptions, Histograms, Lost, Manual, Output, Sizes, Value, cli, complain_of, filter,
    summarize,
};

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || histogram::fields_of_sizes(COLUMNS) };
const SCALE: Scale = Scale::Log2;

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Trace requests of threads with exactly this name only
    #[arg(short, long, value_name = "COMM")]
    comm: Option<OsString>,
    /// Trace requests of these processes only, separated by commas
    #[arg(short, long, value_delimiter = ',', value_parser = cli::id)]
    pid: Vec<u32>,
    /// Print a histogram for each process, not for each name
    #[arg(long)]
    pids: bool,
    /// Show a live heat map instead: time to the right, sizes upwards, counts as shades
    #[arg(long, conflicts_with = "json")]
    tui: bool,
    #[command(flatten)]
    disk: DiskOption,
    #[command(flatten)]
    histogram: HistogramOptions<Sizes>,
    #[command(flatten)]
    common: Common,
}

const COLUMNS: &[Column<Counted<Key>>] = corescope::columns![Counted<Key>;
    COMM as "Process Name" left 0: "Name of the thread that made the requests" =>
        |requests| Value::c_string(&requests.key.comm),
    PID as "pid" left 0: "Its process, with --pids" => |requests| Value::unless_zero(requests.key.pid),
];

/// Runs the tool with the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    cli::main(&MANUAL, run)
}

fn run(args: Args) -> Result<()> {
    let comm = args.comm.as_deref().map(filter::thread_name);
    let filter = Filter::new(&args.common).pids(&args.pid).comm(comm);
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(BitesizeSkelBuilder::default(), &mut object, &args.common, |setup| {
        filter.apply(setup)?;
        args.histogram.apply(setup, SCALE, true)?;
        setup.trace_requests(args.disk.disk.as_ref())?;
        setup.trace_issuers("bitesize", true, false)?;
        setup.set("by_pid", args.pids)
    })?;
    let links = corescope::attach(&skel, &args.common)?;
    let out = Output::new(args.common.json);
    let mut histograms = Histograms::<Key>::of(&skel, true)?;
    let look = args.histogram.look(SCALE);
    let mut take = || histograms.take(|key| key.pid != 0 && process_is_gone(key.pid));
    let interval = &args.histogram.interval;
    if args.tui && corescope_tui::is_usable() {
        let named = || Ok(histogram::named(take()?, COLUMNS));
        corescope_tui::heat("bitesize", &look, interval, Lost::of(&skel)?, out, named)?;
    } else {
        out.announce("Tracing block I/O... Hit Ctrl-C to end.");
        summarize(&skel, links, interval, out, |due, out| {
            if due == Due::Output {
                histogram::print(out, take()?, COLUMNS, &look);
            }
            Ok(())
        })?;
    }
    let unknown = skel.maps.bss_data.as_ref().map_or(0, |counters| counters.unknown);
    complain_of(unknown, "requests of which it is not known who made them, which are not in the histograms");
    Ok(())
}
