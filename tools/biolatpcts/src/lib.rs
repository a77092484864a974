#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

mod print;

use std::mem::MaybeUninit;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use bpf::BiolatpctsSkelBuilder;
use bpf::types::{
    biolatpcts_from as From, biolatpcts_key as Key, biolatpcts_latencies as Latencies, request_kind as Kind,
};
use clap::{Parser, ValueEnum};
use corescope::disk::{self, Disk};
use corescope::interval::{Due, Interval, seconds};
use corescope::read::log_linear::SLOTS;
use corescope::read::sums::{Counters, Sums};
use corescope::{Common, Filter, Manual, Output, bail, cli, complain_of, summarize};
use print::Printer;

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: print::fields };
/// `DISKS` of the kernel side.
const DISKS: usize = 16;

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Disks, such as sda or nvme0n1; all of them, where none is named
    #[arg(value_name = "DEV", value_parser = whole_disk, num_args = 0..=DISKS)]
    devices: Vec<Disk>,
    /// Seconds between outputs
    #[arg(short, long, default_value = "3", value_name = "SECONDS", value_parser = seconds)]
    interval: Duration,
    /// From when on requests are timed
    #[arg(short, long, value_enum, default_value = "on-device")]
    which: Which,
    /// Percentiles, separated by commas
    #[arg(short, long, value_name = "PCTS", value_delimiter = ',', value_parser = percent)]
    #[arg(default_value = "1,5,10,16,25,50,75,84,90,95,99,100")]
    pcts: Vec<f64>,
    /// Print dictionaries as BCC's biolatpcts does, in seconds; --json has more
    #[arg(short = 'j', conflicts_with = "json")]
    bcc_json: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Which {
    /// From when a program waits for a request to be made
    FromRqAlloc,
    /// From when it was made
    AfterRqAlloc,
    /// From when the disk's driver got it
    OnDevice,
}

impl Which {
    fn number(self) -> u32 {
        match self {
            Self::FromRqAlloc => From::BIOLATPCTS_FROM_RQ_ALLOC.0,
            Self::AfterRqAlloc => From::BIOLATPCTS_AFTER_RQ_ALLOC.0,
            Self::OnDevice => From::BIOLATPCTS_ON_DEVICE.0,
        }
    }
}

fn whole_disk(name: &str) -> Result<Disk, String> {
    let disk = disk::parse(name)?;
    if disk.sectors.is_empty() { Ok(disk) } else { Err("this is a partition; name its disk".into()) }
}

fn percent(text: &str) -> Result<f64, String> {
    let percent = text.parse().ok().filter(|percent| (0.0..=100.0).contains(percent));
    percent.ok_or_else(|| "not a percentage (expected a number from 0 to 100, such as 99.9)".into())
}

/// What follows the counts is the disk's name.
impl Counters for Latencies {
    const COUNTED: usize = SLOTS;
}

/// Runs the tool with the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    cli::main(&MANUAL, run)
}

fn run(args: Args) -> Result<()> {
    let filter = Filter::new(&args.common);
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(BiolatpctsSkelBuilder::default(), &mut object, &args.common, |setup| {
        filter.apply(setup)?;
        setup.trace_requests(None)?;
        setup.trace_issuers("biolatpcts", filter.is_any(), false)?;
        if matches!(args.which, Which::FromRqAlloc) && !setup.types()?.has_field("request", "alloc_time_ns") {
            bail!("this kernel does not keep when requests were asked for (CONFIG_BLK_RQ_ALLOC_TIME)");
        }
        let mut disks = [0u32; DISKS];
        disks.iter_mut().zip(&args.devices).for_each(|(place, disk)| *place = disk.number);
        setup.set("disks", disks)?;
        setup.set("from", args.which.number())?;
        setup.set("filtered", filter.is_any())?;
        let count = if args.devices.is_empty() { disk::count() + 4 } else { args.devices.len() };
        setup.size("latencies", u32::try_from(count)? * Kind::REQUEST_KINDS.0)
    })?;
    let out = Output::new(args.common.json);
    let mut sums = Sums::<Key, Latencies>::default();
    let printer = Printer { percentiles: &args.pcts, as_bcc: args.bcc_json };
    let links = corescope::attach(&skel, &args.common)?;
    let interval = Interval { interval: Some(args.interval), count: None };
    summarize(&skel, links, &interval, out, |due, out| {
        if due == Due::Output {
            printer.print(out, sums.take(&skel.maps.latencies, |_, _| false)?);
        }
        Ok(())
    })?;
    let untimed = skel.maps.bss_data.as_ref().map_or(0, |counters| counters.untimed);
    complain_of(untimed, "requests whose start time the kernel did not keep, which are not counted");
    Ok(())
}
