#![doc = include_str!("../manual.md")]

mod kill;

use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::OomkillSkelBuilder;
use clap::Parser;
use corescope::kernel;
use corescope::libbpf_rs::num_possible_cpus;
use corescope::manual::Manual;
use corescope::{Buffer, Common, Filter, Output, Table, cli, column, object};
use kill::{COLUMNS, Kill, MOST_BYTES};

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || column::fields(COLUMNS) };

#[derive(Parser)]
#[command(version, about)]
struct Args {
    #[command(flatten)]
    buffer: Buffer,
    #[command(flatten)]
    common: Common,
}

fn main() -> ExitCode {
    cli::main(&MANUAL, run)
}

fn run(args: Args) -> Result<()> {
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(OomkillSkelBuilder::default(), &mut object, &args.common, |object| {
        Filter::new(&args.common).apply(object)?;
        args.buffer.apply(object, MOST_BYTES)?;
        object::set(object, "mm_cpus", u32::try_from(num_possible_cpus()?)?)?;
        // Up to 6.8 the tracepoint had one argument, a number; what calls it knows the task.
        let has_task = object.types()?.tracepoint_arguments("mark_victim") != Some(1);
        object::set_autoload(object, "oomkill_marked", has_task);
        object::set_autoload(object, "oomkill_marking", !has_task);
        object::set_autoload(object, "oomkill_search", kernel::has_kprobes());
        Ok(())
    })?;
    let mut out = Output::new(args.common.json);
    let table = Table::new(COLUMNS);
    let links = corescope::attach(&skel, &args.common)?;
    table.header(&mut out);
    corescope::stream(&skel, links, out, |record, out| table.row(out, &Kill::new(record)))
}
