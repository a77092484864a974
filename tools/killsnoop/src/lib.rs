#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::KillsnoopSkelBuilder;
use bpf::types::signal_event as Event;
use clap::Parser;
use corescope::syscalls::Abi;
use corescope::{
    Buffer, Column, Common, Filter, Manual, Output, Table, Value, cli, column, errno, event, kill, signal_name,
};

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || column::fields(COLUMNS) };

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Show only calls that failed
    #[arg(short = 'x', long)]
    failed: bool,
    /// Show only signals that these processes send, separated by commas
    #[arg(short, long, value_delimiter = ',', value_parser = cli::id)]
    pid: Vec<u32>,
    /// Show only signals to this process, or to what the call was given: 0, -1, -PGID
    #[arg(short = 'T', long, value_name = "PID", allow_negative_numbers = true)]
    tpid: Option<i32>,
    /// Show only these signals, by number or name, separated by commas
    #[arg(short, long, value_name = "SIGNALS", value_delimiter = ',', value_parser = kill::parse_signal)]
    signal: Vec<u32>,
    /// Show signals by name
    #[arg(short, long)]
    name: bool,
    #[command(flatten)]
    buffer: Buffer,
    #[command(flatten)]
    common: Common,
}

const COLUMNS: &[Column<Event>] = corescope::columns![Event;
    TIME as "TIME" left 9: "When the call returned" => |call| Value::Time(call.time_ns),
    PID: "Process that called" => |call| call.pid.into(),
    json TID: "Its thread that called" => |call| call.tid.into(),
    COMM: "Name of that thread" => |call| Value::c_string(&call.comm),
    json SYSCALL: "kill, tkill, tgkill, pidfd_send_signal, rt_sigqueueinfo or rt_tgsigqueueinfo" =>
        |call| kill::call(call.call).into(),
    json ABI => |call| Abi::of(call.compat != 0).name().into(),
    SIGNAL: "Number of the signal; 0 asks whether the target is there" => |call| call.signal.into(),
    text "SIGNAL" left 11: "The signal by name, with -n" => |call| kill::show_signal(call.signal, true).into(),
    json SIGNAL_NAME => |call| u32::try_from(call.signal).ok().and_then(signal_name).into(),
    TPID: "Process that it is for; as given if there is none or it is a group: 0, -1, -PGID" => tpid,
    json TTID => |call| Value::unless_zero(call.ttid),
    json TCOMM => |call| Value::unless_empty(&call.tcomm),
    RET as "RESULT" left 0: "0, or the error as a negative number" => |call| call.result.into(),
    json ERRNO => |call| errno::of(call.result).into(),
    json ERROR => |call| errno::name_of(call.result).into(),
];

fn tpid(call: &Event) -> Value<'_> {
    // A descriptor that is no pidfd stands for nobody.
    if call.call == kill::BY_PIDFD && call.tpid == 0 { Value::Missing } else { call.tpid.into() }
}

/// Runs the tool with the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    cli::main(&MANUAL, run)
}

fn run(args: Args) -> Result<()> {
    let filter = Filter::new(&args.common).pids(&args.pid);
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(KillsnoopSkelBuilder::default(), &mut object, &args.common, |setup| {
        filter.apply(setup)?;
        args.buffer.apply(setup)?;
        kill::trace_calls(setup)?;
        kill::filter_signals(setup, &args.signal)?;
        setup.set("filter_by_tpid", args.tpid.is_some())?;
        setup.set("filter_tpid", args.tpid.unwrap_or(0))?;
        setup.set("failed_only", args.failed)
    })?;
    let mut out = Output::new(args.common.json);
    let table = Table::new(COLUMNS).show("SIG", !args.name).show("SIGNAL", args.name);
    let links = corescope::attach(&skel, &args.common)?;
    table.header(&mut out);
    corescope::stream(&skel, links, out, |record, out| table.row(out, event::<Event>(record).0))
}
