#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

mod row;
mod watch;

use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::BiotopSkelBuilder;
use clap::{Parser, ValueEnum};
use corescope::disk::DiskOption;
use corescope::{Common, Filter, Lost, Manual, Output, cli, column};
use corescope_tui::{TopOptions, is_usable};
use row::COLUMNS;
use watch::Watch;

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || column::fields(COLUMNS) };

/// BCC's number of rows, of plain screens.
const ROWS: u32 = 20;
const ROWS_HELP: &str = "Print at most this many rows: 20 if not given, and all as JSON";

#[derive(Parser)]
#[command(version, about)]
#[command(mut_arg("rows", |argument| argument.alias("maxrows").help(ROWS_HELP)))]
struct Args {
    /// Show only requests that these processes made, separated by commas
    #[arg(short, long, value_delimiter = ',', value_parser = cli::id)]
    pid: Vec<u32>,
    /// What to sort by; all is the order of BCC's biotop, which is by bytes
    #[arg(short, long, value_enum, default_value = "all")]
    sort: Sort,
    #[command(flatten)]
    disk: DiskOption,
    #[command(flatten)]
    top: TopOptions,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Sort {
    All,
    Io,
    Bytes,
    Time,
}

impl Sort {
    fn header(self) -> &'static str {
        match self {
            Self::All | Self::Bytes => "BYTES/s",
            Self::Io => "IO/s",
            Self::Time => "QUEUE",
        }
    }
}

/// Runs the tool with the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    cli::main(&MANUAL, run)
}

fn run(mut args: Args) -> Result<()> {
    let filter = Filter::new(&args.common).pids(&args.pid);
    let plain = args.top.noclear || !is_usable();
    // BCC's columns have no cgroup: there the rows of several are one.
    let cgroups = args.common.json || !plain;
    if !args.common.json {
        args.top.rows = args.top.rows.or(Some(ROWS));
    }
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(BiotopSkelBuilder::default(), &mut object, &args.common, |setup| {
        filter.apply(setup)?;
        setup.trace_requests(args.disk.disk.as_ref())?;
        setup.trace_issuers("biotop", true, cgroups)?;
        setup.set("filtered", filter.is_any())
    })?;
    let _links = corescope::attach(&skel, &args.common)?;
    let mut watch = Watch::new(&skel.maps.sums);
    let mut rows = |span| watch.rows(span);
    row::top(args.sort.header()).run(&mut rows, &args.top, Lost::of(&skel)?, Output::new(args.common.json))
}
