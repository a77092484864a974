#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

use std::fs;
use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use bpf::MdflushSkelBuilder;
use bpf::types::mdflush_event as Event;
use clap::Parser;
use corescope::{Buffer, Column, Common, Filter, Manual, Output, Table, Value, cli, column, disk, event, kernel};

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || column::fields(COLUMNS) };

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Show only flushes that these processes ask for, separated by commas
    #[arg(short, long, value_delimiter = ',', value_parser = cli::id)]
    pid: Vec<u32>,
    /// Show only flushes of this array, such as md0 or /dev/md/home
    #[arg(short, long, value_name = "ARRAY", value_parser = disk::parse_array)]
    device: Option<u32>,
    #[command(flatten)]
    buffer: Buffer,
    #[command(flatten)]
    common: Common,
}

const COLUMNS: &[Column<Event>] = corescope::columns![Event;
    TIME: "When the flush was asked for" => |event| Value::Time(event.time_ns),
    PID: "Process that asked for it" => |event| event.pid.into(),
    json TID: "Its thread" => |event| event.tid.into(),
    COMM: "Name of that thread" => |event| Value::c_string(&event.comm),
    DISK as "DEVICE" left 0: "The array, as the kernel calls it" => |event| Value::c_string(&event.disk),
    json BYTES: "Bytes that are to be written when the flush is done; 0 for a flush by itself" => |event| event.bytes.into(),
];

/// Runs the tool with the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    cli::main(&MANUAL, run)
}

fn run(args: Args) -> Result<()> {
    let filter = Filter::new(&args.common).pids(&args.pid);
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(MdflushSkelBuilder::default(), &mut object, &args.common, |setup| {
        filter.apply(setup)?;
        args.buffer.apply(setup)?;
        let arguments = setup.types()?.tracepoint_arguments("block_bio_queue");
        setup.set("bios_behind_queue", arguments.context("this kernel has no tracepoint block_bio_queue")? > 1)?;
        setup.set("request_disk", args.device.unwrap_or(0))
    })?;
    // Only now: what a process may not do at all comes first.
    ensure!(has_md(), "this kernel has no md: it is not loaded, and there is no module md_mod for it");
    let mut out = Output::new(args.common.json);
    let table = Table::new(COLUMNS);
    let links = corescope::attach(&skel, &args.common)?;
    table.header(&mut out);
    corescope::stream(&skel, links, out, |record, out| table.row(out, event::<Event>(record).0))
}

/// Whether there may be arrays: some are made when the tool runs already, and md is loaded for them.
fn has_md() -> bool {
    let is_loaded = |devices: String| devices.lines().any(|line| line.ends_with(" md"));
    fs::read_to_string("/proc/devices").is_ok_and(is_loaded) || kernel::has_module("md-mod")
}
