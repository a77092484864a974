#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

mod signal;

use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::SigsnoopSkelBuilder;
use bpf::types::signal_event as Event;
use clap::Parser;
use corescope::{Buffer, Common, Filter, Manual, Output, Table, cli, column, event, filter, kill};
use signal::{COLUMNS, Signal};

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || column::fields(COLUMNS) };

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Show only signals that were not simply delivered; with -k, calls that failed
    #[arg(short = 'x', long)]
    failed: bool,
    /// Show the system calls that send signals, as killsnoop does, and not the signals themselves
    #[arg(short, long, alias = "killed")]
    kill: bool,
    /// Show only signals that these processes send, separated by commas
    #[arg(short, long, value_delimiter = ',', value_parser = cli::id)]
    pid: Vec<u32>,
    /// Show only signals to this process
    #[arg(short = 'T', long, value_name = "PID", allow_negative_numbers = true)]
    tpid: Option<i32>,
    /// Show only signals to threads of exactly this name
    #[arg(long, value_name = "NAME", conflicts_with = "kill")]
    tcomm: Option<String>,
    /// Show only these signals, by number or name, separated by commas
    #[arg(short, long, value_name = "SIGNALS", value_delimiter = ',', value_parser = kill::parse_signal)]
    signal: Vec<u32>,
    /// Show signals and results by name
    #[arg(short, long)]
    name: bool,
    /// Show the code that says why a signal was made
    #[arg(long)]
    code: bool,
    /// Include the SIGCHLD that tells of a child; -s CHLD does as well
    #[arg(long)]
    chld: bool,
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
    let filter = Filter::new(&args.common).pids(&args.pid);
    let children = args.chld || args.signal.contains(&libc::SIGCHLD.unsigned_abs());
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(SigsnoopSkelBuilder::default(), &mut object, &args.common, |setup| {
        filter.apply(setup)?;
        args.buffer.apply(setup)?;
        kill::trace_calls(setup)?;
        kill::filter_signals(setup, &args.signal)?;
        setup.set("filter_by_tpid", args.tpid.is_some())?;
        setup.set("filter_tpid", args.tpid.unwrap_or(0))?;
        setup.set("filter_by_tcomm", args.tcomm.is_some())?;
        let tcomm = args.tcomm.as_deref().map(filter::thread_name).unwrap_or_default();
        setup.set("filter_tcomm", filter::comm_bytes(tcomm))?;
        setup.set("failed_only", args.failed)?;
        setup.set("with_children", children)?;
        setup.load_if("sigsnoop_generate", !args.kill)?;
        setup.load_if("sigsnoop_exit", args.kill)?;
        Ok(())
    })?;
    let mut out = Output::new(args.common.json);
    let table = Table::new(COLUMNS).show("CODE", args.code);
    let links = corescope::attach(&skel, &args.common)?;
    table.header(&mut out);
    corescope::stream(&skel, links, out, |record, out| {
        table.row(out, &Signal { event: *event::<Event>(record).0, names: args.name });
    })
}
