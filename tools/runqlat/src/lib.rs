#![doc = include_str!("../manual.md")]

mod waits;

use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use bpf::RunqlatSkelBuilder;
use clap::Parser;
use corescope::Lost;
use corescope::Manual;
use corescope::column::{Field, Value};
use corescope::histogram::{self, Intervals, Scale};
use corescope::interval::Interval;
use corescope::json::Object;
use corescope::{Common, Filter, Output, cli, complain, escape, table};
use waits::{By, Reader, Waits};

corescope::skeleton!();

const MANUAL: Manual = Manual { text: include_str!("../manual.md"), fields };

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Print the time of day above each output
    #[arg(short = 'T', long)]
    timestamp: bool,
    /// Count in milliseconds instead of microseconds
    #[arg(short, long)]
    milliseconds: bool,
    /// Print a histogram for each process
    #[arg(short = 'P', long, group = "by")]
    pids: bool,
    /// Print a histogram for each thread
    #[arg(short = 'L', long, group = "by")]
    tids: bool,
    /// Print a histogram for each PID namespace
    #[arg(long, group = "by")]
    pidnss: bool,
    /// Trace this process only
    #[arg(short, long, value_parser = clap::value_parser!(u32).range(1..))]
    pid: Option<u32>,
    #[command(flatten)]
    interval: Interval,
    #[command(flatten)]
    common: Common,
}

impl Args {
    fn by(&self) -> By {
        match (self.pids, self.tids, self.pidnss) {
            (true, ..) => By::Pid,
            (_, true, _) => By::Tid,
            (.., true) => By::Pidns,
            _ => By::All,
        }
    }

    fn unit(&self) -> (&'static str, &'static str) {
        if self.milliseconds { ("msecs", "ms") } else { ("usecs", "us") }
    }
}

fn fields() -> Vec<Field> {
    let mut fields = vec![
        Field { header: "", key: "time", help: "End of the interval" },
        Field { header: "pid", key: "pid", help: "Process id, with -P" },
        Field { header: "tid", key: "tid", help: "Thread id, with -L" },
        Field { header: "pidns", key: "pidns", help: "Inode number of the PID namespace, with --pidnss" },
        Field { header: "", key: "comm", help: "Name of the process or thread, with -P or -L" },
        Field { header: "usecs, msecs", key: "", help: "Range of waiting times, both ends included" },
        Field { header: "", key: "sum_ns", help: "Sum of the waiting times" },
    ];
    fields.extend(histogram::FIELDS);
    fields
}

/// Runs the tool with the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    cli::main(&MANUAL, run)
}

fn run(args: Args) -> Result<()> {
    let filter = Filter::new(&args.common).pid(args.pid);
    let by = args.by();
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(RunqlatSkelBuilder::default(), &mut object, &args.common, |setup| {
        filter.apply(setup)?;
        setup.set("histogram_of", by as u32)?;
        setup.set("milliseconds", args.milliseconds)?;
        setup.size_per_cpu("cpus")?;
        if by == By::All {
            setup.size("ids", 1)?;
        }
        Ok(())
    })?;
    let links = corescope::attach(&skel, &args.common)?;
    let mut out = Output::new(args.common.json);
    out.announce("Tracing run queue latency... Hit Ctrl-C to end.");
    let mut lost = Lost::of(&skel)?;
    let mut reader = Reader { by, cpus: &skel.maps.cpus, ids: &skel.maps.ids, intervals: Intervals::default() };
    args.interval.every(|| {
        out.clock.resync();
        print(&args, &reader.next()?, &mut out);
        lost.report(&mut out);
        out.flush()
    })?;
    drop(links);
    let cut_short = skel.maps.bss_data.as_ref().map_or(0, |counters| counters.cut_short);
    if cut_short > 0 {
        complain(&format!(
            "{cut_short} waits went on on another CPU and count from there: this kernel lacks CONFIG_SCHEDSTATS"
        ));
    }
    Ok(())
}

fn print(args: &Args, all: &[Waits], out: &mut Output) {
    let now = Value::Time(out.clock.now_ns());
    let (header, unit) = args.unit();
    if out.is_json() {
        for waits in all {
            let mut object = Object::new(&mut out.buffer);
            table::push_json(object.key("time"), &mut out.clock, &now);
            if args.by() != By::All {
                object.number(args.by().key(), waits.id);
            }
            if matches!(args.by(), By::Pid | By::Tid) {
                object.text("comm", escape::c_string(&waits.comm));
            }
            waits.histogram.json(&mut object, Scale::Log2, "sum_ns", unit);
            object.end();
            out.end_line();
        }
        return;
    }
    out.end_line();
    if args.timestamp {
        table::push_text(&mut out.buffer, &mut out.clock, &now);
        out.end_line();
    }
    for waits in all {
        if args.by() != By::All {
            out.push(&format!("\n{} = {}", args.by().key(), waits.id));
            if !escape::c_string(&waits.comm).is_empty() {
                out.push(" ");
                escape::push(&mut out.buffer, escape::c_string(&waits.comm));
            }
            out.end_line();
        }
        waits.histogram.print(out, Scale::Log2, header);
    }
}
