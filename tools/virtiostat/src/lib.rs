#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

use std::mem::MaybeUninit;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use bpf::VirtiostatSkelBuilder;
use bpf::types::{virtiostat_key as Key, virtiostat_sum as Sum};
use clap::Parser;
use corescope::interval::{Due, Interval, seconds};
use corescope::object::hooks;
use corescope::read::sums::{Counters, Sums};
use corescope::{Column, Common, Filter, Manual, Output, Setup, Table, Value, cli, column, complain_of, summarize};

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || column::fields(COLUMNS) };

/// The module that has the functions, where it is one.
const MODULE: &str = "virtio_ring";
/// Functions of all kernels, each with two ways to trace it, and those that some have.
const ALWAYS: [[&str; 2]; 4] = [
    ["virtiostat_sgs", "virtiostat_sgsk"],
    ["virtiostat_out", "virtiostat_outk"],
    ["virtiostat_in", "virtiostat_ink"],
    ["virtiostat_ctx", "virtiostat_ctxk"],
];
const SOME: [[&str; 2]; 3] = [
    ["virtiostat_pre", "virtiostat_prek"],
    ["virtiostat_prein", "virtiostat_preink"],
    ["virtiostat_clean", "virtiostat_cleank"],
];

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Print the time before each output
    #[arg(short = 'T', long)]
    timestamp: bool,
    /// Show only devices of this driver, such as virtio_blk
    #[arg(short, long, value_name = "NAME", value_parser = name)]
    driver: Option<Name>,
    /// Show only this device, such as virtio0
    #[arg(short = 'n', long, value_name = "NAME", value_parser = name)]
    devname: Option<Name>,
    /// Report loading and attaching on standard error, as --verbose does
    #[arg(short = 'D', long)]
    debug: bool,
    /// Seconds between outputs
    #[arg(default_value = "3", value_parser = seconds)]
    interval: Duration,
    /// Number of outputs
    #[arg(value_parser = cli::count::<u64>)]
    count: Option<u64>,
    #[command(flatten)]
    common: Common,
}

/// A name as the kernel side compares it: 0 behind it.
type Name = [u8; 32];

fn name(name: &str) -> Result<Name, String> {
    let mut bytes = Name::default();
    if name.is_empty() || name.len() >= bytes.len() {
        return Err(format!("a name of 1 to {} bytes, please", bytes.len() - 1));
    }
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    Ok(bytes)
}

/// A queue in an interval.
struct Row {
    time_ns: u64,
    queue: Key,
    sum: Sum,
}

const COLUMNS: &[Column<Row>] = corescope::columns![Row;
    json TIME: "End of the interval" => |row| Value::Time(row.time_ns),
    "Driver" left 14 "driver" text: "Driver of the device" => |row| Value::c_string(&row.queue.driver),
    DEVICE as "Device" left 8: "The device, as in /sys/bus/virtio/devices" => |row| Value::c_string(&row.queue.device),
    "VQ-Name" left 10 "queue" text: "The queue, as its driver calls it" => |row| Value::c_string(&row.queue.queue),
    json QUEUE_INDEX => |row| row.queue.index.into(),
    "In-SGs" right 7 "in_sgs" number: "Lists of memory that were given to the device to be written" => |row| row.sum.in_sgs.into(),
    "Out-SGs" right 7 "out_sgs" number: "Lists of memory that were given to the device to be read" => |row| row.sum.out_sgs.into(),
    "In-BW" right 14 "in_bytes" number: "Bytes of those to be written, of which the device may use less" =>
        |row| row.sum.in_bytes.into(),
    "Out-BW" right 14 "out_bytes" number: "Bytes of those to be read" => |row| row.sum.out_bytes.into(),
];

impl Counters for Sum {}

/// Runs the tool with the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    cli::main(&MANUAL, run)
}

fn run(mut args: Args) -> Result<()> {
    args.common.verbose += u8::from(args.debug);
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(VirtiostatSkelBuilder::default(), &mut object, &args.common, |setup| {
        Filter::new(&args.common).apply(setup)?;
        configure(&args, setup)
    })?;
    let out = Output::new(args.common.json);
    let mut sums = Sums::<Key, Sum>::default();
    let table = Table::new(COLUMNS);
    let links = corescope::attach(&skel, &args.common)?;
    out.announce("Tracing virtio devices statistics ... Hit Ctrl-C to end.");
    let interval = Interval { interval: Some(args.interval), count: args.count };
    summarize(&skel, links, &interval, out, |due, out| {
        if due == Due::Look {
            return Ok(());
        }
        let (time_ns, all) = (out.clock.now_ns(), sums.take(&skel.maps.sums, |_, _| false)?);
        let mut rows: Vec<Row> = all.into_iter().map(|(queue, sum)| Row { time_ns, queue, sum }).collect();
        rows.sort_by_key(|row| (row.queue.driver, row.queue.device, row.queue.index));
        if args.timestamp && !out.is_json() {
            let line = format!("{}\n", out.clock.hms(time_ns));
            out.push(&line);
        }
        table.page(out, &rows);
        Ok(())
    })?;
    let cut = skel.maps.bss_data.as_ref().map_or(0, |counters| counters.cut);
    complain_of(cut, "buffers of so many pieces that not all are in In-BW and Out-BW");
    Ok(())
}

fn configure(args: &Args, setup: &mut Setup<'_>) -> Result<()> {
    setup.set("by_driver", args.driver.is_some())?;
    setup.set("only_driver", args.driver.unwrap_or_default())?;
    setup.set("by_device", args.devname.is_some())?;
    setup.set("only_device", args.devname.unwrap_or_default())?;
    if !setup.use_module(MODULE) {
        setup.use_symbols(MODULE);
    }
    hooks::choose(setup, &ALWAYS.each_ref().map(|row| &row[..]))?;
    for row in &SOME {
        hooks::choose_any(setup, row)?;
    }
    Ok(())
}
