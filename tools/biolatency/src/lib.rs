#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

mod bcc;

use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::BiolatencySkelBuilder;
use bpf::types::biolatency_key as Key;
use clap::Parser;
use corescope::column::{Column, Value};
use corescope::disk::{self, DiskOption};
use corescope::histogram::{self, Counted, Scale};
use corescope::interval::Due;
use corescope::{
    Common, Filter, HistogramOptions, Histograms, Lost, Manual, Output, cgroup, cli, complain_of, summarize,
};

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || histogram::fields(COLUMNS) };
const SCALE: Scale = Scale::Log2;

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Include the time that requests are queued before their driver gets them
    #[arg(short = 'Q', long)]
    queued: bool,
    /// Print a histogram for each disk
    #[arg(short = 'D', long)]
    disks: bool,
    /// Print a histogram for each set of flags, such as Sync-Write
    #[arg(short = 'F', long)]
    flags: bool,
    /// Print a histogram for each process that made requests
    #[arg(short = 'P', long)]
    pids: bool,
    /// Print a histogram for each cgroup whose requests they are
    #[arg(long)]
    cgroups: bool,
    /// Print average and sum below each histogram
    #[arg(short, long)]
    extension: bool,
    /// Print dictionaries as BCC's biolatency does; --json has more
    #[arg(short = 'j', conflicts_with_all = ["json", "tui"])]
    bcc_json: bool,
    /// Trace requests of these processes only, separated by commas
    #[arg(short, long, value_delimiter = ',', value_parser = cli::id)]
    pid: Vec<u32>,
    /// Show a live heat map instead: time to the right, latencies upwards, counts as shades
    #[arg(long, conflicts_with = "json")]
    tui: bool,
    #[command(flatten)]
    disk: DiskOption,
    #[command(flatten)]
    histogram: HistogramOptions,
    #[command(flatten)]
    common: Common,
}

const COLUMNS: &[Column<Counted<Key>>] = corescope::columns![Counted<Key>;
    DISK as "disk" left 0: "Disk, with -D" => |requests| Value::unless_empty(&requests.key.disk),
    json FLAGS: "Flags of the requests (cmd_flags), with -F" => |requests| flags(&requests.key).into(),
    FLAG_NAMES as "flags" left 0: "The same by name, the operation last, with -F" =>
        |requests| flags(&requests.key).map(disk::flag_names).into(),
    PID as "pid" left 0: "Process that made the requests, with -P" => |requests| Value::unless_zero(requests.key.pid),
    COMM: "Name of that process's thread, with -P" => |requests| Value::unless_empty(&requests.comm),
    CGROUP as "cgroup" left 0: "Cgroup whose requests they are, with --cgroups; its id where it is gone" =>
        |requests| (requests.key.cgroup != 0).then(|| cgroup::path(requests.key.cgroup).to_string()).into(),
];

/// The flags of -F: one more is kept, because a read without flags is 0.
fn flags(key: &Key) -> Option<u32> {
    key.flags.checked_sub(1)
}

/// Runs the tool with the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    cli::main(&MANUAL, run)
}

fn run(args: Args) -> Result<()> {
    let filter = Filter::new(&args.common).pids(&args.pid);
    let by_key = args.disks || args.flags || args.pids || args.cgroups;
    let filtered = filter.is_any();
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(BiolatencySkelBuilder::default(), &mut object, &args.common, |setup| {
        filter.apply(setup)?;
        args.histogram.apply(setup, SCALE, by_key)?;
        setup.trace_requests(args.disk.disk.as_ref())?;
        setup.trace_issuers("biolatency", filtered || args.pids || args.cgroups, args.cgroups)?;
        setup.set("all_in_one", !by_key && !filtered)?;
        setup.set("queued", args.queued)?;
        setup.set("by_disk", args.disks)?;
        setup.set("by_flags", args.flags)?;
        setup.set("by_pid", args.pids)?;
        setup.set("by_cgroup", args.cgroups)?;
        setup.set("filtered", filtered)
    })?;
    let links = corescope::attach(&skel, &args.common)?;
    let out = Output::new(args.common.json);
    let mut histograms = Histograms::<Key>::of(&skel, by_key)?;
    let look = args.histogram.look(SCALE).with_averages(args.extension);
    let mut take = || histograms.take(|_| false);
    let interval = &args.histogram.interval;
    if args.tui && corescope_tui::is_usable() {
        let named = || Ok(histogram::named(take()?, COLUMNS));
        corescope_tui::heat("biolatency", &look, interval, Lost::of(&skel)?, out, named)?;
    } else {
        if !args.bcc_json {
            out.announce("Tracing block device I/O... Hit Ctrl-C to end.");
        }
        summarize(&skel, links, interval, out, |due, out| {
            if due == Due::Output && args.bcc_json {
                bcc::print(out, &take()?, &look);
            } else if due == Due::Output {
                histogram::print(out, take()?, COLUMNS, &look);
            }
            Ok(())
        })?;
    }
    if let Some(counters) = skel.maps.bss_data.as_ref() {
        complain_of(counters.passthrough, "commands for drivers (passthrough), which are not in the histograms");
        complain_of(
            counters.untimed,
            "requests whose start time the kernel did not keep, which are not in the histograms",
        );
    }
    Ok(())
}
