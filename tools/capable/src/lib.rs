#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

mod check;

use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use bpf::CapableSkelBuilder;
use bpf::types::capable_unique as By;
use check::{COLUMNS, Check};
use clap::{Parser, ValueEnum};
use corescope::names::capability;
use corescope::object::filter::PinnedMaps;
use corescope::object::hooks;
use corescope::stream::stream_batches;
use corescope::{Buffer, Common, Filter, Manual, Output, Setup, Table, cli, column, event};
use corescope_symbols::{Batch, Frames, Symbols, event_stacks, fields::fields, print};

corescope::skeleton!();

const MANUAL: Manual =
    Manual { text: include_str!("../manual.md"), fields: || [column::fields(COLUMNS), fields()].concat() };

/// The cheapest first. Each tells everything of a check but the last one, which does not know the audit log.
const HOOKS: [&str; 3] = ["capable_exit", "capable_enter", TRACEPOINT];
const TRACEPOINT: &str = "capable_check";

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Include checks that are not for the audit log
    #[arg(short = 'v', long)]
    non_audit: bool,
    /// Trace these processes only, separated by commas
    #[arg(short, long, value_delimiter = ',', value_parser = cli::id)]
    pid: Vec<u32>,
    /// Show only checks of what the task does not have
    #[arg(long)]
    denied: bool,
    /// Show only checks for these capabilities, separated by commas, such as CAP_SYS_ADMIN, net_raw or 21
    #[arg(long, value_name = "CAPABILITY", value_delimiter = ',', value_parser = capability::parse)]
    cap: Vec<u32>,
    /// Show the kernel stack of each check
    #[arg(short = 'K', long)]
    kernel_stack: bool,
    /// Show the user stack of each check
    #[arg(short = 'U', long)]
    user_stack: bool,
    /// Show the thread id, and whether the check is for setting ids
    #[arg(short = 'x', long)]
    extra: bool,
    /// Print what a process (or a cgroup) has been seen to do only once
    #[arg(short, long, value_name = "WHOSE")]
    #[allow(clippy::option_option, reason = "clap's way of a value that may be left out")]
    unique: Option<Option<Unique>>,
    /// The same as --cgroup
    #[arg(short, value_name = "PATH", conflicts_with = "cgroup")]
    cgroup_path: Option<PathBuf>,
    /// Use this hook instead of the best one available
    #[arg(long, value_enum)]
    hook: Option<Hook>,
    #[command(flatten)]
    frames: Frames,
    /// Accepted and not needed: each event brings its stacks along
    #[arg(long, value_name = "COUNT")]
    stack_storage_size: Option<u32>,
    #[command(flatten)]
    maps: PinnedMaps,
    #[command(flatten)]
    buffer: Buffer,
    #[command(flatten)]
    common: Common,
}

/// Of what a line is printed only once.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Unique {
    Off,
    Pid,
    Cgroup,
}

/// Where the kernel is asked.
#[derive(Clone, Copy, ValueEnum)]
enum Hook {
    /// The exit of the kernel's function cap_capable()
    Fexit,
    /// Its entry, by a kprobe
    Kprobe,
    /// The tracepoint capability:cap_capable, which says nothing about the audit log
    Tracepoint,
}

/// Runs the tool with the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    cli::main(&MANUAL, run)
}

fn run(mut args: Args) -> Result<()> {
    args.common.cgroup = args.common.cgroup.or(args.cgroup_path.take());
    let filter = Filter::new(&args.common).pids(&args.pid).maps(&args.maps);
    let mut object = MaybeUninit::uninit();
    let mut chosen = "";
    let skel = corescope::load(CapableSkelBuilder::default(), &mut object, &args.common, |setup| {
        filter.apply(setup)?;
        args.frames.apply(setup, args.kernel_stack, args.user_stack)?;
        args.buffer.apply(setup)?;
        let wanted = args.hook.map_or(HOOKS.to_vec(), |hook| vec![hook.program()]);
        for hook in HOOKS {
            setup.load_if(hook, false)?;
        }
        chosen = hooks::choose(setup, &[&wanted])?[0];
        configure(&args, setup)
    })?;
    let mut out = Output::new(args.common.json);
    let table = Table::new(COLUMNS).show("TID", args.extra).show("INSETID", args.extra);
    let depth = args.frames.depth()?;
    let look = print::Look { delimited: false, addresses: args.common.verbose > 0, offsets: true };
    let mut batch = Batch::new(Symbols::new(args.frames.source_lines));
    let links = corescope::attach(&skel, &args.common)?;
    if chosen == TRACEPOINT && !args.non_audit {
        out.announce("AUDIT is not known by this kernel's tracepoint: all checks are shown.");
    }
    table.header(&mut out);
    stream_batches(&skel, links, out, |record, out| {
        let due = record.is_none_or(|record| {
            let (event, tail) = event::<Check>(record);
            let stacks = event_stacks(event.stacks.kernel_bytes, event.stacks.user_bytes, tail, depth);
            batch.push(*event, event.pid, stacks)
        });
        for (event, mut kernel, user) in due.then(|| batch.take()).into_iter().flatten() {
            kernel.begin_at("cap_capable");
            table.row_and(out, &event, |object| {
                print::json(object, "kernel_stack", &kernel);
                print::json(object, "user_stack", &user);
            });
            if !out.is_json() {
                print::text(out, &[kernel, user], look);
            }
            out.flush_if_full();
        }
    })
}

impl Hook {
    fn program(self) -> &'static str {
        match self {
            Self::Fexit => "capable_exit",
            Self::Kprobe => "capable_enter",
            Self::Tracepoint => TRACEPOINT,
        }
    }
}

/// Sets the constants, and what is loaded.
fn configure(args: &Args, setup: &mut Setup<'_>) -> Result<()> {
    // BCC's --unique goes by cgroup where a map of them is given.
    let unique = match args.unique {
        Some(None) if args.maps.cgroupmap.is_some() => Unique::Cgroup,
        Some(None) => Unique::Pid,
        Some(Some(unique)) => unique,
        None => Unique::Off,
    };
    let by = match unique {
        Unique::Off => By::CAPABLE_ALL,
        Unique::Pid => By::CAPABLE_BY_PID,
        Unique::Cgroup => By::CAPABLE_BY_CGROUP,
    };
    if unique == Unique::Off {
        setup.leave_out("seen")?;
    }
    setup.set("own_pid", std::process::id())?;
    setup.set("unique_by", by.0)?;
    setup.set("denied_only", args.denied)?;
    if !args.cap.is_empty() {
        setup.set("capabilities", args.cap.iter().fold(0u64, |set, capability| set | 1 << capability))?;
    }
    setup.set("audited_only", !args.non_audit)
}
