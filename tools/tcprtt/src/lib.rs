#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

mod ends;

use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::TcprttSkelBuilder;
use bpf::types::tcprtt_key as Key;
use clap::Parser;
use corescope::histogram::{self, Counted, Scale};
use corescope::interval::{Due, Lasting};
use corescope::read::histograms::Times;
use corescope::{
    Column, Common, Filter, HistogramOptions, Histograms, Lost, Manual, Output, Value, address, cli, complain_of,
    summarize,
};
use ends::Ends;

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || histogram::fields(COLUMNS) };
const SCALE: Scale = Scale::Log2;

#[derive(Parser)]
#[command(version, about)]
// BCC prints the text of its program with -D.
#[command(mut_arg("verbose", |argument| argument.visible_short_alias('D')))]
struct Args {
    #[command(flatten)]
    ends: Ends,
    /// Print a histogram for each local address
    #[arg(short = 'b', long)]
    byladdr: bool,
    /// Print a histogram for each remote address
    #[arg(short = 'B', long)]
    byraddr: bool,
    /// Print a histogram for each network namespace
    #[arg(long)]
    netnss: bool,
    /// Print average and sum below each histogram
    #[arg(short, long)]
    extension: bool,
    /// Show a live heat map instead: time to the right, round-trip times upwards, counts as shades
    #[arg(long, conflicts_with = "json")]
    tui: bool,
    #[command(flatten)]
    histogram: HistogramOptions<Times, Lasting>,
    #[command(flatten)]
    common: Common,
}

const COLUMNS: &[Column<Counted<Key>>] = corescope::columns![Counted<Key>;
    LADDR as "Local Address" left 0: "Local address, with -b" => |rtt| shown(rtt.key.local),
    RADDR as "Remote Address" left 0: "Remote address, with -B" => |rtt| shown(rtt.key.remote),
    NETNS as "netns" left 0: "Network namespace, with --netnss: inode number of /proc/PID/ns/net" =>
        |rtt| Value::unless_zero(rtt.key.netns),
];

/// An address of a key; one that was not asked for is all 0, which none of a connection is.
fn shown(bytes: [u8; 16]) -> Value<'static> {
    (bytes != [0; 16]).then(|| address::address(address::AF_INET6, bytes).to_string()).into()
}

/// Runs the tool with the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    cli::main(&MANUAL, run)
}

fn run(args: Args) -> Result<()> {
    let by_key = args.byladdr || args.byraddr || args.netnss;
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(TcprttSkelBuilder::default(), &mut object, &args.common, |setup| {
        Filter::new(&args.common).apply(setup)?;
        args.histogram.apply(setup, SCALE, by_key)?;
        args.ends.apply(setup)?;
        setup.set("all_in_one", !by_key && !args.ends.is_any() && args.common.cgroup.is_none())?;
        setup.set("by_local", args.byladdr)?;
        setup.set("by_remote", args.byraddr)?;
        setup.set("by_netns", args.netnss)
    })?;
    let links = corescope::attach(&skel, &args.common)?;
    let out = Output::new(args.common.json);
    let mut histograms = Histograms::<Key>::of(&skel, by_key)?;
    let look = args.histogram.look(SCALE).with_averages(args.extension);
    let mut take = || histograms.take(|_| false);
    let interval = args.histogram.interval.interval();
    if args.tui && corescope_tui::is_usable() {
        let named = || Ok(histogram::named(take()?, COLUMNS));
        corescope_tui::heat("tcprtt", &look, &interval, Lost::of(&skel)?, out, named)?;
    } else {
        out.announce("Tracing TCP RTT... Hit Ctrl-C to end.");
        summarize(&skel, links, &interval, out, |due, out| {
            if due == Due::Output {
                histogram::print(out, take()?, COLUMNS, &look);
            }
            Ok(())
        })?;
    }
    let unmeasured = skel.maps.bss_data.as_ref().map_or(0, |counters| counters.unmeasured);
    complain_of(unmeasured, "segments of connections that had no round-trip time yet, which are not counted");
    Ok(())
}
