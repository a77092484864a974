#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

use std::mem::MaybeUninit;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use bpf::OffcputimeSkelBuilder;
use bpf::types::{offcputime_key as Key, offcputime_sum as Sum};
use clap::Parser;
use corescope::cli::{self, Usage};
use corescope::interval::{Due, seconds};
use corescope::output::vocabulary;
use corescope::read::sums::{Counters, Sums, thread_is_gone};
use corescope::{Column, Common, Filter, Manual, Output, Setup, Starts, Value, column};
use corescope_symbols::fields::fields;
use corescope_symbols::{Entry, Format, Part, Side, Sides, StackMap, Storage, Summary, Times};

corescope::skeleton!();

const MANUAL: Manual = Manual {
    text: include_str!("../manual.md"),
    fields: || [vec![vocabulary::TIME.json_only()], column::fields(COLUMNS), fields()].concat(),
};

/// Where the kernel leaves the thread: what lies above is the tracing.
const SWITCH: &str = "__schedule";
/// Room for this many sums at least: 2 MB.
const SUMS: u32 = 16 * 1024;

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Trace these processes only, separated by commas
    #[arg(short, long, value_name = "PID", value_delimiter = ',', value_parser = cli::id)]
    pid: Vec<u32>,
    /// Trace these threads only, separated by commas
    #[arg(short, long, value_name = "TID", value_delimiter = ',', value_parser = cli::id)]
    tid: Vec<u32>,
    /// Trace threads of user processes only, no kernel threads
    #[arg(short, long)]
    user_threads_only: bool,
    /// Trace kernel threads only
    #[arg(short, long, conflicts_with_all = ["user_threads_only", "user_stacks_only"])]
    kernel_threads_only: bool,
    #[command(flatten)]
    sides: Sides,
    /// Show how far into each function the address lies
    #[arg(short = 's', long)]
    offset: bool,
    /// Count only waits of at least this many microseconds
    #[arg(short, long, value_name = "US", default_value = "1", value_parser = cli::whole::<u64>)]
    min_block_time: u64,
    /// Count only waits of at most this many microseconds
    #[arg(short = 'M', long, value_name = "US", value_parser = cli::whole::<u64>)]
    max_block_time: Option<u64>,
    /// Count only threads that left in one of these states: a mask of the kernel's task states, as 1 for interruptible, 2
    /// for uninterruptible sleep or 3 for both; 0 for those that were preempted, -1 for all
    #[arg(long, value_name = "MASK", allow_negative_numbers = true, value_parser = state)]
    state: Option<i64>,
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

const COLUMNS: &[Column<(Key, Sum)>] = corescope::columns![(Key, Sum);
    json PID => |row| row.0.pid.into(),
    json TID => |row| row.0.tid.into(),
    json COMM => |row| Value::c_string(&row.0.comm),
    json TOTAL: "Time off the CPU, in total" => |row| row.1.total_ns.into(),
    json COUNT: "How many times it was off the CPU" => |row| row.1.count.into(),
];

impl Counters for Sum {}

/// A mask of task states, decimal or hexadecimal; -1 is all of them.
fn state(text: &str) -> Result<i64, String> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok().map(i64::from),
        None => text.parse().ok(),
    };
    number
        .filter(|number| (-1..=i64::from(u32::MAX)).contains(number))
        .ok_or_else(|| "not a mask of task states".into())
}

/// Runs the tool with the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    cli::main(&MANUAL, run)
}

fn run(args: Args) -> Result<()> {
    if args.max_block_time.is_some_and(|max| max < args.min_block_time) {
        return Err(Usage("--max-block-time is less than --min-block-time: nothing lies between".into()).into());
    }
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(OffcputimeSkelBuilder::default(), &mut object, &args.common, |setup| {
        Filter::new(&args.common).pids(&args.pid).tids(&args.tid).apply(setup)?;
        args.storage.apply(setup)?;
        configure(&args, setup)
    })?;
    let out = Output::new(args.common.json);
    let mut sums = Sums::<Key, Sum>::default();
    let format = Format::of(&args.sides, args.common.verbose > 0, args.offset, 1000);
    let summary = Summary::new(StackMap::new(&skel.maps.stacks), &args.storage, format);
    let links = corescope::attach(&skel, &args.common)?;
    let times = Times { interval: args.duration, count: args.count };
    summary.run(&skel, links, (out, &args.title()), times, COLUMNS, |due| {
        let rows = match due {
            Due::Look => Sums::<Key, Sum>::all(&skel.maps.sums)?,
            Due::Output => sums.take(&skel.maps.sums, |key, _| thread_is_gone(key.pid, key.tid))?,
        };
        Ok(rows.into_iter().map(entry).collect())
    })
}

fn entry(row: (Key, Sum)) -> Entry<(Key, Sum)> {
    let (key, sum) = row;
    let kernel = Side::kernel("kernel_stack", key.kernel_stack, SWITCH);
    let user = Side::user("user_stack", key.user_stack, key.pid, key.comm);
    let name = Part::Name { label: "-", comm: key.comm, id: format!(" ({})", key.tid) };
    Entry { row, parts: vec![Part::Stack(kernel), Part::Stack(user), name], value: sum.total_ns }
}

impl Args {
    /// What is traced, in BCC's words.
    fn title(&self) -> String {
        let list = |ids: &[u32]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let threads = match (&self.pid[..], &self.tid[..]) {
            ([], []) if self.user_threads_only => "user threads".into(),
            ([], []) if self.kernel_threads_only => "kernel threads".into(),
            ([], []) => "all threads".into(),
            (pids, []) => format!("PID {}", list(pids)),
            (_, tids) => format!("TID {}", list(tids)),
        };
        self.sides.title(&format!("Tracing off-CPU time (us) of {threads}"), self.duration)
    }
}

/// Sets the constants and sizes the maps.
fn configure(args: &Args, setup: &mut Setup<'_>) -> Result<()> {
    setup.keep_starts(Starts::OfSwitches)?;
    // A stack is that of one thread or of many.
    setup.size("sums", args.storage.stack_storage_size.saturating_mul(2).max(SUMS))?;
    setup.set("user_stacks", !args.sides.kernel_stacks_only)?;
    setup.set("kernel_stacks", !args.sides.user_stacks_only)?;
    setup.set("user_threads_only", args.user_threads_only)?;
    setup.set("kernel_threads_only", args.kernel_threads_only)?;
    if let Some(mask) = args.state.and_then(|mask| u64::try_from(mask).ok()) {
        setup.set("filter_by_state", true)?;
        setup.set("state_mask", mask)?;
    }
    setup.set("min_ns", args.min_block_time.saturating_mul(1000))?;
    // Up to the end of that microsecond.
    let max_ns = args.max_block_time.map_or(u64::MAX, |max| max.saturating_mul(1000).saturating_add(999));
    setup.set("max_ns", max_ns)
}
