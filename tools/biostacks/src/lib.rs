#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

use std::collections::HashSet;
use std::mem::{MaybeUninit, replace};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use bpf::BiostacksSkelBuilder;
use bpf::types::biostacks_key as Key;
use clap::Parser;
use corescope::disk::DiskOption;
use corescope::histogram::{self, Counted, Histogram, Look, Scale};
use corescope::interval::{Due, seconds};
use corescope::read::histograms;
use corescope::read::sums::process_is_gone;
use corescope::{Column, Common, Filter, Histograms, Manual, Output, Setup, Value, Values, cli, complain_of, escape};
use corescope_symbols::fields::fields;
use corescope_symbols::{Distribution, Entry, Format, Part, Side, Sides, StackMap, Storage, Summary, Times};

corescope::skeleton!();

const MANUAL: Manual =
    Manual { text: include_str!("../manual.md"), fields: || [histogram::fields(COLUMNS), fields()].concat() };
const SCALE: Scale = Scale::Log2;

/// Where requests are made: what lies above is the tracing.
const MAKES: &str = "blk_mq_submit_bio";

#[derive(Parser)]
#[command(version, about)]
// -d is the disk's.
#[command(mut_arg("delimited", |argument| argument.short(None)))]
struct Args {
    /// Trace requests of these processes only, separated by commas
    #[arg(short, long, value_delimiter = ',', value_parser = cli::id)]
    pid: Vec<u32>,
    /// Keep the threads of a process apart
    #[arg(short = 'L', long)]
    tids: bool,
    /// Count requests instead of adding up their times: in folded lines, and for the order in which stacks are printed
    #[arg(long)]
    counts: bool,
    #[command(flatten)]
    disk: DiskOption,
    #[command(flatten)]
    times: histograms::Times,
    #[command(flatten)]
    sides: Sides,
    /// Show how far into each function the address lies
    #[arg(short = 's', long)]
    offset: bool,
    #[command(flatten)]
    storage: Storage,
    /// Seconds to trace; without it until Ctrl-C
    #[arg(value_parser = seconds)]
    duration: Option<Duration>,
    /// Number of times to do so, each with an output of its own
    #[arg(default_value = "1", value_parser = cli::count::<u64>)]
    count: u64,
    #[command(flatten)]
    common: Common,
}

const COLUMNS: &[Column<Counted<Key>>] = corescope::columns![Counted<Key>;
    COMM: "Name of the thread that made the requests" => |requests| Value::c_string(&requests.key.comm),
    PID: "Its process" => |requests| requests.key.pid.into(),
    TID: "Its thread id, with -L" => |requests| Value::unless_zero(requests.key.tid),
    DISK => |requests| Value::c_string(&requests.key.disk),
];

/// Runs the tool with the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    cli::main(&MANUAL, run)
}

fn run(args: Args) -> Result<()> {
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(BiostacksSkelBuilder::default(), &mut object, &args.common, |setup| {
        Filter::new(&args.common).pids(&args.pid).apply(setup)?;
        args.storage.apply(setup)?;
        configure(&args, setup)
    })?;
    let out = Output::new(args.common.json);
    let look = args.times.look(SCALE);
    let format = Format::of(&args.sides, args.common.verbose > 0, args.offset, if args.counts { 1 } else { look.per });
    let summary = Summary::new(StackMap::new(&skel.maps.stacks), &args.storage, format);
    let mut histograms = Histograms::<Key>::of(&skel, true)?;
    let mut ended = HashSet::new();
    let links = corescope::attach(&skel, &args.common)?;
    let times = Times { interval: args.duration, count: args.count };
    let title = args.sides.title("Tracing block I/O", args.duration);
    summary.run(&skel, links, (out, &title), times, COLUMNS, |due| {
        let rows = match due {
            Due::Look => histograms.keys()?.into_iter().map(uncounted).collect(),
            Due::Output => {
                // A request may outlive its process, but hardly by an interval.
                let before = replace(&mut ended, ended_processes(&histograms)?);
                histograms.take(|key| before.contains(&key.pid))?
            }
        };
        Ok(rows.into_iter().map(|requests| entry(requests, look, args.counts)).collect())
    })?;
    if let Some(counters) = skel.maps.bss_data.as_ref() {
        complain_of(counters.passthrough, "commands for drivers (passthrough), which are not shown");
        complain_of(counters.unknown, "requests of which it is not known who made them, which are not shown");
    }
    Ok(())
}

/// Sets the constants and sizes the maps.
fn configure(args: &Args, setup: &mut Setup<'_>) -> Result<()> {
    args.times.apply(setup, SCALE, true, Some(args.storage.stack_storage_size))?;
    setup.trace_requests(args.disk.disk.as_ref())?;
    setup.trace_issuers("biostacks", true, false)?;
    setup.set("issuer_kernel_stacks", !args.sides.user_stacks_only)?;
    setup.set("issuer_user_stacks", !args.sides.kernel_stacks_only)?;
    setup.set("by_tid", args.tids)
}

/// Processes that have histograms and are gone.
fn ended_processes(histograms: &Histograms<'_, Key>) -> Result<HashSet<u32>> {
    let pids: HashSet<u32> = histograms.keys()?.iter().map(|key| key.pid).collect();
    Ok(pids.into_iter().filter(|pid| process_is_gone(*pid)).collect())
}

/// What nobody is to see yet.
fn uncounted(key: Key) -> Counted<Key> {
    Counted { key, comm: [0; 16], histogram: Histogram::default() }
}

fn entry(requests: Counted<Key>, look: Look, counts: bool) -> Entry<Counted<Key>, Distribution> {
    let Counted { key, histogram, .. } = requests;
    let thread = if key.tid == 0 { String::new() } else { format!("{:<7} ", key.tid) };
    let disk = String::from_utf8_lossy(escape::c_string(&key.disk));
    let heading = Part::Heading { comm: key.comm, rest: format!("{:<7} {thread}{disk}", key.pid) };
    let kernel = Side::kernel("kernel_stack", key.kernel_stack, MAKES);
    let user = Side::user("user_stack", key.user_stack, key.pid, key.comm);
    let value = Distribution { histogram, look, counts };
    Entry { row: requests, parts: vec![heading, Part::Stack(kernel), Part::Stack(user)], value }
}
