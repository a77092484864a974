//! How many instructions each BPF program takes per run, corescope's and those of the tools of the same name elsewhere:
//! see scripts/instructions, which runs this where a nanosecond is an instruction.
//!
//! First come the programs that others are compared with, as those of a tool `yardstick`.
//!
//! A line per program: tool, whose (corescope or peer), program, runs per operation, instructions per run. No runs per
//! operation: it is run by time.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use corescope_testing::cost::{Counting, Meter, Reading, Watcher, Work};
use corescope_testing::kernels::working;
use corescope_testing::tool::binary;
use libbpf_rs::ObjectBuilder;

/// Enough that most are disturbed by nothing: no timer, no reader that wakes up, nothing that is done for the first time.
/// The median round is such a one. Slow work gets fewer, down to the least.
const ROUNDS: usize = 60;
const LEAST: usize = 20;
/// The most operations of a round: short rounds, of which few meet the timer.
const TIMES: u32 = 20;
/// Then some with a time for what the kernel does later (RCU), which disturbs all else.
const LATE_ROUNDS: usize = 5;
const LATE: Duration = Duration::from_millis(100);
/// The time after which corescope's tools print, and how often it is waited for.
const INTERVAL: Duration = Duration::from_secs(1);
const INTERVALS: usize = 3;

fn main() {
    let _counting = Counting::start();
    yardstick();
    for tool in working() {
        let ours = Measured::of_process(tool, &mut Command::new(binary(tool)));
        let ours = ours.unwrap_or_else(|| panic!("{tool} does not come up"));
        let cost = |program| ours.by_work(program).or_else(|| ours.by_time(program));
        let costs: Vec<_> = (0..ours.names.len()).map(cost).collect();
        assert!(
            costs.iter().any(Option::is_some),
            "no program of {tool} ran: its Cargo.toml names no work that runs them"
        );
        for (program, cost) in costs.into_iter().enumerate() {
            ours.print("corescope", program, cost);
        }
        // A peer's programs are run by what they trace, all of them.
        let peer = Path::new("/usr/sbin").join(tool);
        if peer.exists()
            && let Some(peer) = Measured::of_process(tool, &mut Command::new(peer))
        {
            for program in 0..peer.names.len() {
                peer.print("peer", program, peer.by_work(program));
            }
        }
    }
}

/// What programs of tools that count are compared with, bpf/yardstick.bpf.c: each alone, attached by this process.
fn yardstick() {
    const OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/yardstick.o"));
    let open = || ObjectBuilder::default().open_memory(OBJECT).expect("an object");
    let names: Vec<_> = open().progs().map(|program| program.name().to_owned()).collect();
    for name in names {
        let mut open = open();
        open.progs_mut().for_each(|mut program| program.set_autoload(program.name() == name));
        let object = open.load().expect("it loads");
        let program = object.progs_mut().find(|program| program.name() == name).expect("it is there");
        let _link = program.attach().expect("it attaches");
        let measured = Measured::of("yardstick", Work::named("ping_pong"), &Meter::of(std::process::id()));
        measured.print("corescope", 0, measured.by_work(0));
    }
}

/// Readings of a tool's programs.
struct Measured {
    tool: String,
    names: Vec<String>,
    /// Operations in a round.
    times: u32,
    /// The end of each round and the begin of the next: all programs twice.
    rounds: Vec<Reading>,
    /// All programs, some time after each round.
    late: Vec<Reading>,
    /// All programs, once an interval, while nothing was done.
    intervals: Vec<Reading>,
}

impl Measured {
    /// Nothing where the tool does not come up.
    fn of_process(tool: &str, command: &mut Command) -> Option<Self> {
        // Where nothing says the time zone, the C library looks for it at each event, which tools see and print.
        let command = command.env("TZ", "UTC0").stdout(Stdio::null()).stderr(Stdio::null());
        let watcher = Watcher::start(command)?;
        Some(Self::of(tool, Work::of(tool), &Meter::of(watcher.pid())))
    }

    /// While the tool's work is done.
    fn of(tool: &str, work: Work, meter: &Meter) -> Self {
        let names = meter.names();

        // Processes that begin and end meet the timer in any case.
        let times = (work.times() / 5_000).clamp(1, TIMES);

        let count = usize::try_from(work.times()).map_or(ROUNDS, |times| times.clamp(LEAST, ROUNDS));

        let mut rounds = Vec::with_capacity((count + 1) * 2 * names.len());
        work.rounds(count, times, || {
            meter.read(&mut rounds);
            meter.read(&mut rounds);
        });
        let mut late = Vec::new();
        work.rounds(LATE_ROUNDS, times, || {
            thread::sleep(LATE);
            meter.read(&mut late);
        });
        let mut intervals = Vec::new();
        // The first passes unread: the work's own thread ends in it.
        for _ in 0..=INTERVALS {
            thread::sleep(INTERVAL);
            meter.read(&mut intervals);
        }
        Self { tool: tool.into(), names, times, rounds, late, intervals }
    }

    /// Runs per operation, and instructions per run, of a program that the work runs.
    fn by_work(&self, program: usize) -> Option<(f64, f64)> {
        let count = self.names.len();
        let looks: Vec<_> = self.rounds.chunks(2 * count).map(|both| (both[program], both[count + program])).collect();
        // Looking is a system call, too, and some tools count those: a round without work has nothing else in it.
        let empty = looks.iter().map(|(end, begin)| between(*end, *begin));
        let (no_runs, no_time) = (median(empty.clone().map(|(runs, _)| runs))?, median(empty.map(|(_, time)| time))?);
        let rounds = looks.windows(2).map(|two| between(two[0].1, two[1].0));
        let cost = per_run(rounds.map(|(runs, time)| (runs - no_runs, time - no_time)));
        let (runs, time) = cost.or_else(|| self.between_looks(&self.late, program))?;
        Some((runs / f64::from(self.times), time))
    }

    /// The same for one that is run once an interval.
    fn by_time(&self, program: usize) -> Option<(f64, f64)> {
        self.between_looks(&self.intervals, program).map(|(_, time)| (0., time))
    }

    fn between_looks(&self, readings: &[Reading], program: usize) -> Option<(f64, f64)> {
        let looks: Vec<_> = readings.chunks(self.names.len()).map(|look| look[program]).collect();
        per_run(looks.windows(2).map(|two| between(two[0], two[1])))
    }

    fn print(&self, whose: &str, program: usize, cost: Option<(f64, f64)>) {
        if let Some((runs, instructions)) = cost {
            println!("{}\t{whose}\t{}\t{runs:.3}\t{instructions:.1}", self.tool, self.names[program]);
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "they are small")]
fn between(begin: Reading, end: Reading) -> (f64, f64) {
    ((end.runs - begin.runs) as f64, (end.nanoseconds - begin.nanoseconds) as f64)
}

/// Runs, and time per run, where there are any between most looks.
fn per_run(looks: impl Iterator<Item = (f64, f64)> + Clone) -> Option<(f64, f64)> {
    let runs = median(looks.clone().map(|(runs, _)| runs)).filter(|runs| *runs > 0.)?;
    Some((runs, median(looks.filter(|(runs, _)| *runs > 0.).map(|(runs, time)| time / runs))?))
}

fn median(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}
