#![doc = include_str!("../manual.md")]

mod counts;
mod list;

use std::mem::MaybeUninit;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use bpf::SyscountSkelBuilder;
use clap::Parser;
use corescope::Lost;
use corescope::Manual;
use corescope::cli::Usage;
use corescope::cli::exec::Exec;
use corescope::column::{Column, Field, Value};
use corescope::interval::{Due, every_watching, seconds};
use corescope::syscalls::Abi;
use corescope::{Common, Filter, Output, Setup, Table, cli, column, errno};
use counts::{Place, Reader, Row};

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields };

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Trace this process only
    #[arg(short, long, value_parser = clap::value_parser!(u32).range(1..))]
    pid: Option<u32>,
    /// Trace this thread only
    #[arg(short, long, value_parser = clap::value_parser!(u32).range(1..))]
    tid: Option<u32>,
    /// Trace only the children of this process
    #[arg(short = 'c', long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    ppid: Option<u32>,
    /// Seconds between outputs; without it, one output at the end
    #[arg(short, long, value_parser = seconds)]
    interval: Option<Duration>,
    /// Seconds to trace for
    #[arg(short, long, value_parser = seconds)]
    duration: Option<Duration>,
    /// Rows in an output: those of the most calls, with -L of the most time
    #[arg(short = 'T', long, default_value_t = 10)]
    top: usize,
    /// Count only calls that failed
    #[arg(short = 'x', long)]
    failures: bool,
    /// Count only calls that failed with this error, by name or number
    #[arg(short, long, value_parser = error)]
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
    #[arg(long, value_name = "NAME")]
    syscall: Option<String>,
    /// Print the names of all system calls that --syscall knows, and end
    #[arg(short, long)]
    list: bool,
    #[command(flatten)]
    exec: Exec,
    #[command(flatten)]
    common: Common,
}

const CALLS: &[Column<Row>] = corescope::columns![Row;
    "", left 1, "time", "End of the interval" => |row| Value::Time(row.time_ns),
    "SYSCALL", left 22, "", "Name of the system call; its number, where the name is not known" =>
        |row| row.place.text().into(),
    "", left 1, "syscall", "The same, null where it is not known; not with -P" => |row| row.place.name(),
    "", left 1, "abi", "Who calls: native, or compat for 32-bit programs; not with -P" => |row| row.place.abi(),
    "", left 1, "number", "Number of the system call; not with -P" => |row| row.place.number(),
    "COUNT", right 8, "count", "Number of calls" => |row| row.count.calls.into(),
    "", left 1, "errors", "How many of them failed" => |row| row.count.errors.into(),
    "TIME (us)", right 16, "total_ns", "Time that they took, with -L; -m prints it in milliseconds" => |row| time(row, 1_000, 3),
    "TIME (ms)", right 16, "", "" => |row| time(row, 1_000_000, 6),
];

const PROCESSES: &[Column<Row>] = corescope::columns![Row;
    "", left 1, "time", "End of the interval" => |row| Value::Time(row.time_ns),
    "PID", left 6, "pid", "Process id, with -P" => |row| row.pid.into(),
    "COMM", left 15, "comm", "Process name, with -P" => |row| Value::c_string(&row.comm),
    "COUNT", right 8, "count", "Number of calls" => |row| row.count.calls.into(),
    "", left 1, "errors", "How many of them failed" => |row| row.count.errors.into(),
    "TIME (us)", right 16, "total_ns", "Time that they took" => |row| time(row, 1_000, 3),
    "TIME (ms)", right 16, "", "" => |row| time(row, 1_000_000, 6),
];

fn time(row: &Row, per: u64, decimals: usize) -> Value<'_> {
    row.count.total_ns.map_or(Value::Missing, |raw| Value::Scaled { raw, per, decimals })
}

fn fields() -> Vec<Field> {
    let mut fields = column::fields(CALLS);
    let of_processes = column::fields(PROCESSES);
    fields.splice(1..1, of_processes.into_iter().filter(|field| matches!(field.key, "pid" | "comm")));
    fields.retain(|field| !field.help.is_empty());
    fields
}

fn error(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().or_else(|| errno::number(&text.to_uppercase()));
    let number = number.and_then(|number| u32::try_from(number).ok());
    number.filter(|number| (1..4096).contains(number)).ok_or_else(|| "not an error, as ENOENT or 2".into())
}

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
    let only = args.syscall.as_deref().map(places).transpose()?;
    let mut command = args.exec.start()?;
    let filter = Filter::new(&args.common).pid(args.pid).tid(args.tid).ppid(args.ppid).command(&command);
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(SyscountSkelBuilder::default(), &mut object, &args.common, |setup| {
        filter.apply(setup)?;
        configure(&args, only, setup)
    })?;
    let links = corescope::attach(&skel, &args.common)?;
    let failed = if args.failures || args.errno.is_some() { "failed " } else { "" };
    out.announce(&format!("Tracing {failed}syscalls, printing top {}... Ctrl+C to quit.", args.top));
    let mut lost = Lost::of(&skel)?;
    let mut reader = Reader::new(&skel.maps.cpus, args.process.then_some(&skel.maps.processes), args.latency);
    command.run()?;
    let (interval, count) = schedule(&args);
    every_watching(interval, count, Duration::from_secs(1), |due| {
        if due == Due::Look {
            return reader.make_room();
        }
        out.clock.resync();
        print(&args, reader.next(out.clock.now_ns())?, &mut out);
        lost.report(&mut out);
        out.flush()
    })?;
    drop(links);
    Ok(())
}

/// Where calls of this name are counted, of 64-bit and of 32-bit callers.
fn places(name: &str) -> Result<[Option<u32>; 2]> {
    let places = [Abi::Native, Abi::Compat].map(|abi| Place::named(abi, name));
    if places == [None, None] {
        return Err(Usage(format!("there is no system call {name}; -l prints all of them")).into());
    }
    Ok(places)
}

fn configure(args: &Args, only: Option<[Option<u32>; 2]>, setup: &mut Setup<'_>) -> Result<()> {
    use bpf::types::syscount_call as call;
    let (forks, execs, exits) = (call::SYSCOUNT_FORKS.0, call::SYSCOUNT_EXECS.0, call::SYSCOUNT_EXITS.0);
    let special = [
        ("fork", forks),
        ("vfork", forks),
        ("clone", forks),
        ("clone3", forks),
        ("execve", execs),
        ("execveat", execs),
        ("exit", exits),
        ("exit_group", exits),
    ];
    setup.trace_calls(&special)?;
    for (abi, place) in [(Abi::Native, "sigreturn_native"), (Abi::Compat, "sigreturn_compat")] {
        setup.set(place, Place::named(abi, "rt_sigreturn").unwrap_or(0))?;
    }
    if let Some([native, compat]) = only {
        setup.set("one_call", true)?;
        for (name, place) in [("only_native", native), ("only_compat", compat)] {
            setup.set(name, place.unwrap_or(u32::MAX))?;
        }
    }
    setup.set("failed_only", args.failures)?;
    setup.set("only_error", args.errno.unwrap_or(0))?;
    setup.set("by_process", args.process)?;
    setup.set("latency", args.latency)?;
    setup.load_if("syscount_enter", args.latency)?;
    setup.size_per_cpu("cpus")?;
    for (map, used) in [("processes", args.process), ("starts", args.latency)] {
        if !used {
            setup.size(map, 1)?;
        }
    }
    Ok(())
}

/// The interval and the number of outputs: of -d alone one, at its end.
fn schedule(args: &Args) -> (Option<Duration>, Option<u64>) {
    let interval = args.interval.or(args.duration);
    let count = args.duration.zip(interval).map(|(duration, interval)| {
        u64::try_from(duration.as_nanos().div_ceil(interval.as_nanos())).unwrap_or(u64::MAX)
    });
    (interval, count)
}

fn print(args: &Args, mut rows: Vec<Row>, out: &mut Output) {
    rows.sort_by_key(|row| std::cmp::Reverse(row.count.total_ns.unwrap_or(row.count.calls)));
    let table = Table::new(if args.process { PROCESSES } else { CALLS })
        .show("TIME (us)", args.latency && !args.milliseconds)
        .show("TIME (ms)", args.latency && args.milliseconds);
    let now = out.clock.now_ns();
    if !out.is_json() {
        let line = format!("[{}]\n", out.clock.hms(now));
        out.push(&line);
    }
    table.header(out);
    for row in rows.iter().take(args.top) {
        table.row(out, row);
    }
    if !out.is_json() {
        out.end_line();
    }
}
