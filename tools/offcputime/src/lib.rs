#![doc = include_str!("../manual.md")]

mod report;
mod sums;

use std::fs;
use std::mem::MaybeUninit;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bpf::OffcputimeSkelBuilder;
use clap::{Parser, value_parser};
use corescope::Manual;
use corescope::cli::{self, Usage};
use corescope::interval::{Due, every_watching, seconds};
use corescope::{Common, Filter, Setup, signals};
use corescope_symbols::{Sides, Storage};
use report::Report;

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || report::FIELDS.to_vec() };

/// Room for this many sums at least: 2 MB.
const SUMS: u32 = 16 * 1024;
/// How often processes are looked at that may have ended when their stacks are named.
const WATCH: Duration = Duration::from_millis(250);

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Trace these processes only, separated by commas
    #[arg(short, long, value_name = "PID", value_delimiter = ',', value_parser = value_parser!(u32).range(1..))]
    pid: Vec<u32>,
    /// Trace these threads only, separated by commas
    #[arg(short, long, value_name = "TID", value_delimiter = ',', value_parser = value_parser!(u32).range(1..))]
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
    #[arg(short, long, value_name = "US", default_value = "1")]
    min_block_time: u64,
    /// Count only waits of at most this many microseconds
    #[arg(short = 'M', long, value_name = "US")]
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
    #[arg(default_value = "1", value_parser = value_parser!(u64).range(1..))]
    count: u64,
    #[command(flatten)]
    common: Common,
}

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

#[allow(clippy::needless_pass_by_value, reason = "cli::main hands them over")]
fn run(args: Args) -> Result<()> {
    if args.max_block_time.is_some_and(|max| max < args.min_block_time) {
        return Err(Usage("--max-block-time is less than --min-block-time: nothing lies between".into()).into());
    }
    let ids: Vec<u32> = args.pid.iter().chain(&args.tid).copied().collect();
    // One of several may just have ended.
    ensure!(ids.is_empty() || ids.iter().any(|id| exists(*id)), "there is no such process or thread");
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(OffcputimeSkelBuilder::default(), &mut object, &args.common, |setup| {
        Filter::new(&args.common).pids(&args.pid).tids(&args.tid).apply(setup)?;
        args.storage.apply(setup)?;
        configure(&args, setup)
    })?;
    let mut report = Report::new(&args, &skel)?;
    let mut links = corescope::attach(&skel, &args.common)?;
    report.header()?;
    let mut left = args.count;
    every_watching(args.duration, Some(args.count), WATCH, |due| {
        if due == Due::Look {
            return report.look();
        }
        left -= 1;
        if left == 0 || signals::stopped() {
            // Naming takes a while: nobody needs to be traced meanwhile.
            links.clear();
        }
        report.print()
    })
}

fn exists(id: u32) -> bool {
    Path::new(&format!("/proc/{id}")).exists()
}

/// Sets the constants and sizes the maps.
fn configure(args: &Args, setup: &mut Setup<'_>) -> Result<()> {
    let by_task = setup.types()?.has_task_storage_for_scheduler();
    let threads = if by_task { 1 } else { threads()? };
    for mut map in setup.maps_mut() {
        match map.name().to_str() {
            Some("leaves_by_task") => map.set_autocreate(by_task)?,
            Some("leaves_by_tid") => {
                map.set_autocreate(!by_task)?;
                map.set_max_entries(threads)?;
            }
            // A stack is that of one thread or of many.
            Some("sums") => map.set_max_entries(args.storage.stack_storage_size.saturating_mul(2).max(SUMS))?,
            _ => {}
        }
    }
    setup.set("by_task", by_task)?;
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

/// Room for twice the threads that there are, by `/proc/loadavg`: `0.20 0.18 0.12 1/80 11206` tells of 80.
fn threads() -> Result<u32> {
    const AT_LEAST: u32 = 16 * 1024;
    let loadavg = fs::read_to_string("/proc/loadavg").context("cannot read /proc/loadavg")?;
    let threads = loadavg.split(['/', ' ']).nth(4).and_then(|threads| threads.parse::<u32>().ok());
    Ok(threads.unwrap_or(0).saturating_mul(2).max(AT_LEAST))
}
