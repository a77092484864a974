#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

mod book;
mod row;
mod watch;

use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::TcptopSkelBuilder;
use clap::{Parser, ValueEnum};
use corescope::object::filter::PinnedMaps;
use corescope::{Buffer, Common, Filter, Lost, Manual, Output, cli, column};
use corescope_tui::TopOptions;
use row::{COLUMNS, Choice};
use watch::Watch;

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: || column::fields(COLUMNS) };

#[derive(Parser)]
#[command(version, about)]
// At 30,000 connections a second the default of other tools is too small while a long screen is printed.
#[command(mut_arg("buffer", |argument| argument.default_value("2M")))]
#[command(mut_arg("cgroup", |argument| argument.short('c')))]
struct Args {
    /// Show only connections of these processes, separated by commas
    #[arg(short, long, value_delimiter = ',', value_parser = cli::id)]
    pid: Vec<u32>,
    /// Show only IPv4
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    ipv4: bool,
    /// Show only IPv6
    #[arg(short = '6', long)]
    ipv6: bool,
    /// What to sort by
    #[arg(short, long, value_enum, default_value = "all")]
    sort: Sort,
    #[command(flatten)]
    top: TopOptions,
    #[command(flatten)]
    maps: PinnedMaps,
    #[command(flatten)]
    buffer: Buffer,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Sort {
    All,
    Sent,
    Received,
}

impl Sort {
    fn header(self) -> &'static str {
        match self {
            Self::All => "SUM/s",
            Self::Sent => "TX/s",
            Self::Received => "RX/s",
        }
    }
}

/// Runs the tool with the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    cli::main(&MANUAL, run)
}

fn run(args: Args) -> Result<()> {
    let filter = Filter::new(&args.common).pids(&args.pid).maps(&args.maps);
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(TcptopSkelBuilder::default(), &mut object, &args.common, |setup| {
        filter.apply(setup)?;
        args.buffer.apply(setup)
    })?;
    let mut watch = Watch::new(&skel, args.choice(), args.common.verbose > 0)?;
    let _links = corescope::attach(&skel, &args.common)?;
    // Connections that began since the first look, whose begin nobody saw.
    watch.look(true)?;
    row::top(args.sort.header()).run(&mut watch, &args.top, Lost::of(&skel)?, Output::new(args.common.json))
}

impl Args {
    fn choice(&self) -> Choice {
        let maps = self.maps.cgroupmap.is_some() || self.maps.mntnsmap.is_some();
        let owned_only = !self.pid.is_empty() || self.common.cgroup.is_some() || maps;
        Choice { ipv4_only: self.ipv4, ipv6_only: self.ipv6, owned_only }
    }
}
