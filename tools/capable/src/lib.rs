#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

mod check;

use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use bpf::CapableSkelBuilder;
use check::{COLUMNS, Check};
use clap::{Parser, ValueEnum};
use corescope::Manual;
use corescope::event;
use corescope::kernel::{has_kprobes, permits_fentry};
use corescope::object::filter::PinnedMaps;
use corescope::stream::stream_batches;
use corescope::{Buffer, Common, Filter, Output, Setup, Table, cli, column};
use corescope_symbols::{Batch, Frames, Symbols, event_stacks, print, summary};

corescope::skeleton!();

const MANUAL: Manual =
    Manual { text: include_str!("../manual.md"), fields: || [column::fields(COLUMNS), summary::fields()].concat() };

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Include checks that are not for the audit log
    #[arg(short = 'v', long)]
    non_audit: bool,
    /// Trace this process only
    #[arg(short, long, value_parser = clap::value_parser!(u32).range(1..))]
    pid: Option<u32>,
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
    /// Use this hook, and not the first of these that the kernel has
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

/// `enum capable_unique` of bpf/capable.bpf.c.
#[derive(Clone, Copy, ValueEnum)]
enum Unique {
    Off,
    Pid,
    Cgroup,
}

/// Where the kernel is asked.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
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
    let filter = Filter::new(&args.common).pid(args.pid).maps(&args.maps);
    let mut object = MaybeUninit::uninit();
    let mut hook = Hook::Fexit;
    let skel = corescope::load(CapableSkelBuilder::default(), &mut object, &args.common, |setup| {
        filter.apply(setup)?;
        args.frames.apply(setup, args.kernel_stack, args.user_stack)?;
        args.buffer.apply(setup)?;
        hook = choose(&args, setup)?;
        configure(&args, hook, setup)
    })?;
    let mut out = Output::new(args.common.json);
    let table = Table::new(COLUMNS).show("TID", args.extra).show("INSETID", args.extra);
    let depth = args.frames.depth()?;
    let look = print::Look { addresses: args.common.verbose, offsets: true };
    let mut batch = Batch::new(Symbols::new(args.frames.source_lines));
    let links = corescope::attach(&skel, &args.common)?;
    if hook == Hook::Tracepoint && !args.non_audit {
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
                print::text(out, &[kernel, user], false, look);
            }
            out.flush_if_full();
        }
    })
}

/// The cheapest hook that tells everything of each check, or what is left of them.
fn choose(args: &Args, setup: &mut Setup<'_>) -> Result<Hook> {
    match args.hook {
        Some(Hook::Kprobe) if !has_kprobes() => bail!("this kernel has no kprobes"),
        Some(hook) => Ok(hook),
        None if permits_fentry() && !(has_kprobes() && setup.types()?.preempts_tracepoints()) => Ok(Hook::Fexit),
        None if has_kprobes() => Ok(Hook::Kprobe),
        None if setup.types()?.has_type("btf_trace_cap_capable") => Ok(Hook::Tracepoint),
        None => bail!("this kernel has no tracepoint capability:cap_capable, and permits neither fexit nor kprobes"),
    }
}

/// Sets the constants, and what is loaded.
fn configure(args: &Args, hook: Hook, setup: &mut Setup<'_>) -> Result<()> {
    setup.load_if("capable_exit", hook == Hook::Fexit)?;
    setup.load_if("capable_enter", hook == Hook::Kprobe)?;
    setup.load_if("capable_check", hook == Hook::Tracepoint)?;
    // BCC's --unique goes by cgroup where a map of them is given.
    let unique = match args.unique {
        Some(None) if args.maps.cgroupmap.is_some() => Unique::Cgroup,
        Some(None) => Unique::Pid,
        Some(Some(unique)) => unique,
        None => Unique::Off,
    };
    if matches!(unique, Unique::Off) {
        setup.leave_out("seen")?;
    }
    setup.set("own_pid", std::process::id())?;
    setup.set("unique_by", unique as u32)?;
    setup.set("audited_only", !args.non_audit)
}
