#![cfg_attr(not(doctest), doc = include_str!("../manual.md"))]

mod device;
mod print;
mod row;

use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::NetqtopSkelBuilder;
use bpf::types::{netqtop_key as Key, netqtop_sum as Sum};
use clap::Parser;
use corescope::interval::{Due, Lasting};
use corescope::net::netns;
use corescope::read::sums::Sums;
use corescope::{Common, Context, Filter, Manual, Output, cli, summarize};
use print::Printer;

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields: row::fields };

#[derive(Parser)]
#[command(version, about)]
#[command(mut_arg("interval", |argument| argument.default_value("1").help("Seconds between outputs")))]
struct Args {
    /// Show this network device only
    #[arg(short, long, value_name = "DEVICE", value_parser = device::name)]
    name: Option<String>,
    /// Show bytes and packets per second
    #[arg(short, long)]
    throughput: bool,
    /// Look in this network namespace, not in the tool's own: inode number of /proc/PID/ns/net
    #[arg(long, value_name = "INODE", value_parser = cli::count::<u32>)]
    netns: Option<u32>,
    #[command(flatten)]
    lasting: Lasting,
    #[command(flatten)]
    common: Common,
}

/// Runs the tool with the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    cli::main(&MANUAL, run)
}

fn run(args: Args) -> Result<()> {
    let netns = args.netns.map_or_else(netns::own, Ok).context("cannot determine this process's network namespace")?;
    args.netns.inspect(|netns| netns::complain_if_empty(*netns));
    if let Some(name) = &args.name {
        device::must_be_there(name, netns)?;
    }
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(NetqtopSkelBuilder::default(), &mut object, &args.common, |setup| {
        Filter::new(&args.common).apply(setup)?;
        // Whose a packet is that was just received is not known yet.
        setup.load_if("netqtop_receive", args.common.cgroup.is_none())?;
        let (name, bits) = device::bytes(args.name.as_deref().unwrap_or_default());
        setup.set("by_name", args.name.is_some())?;
        setup.set("only_name", name)?;
        setup.set("only_name_bits", bits)?;
        setup.set("only_netns", netns)
    })?;
    let out = Output::new(args.common.json);
    let mut sums = Sums::<Key, Sum>::default();
    let links = corescope::attach(&skel, &args.common)?;
    let receives = args.common.cgroup.is_none();
    let mut printer = Printer::new(args.name, netns, args.throughput, receives, out.clock.now_ns());
    summarize(&skel, links, &args.lasting.interval(), out, |due, out| {
        if due == Due::Output {
            printer.print(out, sums.take(&skel.maps.sums, |_, _| false)?);
        }
        Ok(())
    })
}
