#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

mod exec;

use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::ExecsnoopSkelBuilder;
use clap::Parser;
use corescope::object::filter::PinnedMaps;
use corescope::table::text;
use corescope::{Buffer, Common, Filter, Manual, Output, Table, cli, column, users};
use exec::{COLUMNS, Exec};
use regex_lite::Regex;

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || column::fields(COLUMNS) };
/// What can be kept of the arguments at most.
const MOST_BYTES: u64 = bpf::types::execsnoop_bytes::EXECSNOOP_MOST.0 as u64;

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Show the time of day
    #[arg(short = 'T', long)]
    time: bool,
    /// Show the seconds since the start
    #[arg(short = 't', long)]
    timestamp: bool,
    /// Include execs that failed
    #[arg(short = 'x', long)]
    fails: bool,
    /// Trace this user only, by name or id
    #[arg(short, long, value_name = "USER", value_parser = users::parse)]
    uid: Option<u32>,
    /// Put each argument in double quotes
    #[arg(short, long)]
    quote: bool,
    /// Print only programs of which the name or the file's name matches this regular expression
    #[arg(short, long, allow_hyphen_values = true)]
    name: Option<Regex>,
    /// Print only command lines, as they are printed, that match this regular expression
    #[arg(short, long, allow_hyphen_values = true)]
    line: Option<Regex>,
    /// Show the user id
    #[arg(short = 'U', long)]
    print_uid: bool,
    /// Show the CPU
    #[arg(short = 'C', long)]
    cpu: bool,
    /// Show the name of the parent
    #[arg(short = 'M', long)]
    pcomm: bool,
    /// Show the file that the kernel executes: of a script its interpreter
    #[arg(long)]
    exe: bool,
    /// Show the current directory
    #[arg(long)]
    cwd: bool,
    /// Trace only children of this process
    #[arg(short = 'P', long, value_name = "PID", value_parser = cli::id)]
    ppid: Option<u32>,
    /// Print at most this many arguments
    #[arg(long, value_name = "COUNT", default_value = "20", value_parser = cli::count::<u32>)]
    max_args: u32,
    /// Keep at most this many bytes of the arguments, with K or M, up to 2M: the kernel's own limit by default
    #[arg(long, value_name = "SIZE", default_value = "8K", value_parser = corescope::object::buffer::size)]
    max_bytes: u64,
    #[command(flatten)]
    maps: PinnedMaps,
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
    let filter = Filter::new(&args.common).uid(args.uid).ppid(args.ppid).maps(&args.maps);
    let max_bytes = args.max_bytes.min(MOST_BYTES);
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(ExecsnoopSkelBuilder::default(), &mut object, &args.common, |setup| {
        filter.apply(setup)?;
        args.buffer.apply_for(setup, max_bytes)?;
        setup.set("max_args", args.max_args)?;
        setup.set("max_bytes", u32::try_from(max_bytes)?)?;
        setup.set("with_exe", args.exe || args.common.json)?;
        setup.set("with_cwd", args.cwd || args.common.json)?;
        setup.load_if("execsnoop_failed", args.fails)?;
        setup.trace_calls(exec::CALLS)
    })?;
    let mut out = Output::new(args.common.json);
    let table = Table::new(COLUMNS)
        .show("TIME", args.time)
        .show("TIME(s)", args.timestamp)
        .show("UID", args.print_uid)
        .show("CPU", args.cpu)
        .show("PARENT", args.pcomm)
        .show("EXE", args.exe)
        .show("CWD", args.cwd);
    let links = corescope::attach(&skel, &args.common)?;
    table.header(&mut out);
    let max_args = usize::try_from(args.max_args)?;
    corescope::stream(&skel, links, out, |record, out| {
        let exec = Exec::new(record, max_args, args.quote);
        let named = |pattern: &Regex| exec.names().iter().any(|name| pattern.is_match(&String::from_utf8_lossy(name)));
        let written = |pattern: &Regex| pattern.is_match(&text(&exec.line(), &mut out.clock));
        if args.name.as_ref().is_none_or(named) && args.line.as_ref().is_none_or(written) {
            table.row(out, &exec);
        }
    })
}
