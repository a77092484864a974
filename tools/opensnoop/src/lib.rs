#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

mod open;
mod open_flags;

use std::mem::MaybeUninit;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use bpf::OpensnoopSkelBuilder;
use clap::Parser;
use corescope::cli::exec::Exec;
use corescope::object::filter::PinnedMaps;
use corescope::{Buffer, Common, Filter, Manual, Output, Table, cli, column, filter, interval, signals, users};
use open::{CALLS, COLUMNS, Open};
use open_flags::Wanted;

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || column::fields(COLUMNS) };

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Show the seconds since the start
    #[arg(short = 'T', long)]
    timestamp: bool,
    /// Show the user id
    #[arg(short = 'U', long)]
    print_uid: bool,
    /// Show only opens that failed
    #[arg(short = 'x', long)]
    failed: bool,
    /// Trace these processes only, separated by commas
    #[arg(short, long, value_delimiter = ',', value_parser = cli::id)]
    pid: Vec<u32>,
    /// Trace these threads only, separated by commas
    #[arg(short, long, value_delimiter = ',', value_parser = cli::id)]
    tid: Vec<u32>,
    /// Trace this user only, by name or id
    #[arg(short, long, value_name = "USER", value_parser = users::parse)]
    uid: Option<u32>,
    /// End after this many seconds
    #[arg(short, long, value_name = "SECONDS", value_parser = interval::seconds)]
    duration: Option<Duration>,
    /// Show only threads whose name contains this
    #[arg(short, long, allow_hyphen_values = true)]
    name: Option<String>,
    /// Show flags and mode
    #[arg(short, long, visible_alias = "extended_fields")]
    extended_fields: bool,
    /// Show only opens with this flag, as O_WRONLY; of several any will do
    #[arg(short = 'f', long = "flag_filter", value_name = "FLAG", value_parser = open_flags::wanted)]
    flag_filter: Vec<Wanted>,
    /// Show full paths, as seen from the process's root directory
    #[arg(short = 'F', long)]
    full_path: bool,
    /// Size of the event buffer in pages, instead of --buffer
    #[arg(short, long, value_name = "PAGES", value_parser = cli::count::<u32>, conflicts_with = "buffer")]
    buffer_pages: Option<u32>,
    #[command(flatten)]
    exec: Exec,
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
    let mut command = args.exec.start()?;
    let filter = Filter::new(&args.common).pids(&args.pid).tids(&args.tid).uid(args.uid);
    let filter = filter.maps(&args.maps).command(&command);
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(OpensnoopSkelBuilder::default(), &mut object, &args.common, |setup| {
        filter.apply(setup)?;
        args.buffer.of_pages(args.buffer_pages).apply(setup)?;
        setup.trace_calls(CALLS)?;
        setup.trace_uring(CALLS)?;
        setup.set("event_times", args.timestamp || args.common.json)?;
        setup.set("with_uid", args.print_uid || args.common.json)?;
        setup.set("failed_only", args.failed)?;
        setup.set("full_path", args.full_path)?;
        let (modes, sets) = open_flags::filter(&args.flag_filter);
        setup.set("access_modes", modes)?;
        setup.set("flag_sets", sets)
    })?;
    let mut out = Output::new(args.common.json);
    let table = Table::new(COLUMNS)
        .show("TIME(s)", args.timestamp)
        .show("UID", args.print_uid)
        .show("PID", args.tid.is_empty())
        .show("TID", !args.tid.is_empty())
        .show("FLAGS", args.extended_fields)
        .show("MODE", args.extended_fields);
    let links = corescope::attach(&skel, &args.common)?;
    if let Some(duration) = args.duration {
        signals::stop_after(duration)?;
    }
    table.header(&mut out);
    command.run()?;
    let mut open = Open::new(args.full_path);
    let name = args.name.as_deref().map(filter::thread_name).unwrap_or_default();
    corescope::stream(&skel, links, out, |record, out| {
        open.read(record);
        if contains(open.comm(), name) {
            table.row(out, &open);
        }
    })
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}
