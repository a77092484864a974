#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

mod kill;

use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::OomkillSkelBuilder;
use clap::Parser;
use corescope::libbpf_rs::num_possible_cpus;
use corescope::object::hooks;
use corescope::{Buffer, Common, Filter, Manual, Output, Table, cli, column};
use kill::{COLUMNS, Kill};

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || column::fields(COLUMNS) };

/// Where a victim is marked.
const TRACEPOINT: &str = "oomkill_marked";
const FUNCTION: &str = "oomkill_marking";

#[derive(Parser)]
#[command(version, about)]
struct Args {
    #[command(flatten)]
    buffer: Buffer,
    #[command(flatten)]
    common: Common,
}

/// Runs the tool with the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    cli::main(&MANUAL, run)
}

fn run(args: Args) -> Result<()> {
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(OomkillSkelBuilder::default(), &mut object, &args.common, |setup| {
        Filter::new(&args.common).apply(setup)?;
        args.buffer.apply(setup)?;
        setup.set("mm_cpus", u32::try_from(num_possible_cpus()?)?)?;
        // Up to 6.8 the tracepoint had one argument, a number; what calls it knows the task.
        let has_task = setup.types()?.tracepoint_arguments("mark_victim") != Some(1);
        let (marked, other) = if has_task { (TRACEPOINT, FUNCTION) } else { (FUNCTION, TRACEPOINT) };
        setup.load_if(other, false)?;
        hooks::choose(setup, &[&[marked]])?;
        // Without it less is known of the cause.
        hooks::choose_any(setup, &["oomkill_search"])?;
        Ok(())
    })?;
    let mut out = Output::new(args.common.json);
    let table = Table::new(COLUMNS);
    let links = corescope::attach(&skel, &args.common)?;
    table.header(&mut out);
    corescope::stream(&skel, links, out, |record, out| table.row(out, &Kill::new(record)))
}
