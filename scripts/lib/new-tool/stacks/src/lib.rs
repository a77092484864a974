#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::@TYPE@SkelBuilder;
use bpf::types::@NAME@_key as Key;
use clap::Parser;
use corescope::interval::{Due, Interval};
use corescope::output::vocabulary;
use corescope::read::sums::{Sums, process_is_gone};
use corescope::{Column, Common, Filter, Manual, Output, Value, cli, column};
use corescope_symbols::fields::fields;
use corescope_symbols::{Entry, Format, Part, Side, Sides, StackMap, Storage, Summary, Times};

corescope::skeleton!();

const MANUAL: Manual = Manual {
    text: include_str!("../manual.md"),
    fields: || [vec![vocabulary::TIME.json_only()], column::fields(COLUMNS), fields()].concat(),
};

/// What lies above it is the tracing.
const BEGIN: &str = "copy_process";

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Trace these processes only, separated by commas
    #[arg(short, long, value_delimiter = ',', value_parser = cli::id)]
    pid: Vec<u32>,
    #[command(flatten)]
    sides: Sides,
    #[command(flatten)]
    storage: Storage,
    #[command(flatten)]
    interval: Interval,
    #[command(flatten)]
    common: Common,
}

const COLUMNS: &[Column<(Key, u64)>] = corescope::columns![(Key, u64);
    json PID => |row| row.0.pid.into(),
    json COMM => |row| Value::c_string(&row.0.comm),
    json COUNT: "How many processes were created there" => |row| row.1.into(),
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
        args.storage.apply(setup)?;
        setup.set("user_stacks", !args.sides.kernel_stacks_only)?;
        setup.set("kernel_stacks", !args.sides.user_stacks_only)
    })?;
    let out = Output::new(args.common.json);
    let mut sums = Sums::<Key, u64>::default();
    let format = Format::of(&args.sides, args.common.verbose > 0, false, 1);
    let summary = Summary::new(StackMap::new(&skel.maps.stacks), &args.storage, format);
    let links = corescope::attach(&skel, &args.common)?;
    let times = Times { interval: args.interval.interval, count: args.interval.count.unwrap_or(u64::MAX) };
    let title = args.sides.title("Counting processes as they are created", None);
    summary.run(&skel, links, (out, &title), times, COLUMNS, |due| {
        let rows = match due {
            Due::Look => Sums::<Key, u64>::all(&skel.maps.counts)?,
            Due::Output => sums.take(&skel.maps.counts, |key, _| process_is_gone(key.pid))?,
        };
        Ok(rows.into_iter().map(entry).collect())
    })
}

fn entry((key, count): (Key, u64)) -> Entry<(Key, u64)> {
    let kernel = Side::kernel("kernel_stack", key.kernel_stack, BEGIN);
    let user = Side::user("user_stack", key.user_stack, key.pid, key.comm);
    let name = Part::Name { label: "-", comm: key.comm, id: format!(" ({})", key.pid) };
    Entry { row: (key, count), parts: vec![Part::Stack(kernel), Part::Stack(user), name], value: count }
}
