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
use corescope::{Column, Common, Filter, Manual, Output, Value, cli, column, summarize};
use corescope_symbols::{Entry, Format, Side, Sides, StackMap, Storage, Summary, print::Look, summary};

corescope::skeleton!();

const MANUAL: Manual = Manual {
    text: include_str!("../manual.md"),
    fields: || [vec![vocabulary::TIME.json_only()], column::fields(COLUMNS), summary::fields()].concat(),
};

/// What lies above it is the tracing.
const BEGIN: &str = "copy_process";

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Trace this process only
    #[arg(short, long, value_parser = clap::value_parser!(u32).range(1..))]
    pid: Option<u32>,
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
    let filter = Filter::new(&args.common).pid(args.pid);
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(@TYPE@SkelBuilder::default(), &mut object, &args.common, |setup| {
        filter.apply(setup)?;
        args.storage.apply(setup)?;
        setup.set("user_stacks", !args.sides.kernel_stacks_only)?;
        setup.set("kernel_stacks", !args.sides.user_stacks_only)
    })?;
    let mut out = Output::new(args.common.json);
    let mut sums = Sums::<Key, u64>::default();
    let look = Look { addresses: args.common.verbose, offsets: false };
    let format = Format::of(&args.sides, look, args.interval.interval.is_some());
    let mut summary = Summary::new(StackMap::new(&skel.maps.stacks), &args.storage, format);
    let links = corescope::attach(&skel, &args.common)?;
    if !args.common.json {
        out.push(&args.sides.title("Counting processes as they are created", None));
    }
    summarize(&skel, links, &args.interval, out, |due, out| {
        if due == Due::Look {
            summary.look_ahead(&entries(Sums::<Key, u64>::all(&skel.maps.counts)?));
            return Ok(());
        }
        let mut rows = sums.take(&skel.maps.counts, |key, _| process_is_gone(key.pid))?;
        rows.sort_by_key(|(_, count)| *count);
        summary.print(out, &entries(rows), COLUMNS)
    })
}

fn entries(rows: Vec<(Key, u64)>) -> Vec<Entry<(Key, u64)>> {
    let entry = |(key, count): (Key, u64)| {
        let sides = vec![Side::kernel(key.kernel_stack, BEGIN), Side::user(key.pid, key.user_stack)];
        Entry { row: (key, count), id: key.pid, comm: key.comm, sides, value: count }
    };
    rows.into_iter().map(entry).collect()
}
