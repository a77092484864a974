#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

mod counts;
mod list;

use std::cmp::Reverse;
use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::SyscountSkelBuilder;
use bpf::types::syscount_call as Call;
use clap::Parser;
use corescope::cli::exec::Exec;
use corescope::column::{Column, Value};
use corescope::interval::{Due, Lasting};
use corescope::syscalls::{self, Abi};
use corescope::{Common, Filter, Manual, Output, Setup, Starts, Table, cli, column, errno, summarize};
use counts::{Place, Reader, Row};

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || column::fields(COLUMNS) };

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Trace these processes only, separated by commas
    #[arg(short, long, value_delimiter = ',', value_parser = cli::id)]
    pid: Vec<u32>,
    /// Trace these threads only, separated by commas
    #[arg(short, long, value_delimiter = ',', value_parser = cli::id)]
    tid: Vec<u32>,
    /// Trace only the children of this process
    #[arg(short = 'c', long, value_name = "PID", value_parser = cli::id)]
    ppid: Option<u32>,
    #[command(flatten)]
    lasting: Lasting,
    /// Show the top N rows, by number of calls (by time with -L)
    #[arg(short = 'T', long, value_name = "N", default_value = "10", value_parser = cli::whole::<usize>)]
    top: usize,
    /// Count only calls that failed
    #[arg(short = 'x', long)]
    failures: bool,
    /// Count only calls that failed with this error, by name or number
    #[arg(short, long, value_parser = errno::parse)]
    errno: Option<u32>,
    /// Measure how long the calls take
    #[arg(short = 'L', long)]
    latency: bool,
    /// With -L, print milliseconds instead of microseconds
    #[arg(short, long)]
    milliseconds: bool,
    /// Count by process instead of by system call
    #[arg(short = 'P', long)]
    process: bool,
    /// Count this system call only
    #[arg(long, value_name = "NAME", value_parser = places)]
    syscall: Option<Places>,
    /// Print the names of all system calls that --syscall knows, and end
    #[arg(short, long)]
    list: bool,
    #[command(flatten)]
    exec: Exec,
    #[command(flatten)]
    common: Common,
}

const COLUMNS: &[Column<Row>] = corescope::columns![Row;
    json TIME: "End of the interval" => |row| Value::Time(row.time_ns),
    text SYSCALL as "SYSCALL" left 22: "Name of the system call; its number if the name is not known" =>
        |row| row.place.text().into(),
    json SYSCALL: "Name of the system call; null if it is not known or with -P" => |row| row.place.name().into(),
    json ABI: "Who called: native, or compat for 32-bit programs; null with -P" => |row| row.place.abi().into(),
    json "syscall_number" number: "Number of the system call; null with -P" => |row| row.place.number().into(),
    PID as "PID" left 6: "Process id, with -P" => |row| Value::unless_zero(row.pid),
    COMM as "COMM" left 15: "Process name, with -P" => |row| Value::unless_empty(&row.comm),
    COUNT: "Number of calls" => |row| row.count.calls.into(),
    json "errors" number: "How many of them failed" => |row| row.count.errors.into(),
    TOTAL as "TIME (us)" right 16: "Time that they took, with -L; -m prints it in milliseconds" => |row| row.time(1_000, 3),
    text "TIME (ms)" right 16: "The same in milliseconds" => |row| row.time(1_000_000, 6),
];

/// Runs the tool with the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    cli::main(&MANUAL, run)
}

fn run(args: Args) -> Result<()> {
    let mut out = Output::new(args.common.json);
    if args.list {
        list::print(&mut out);
        return out.flush();
    }
    let mut command = args.exec.start()?;
    let filter = Filter::new(&args.common).pids(&args.pid).tids(&args.tid).ppid(args.ppid).command(&command);
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(SyscountSkelBuilder::default(), &mut object, &args.common, |setup| {
        filter.apply(setup)?;
        configure(&args, setup)
    })?;
    let links = corescope::attach(&skel, &args.common)?;
    let failed = if args.failures || args.errno.is_some() { "failed " } else { "" };
    out.announce(&format!("Tracing {failed}syscalls, printing top {}... Ctrl+C to quit.", args.top));
    let mut reader = Reader::new(&skel.maps.cpus, args.process.then_some(&skel.maps.processes), args.latency);
    command.run()?;
    summarize(&skel, links, &args.lasting.interval(), out, |due, out| {
        if due == Due::Look {
            return reader.make_room();
        }
        print(&args, reader.next(out.clock.now_ns())?, out);
        Ok(())
    })
}

/// Where calls of one name are counted, of 64-bit and of 32-bit callers.
type Places = [Option<u32>; 2];

fn places(name: &str) -> Result<Places, String> {
    let places = [Abi::Native, Abi::Compat].map(|abi| Place::named(abi, name));
    if places == [None, None] { Err("no such system call; -l prints all of them".into()) } else { Ok(places) }
}

fn configure(args: &Args, setup: &mut Setup<'_>) -> Result<()> {
    let (forks, execs, exits) = (Call::SYSCOUNT_FORKS.0, Call::SYSCOUNT_EXECS.0, Call::SYSCOUNT_EXITS.0);
    let special = ["fork", "vfork", "clone", "clone3"].map(|name| (name, forks)).into_iter();
    let special = special.chain([("execve", execs), ("execveat", execs), ("exit", exits), ("exit_group", exits)]);
    setup.trace_calls(&special.collect::<Vec<_>>())?;
    setup.set("sigreturn_native", Place::named(Abi::Native, "rt_sigreturn").unwrap_or(u32::MAX))?;
    setup.set("sigreturn_compat", Place::named(Abi::Compat, "rt_sigreturn").unwrap_or(u32::MAX))?;
    setup.set("restart_native", syscalls::number(Abi::Native, "restart_syscall").unwrap_or(u32::MAX))?;
    setup.set("restart_compat", syscalls::number(Abi::Compat, "restart_syscall").unwrap_or(u32::MAX))?;
    let [native, compat] = args.syscall.unwrap_or_default().map(|place| place.unwrap_or(u32::MAX));
    setup.set("one_call", args.syscall.is_some())?;
    setup.set("only_native", native)?;
    setup.set("only_compat", compat)?;
    setup.set("failed_only", args.failures)?;
    setup.set("only_error", args.errno.unwrap_or(0))?;
    setup.set("by_process", args.process)?;
    setup.set("latency", args.latency)?;
    setup.load_if("syscount_enter", args.latency)?;
    setup.size_per_cpu("cpus")?;
    if !args.process {
        setup.size("processes", 1)?;
    }
    setup.keep_starts(if args.latency { Starts::OfCalls } else { Starts::None })
}

fn print(args: &Args, mut rows: Vec<Row>, out: &mut Output) {
    rows.sort_by_key(|row| Reverse(row.amount()));
    let table = Table::new(COLUMNS)
        .show("SYSCALL", !args.process)
        .show("PID", args.process)
        .show("COMM", args.process)
        .show("TIME (us)", args.latency && !args.milliseconds)
        .show("TIME (ms)", args.latency && args.milliseconds);
    if !out.is_json() {
        let line = format!("[{}]\n", out.clock.hms(out.clock.now_ns()));
        out.push(&line);
    }
    table.page(out, rows.iter().take(args.top));
    if !out.is_json() {
        out.end_line();
    }
}
