//! The work again and again, alone and beside each candidate, taking turns.

use std::thread;
use std::time::{Duration, Instant};

use corescope_testing::cost::{Counting, Program, Work};

use crate::candidates::{Candidate, Kind};
use crate::figures::Figures;
use crate::run::{Ended, Run};

/// What one candidate's tool costs.
#[derive(Debug, Default, Clone)]
pub(crate) struct Cost {
    /// Nanoseconds that each time of the work takes longer.
    pub(crate) added: Figures,
    /// Nanoseconds that its BPF programs run for each time of the work.
    pub(crate) programs: Figures,
    /// The programs of the last round.
    pub(crate) each: Vec<Each>,
    /// Milliseconds until it is attached.
    pub(crate) attached: Figures,
    /// Milliseconds until it has ended.
    pub(crate) ended: Figures,
    /// The most memory that it had before it had anything to do, in MB.
    pub(crate) idle: Figures,
    /// The same with the work at full speed.
    pub(crate) busy: Figures,
    /// Nanoseconds of its processor time for each line that it printed meanwhile.
    pub(crate) per_line: Figures,
}

/// One program.
#[derive(Debug, Clone)]
pub(crate) struct Each {
    pub(crate) name: String,
    /// Runs for each time of the work.
    pub(crate) runs: f64,
    /// Nanoseconds of a run.
    pub(crate) nanoseconds: f64,
}

/// What a candidate makes of a tool's work.
#[derive(Debug, Clone)]
pub(crate) enum Sight {
    /// It prints so many rows for each time.
    Rows(f64),
    /// It prints something of it in the end.
    Sums,
    /// It attaches and misses it.
    Nothing,
    /// It does not attach: why.
    Fails(String),
}

impl Sight {
    pub(crate) fn works(&self) -> bool {
        matches!(self, Self::Rows(_) | Self::Sums)
    }
}

/// One candidate's tool.
pub(crate) struct Entry<'a> {
    pub(crate) candidate: &'a Candidate,
    pub(crate) sight: Sight,
    pub(crate) size: u64,
    pub(crate) cost: Cost,
    pub(crate) rate: crate::rate::Rate,
}

impl Entry<'_> {
    pub(crate) fn is_ours(&self) -> bool {
        self.candidate.kind == Kind::Ours
    }
}

/// Looks what each candidate's tool makes of the work, of those that have such a tool.
pub(crate) fn look_all<'a>(candidates: &'a [Candidate], work: Work, tool: &str) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry> = candidates.iter().filter_map(|candidate| look(candidate, work, tool)).collect();
    expect_rows(&mut entries);
    entries
}

fn expect_rows(entries: &mut [Entry]) {
    // Where corescope's prints a row for each time of the work, less is nothing.
    if entries.first().is_some_and(|ours| matches!(ours.sight, Sight::Rows(_))) {
        for entry in entries.iter_mut().filter(|entry| matches!(entry.sight, Sight::Sums)) {
            entry.sight = Sight::Nothing;
        }
    }
}

/// A rate that all keep up with, per second.
const SLOW: f64 = 500.;
/// After this time, tools that sum up have printed.
const INTERVAL: Duration = Duration::from_millis(1300);

fn look<'a>(candidate: &'a Candidate, work: Work, tool: &str) -> Option<Entry<'a>> {
    let size = candidate.size(tool)?;
    candidate.command(tool)?;
    let sight = match Run::start(candidate, tool) {
        Err(why) => Sight::Fails(why),
        Ok(run) => {
            let counting = Counting::start();
            let before = Program::of(run.watcher.pid());
            let done = work.pace(SLOW, Duration::from_millis(400)) as f64;
            let programs = Program::since(Program::of(run.watcher.pid()), &before);
            drop(counting);
            let runs: u64 = programs.iter().map(|program| program.runs).sum();
            let seen = runs as f64 > done / 2.;
            if !seen {
                let _ = work.pace(SLOW, INTERVAL);
            }
            run.settle();
            let ended = run.end();
            sight(&ended, if seen { ended.rows as f64 / done } else { 0. }, seen)
        }
    };
    Some(Entry { candidate, sight, size, cost: Cost::default(), rate: crate::rate::Rate::default() })
}

/// What it saw of the work, with so many rows for each time of it.
fn sight(ended: &Ended, rows: f64, seen: bool) -> Sight {
    if let Some(why) = &ended.dies {
        return Sight::Fails(why.clone());
    }
    match rows {
        // What it does before it starts is seen as well, once.
        rows if rows > 0.5 && (rows - rows.round()).abs() < 0.1 => Sight::Rows(rows.round()),
        rows if rows > 0.5 => Sight::Rows(rows),
        // The programs of some run now and then, and see what has been.
        _ if seen && ended.lines > 1 || ended.rows > 0 || ended.process => Sight::Sums,
        _ => Sight::Nothing,
    }
}

/// Measures with a single start of each candidate, for where starting takes a minute and figures repeat.
pub(crate) fn once<'a>(
    candidates: &'a [Candidate],
    work: Work,
    tool: &str,
    length: Duration,
) -> (Vec<Entry<'a>>, Figures) {
    let mut alone = Figures::default();
    let base = with_rests(work);
    alone.push(base);
    let one = |candidate| once_one(candidate, work, tool, length, base);
    let mut entries: Vec<Entry> = candidates.iter().filter_map(one).collect();
    expect_rows(&mut entries);
    (entries, alone)
}

fn once_one<'a>(candidate: &'a Candidate, work: Work, tool: &str, length: Duration, base: f64) -> Option<Entry<'a>> {
    /// Sums come now and then. Of rows, some tools lose nine of ten at full speed.
    const STREAM: f64 = 0.01;
    let size = candidate.size(tool)?;
    candidate.command(tool)?;
    eprintln!("bench: {tool} of {}", candidate.name());
    let mut cost = Cost::default();
    let sight = match Run::start(candidate, tool) {
        Err(why) => Sight::Fails(why),
        Ok(run) => {
            let added = with_rests(work) - base;
            let times = work_beside(&mut cost, &run, work, length, base);
            // At full speed, a reader that shares the only CPU is hardly ever woken: it has not gone to sleep.
            cost.added = Figures::default();
            cost.added.push(added);
            let seen = cost.each.iter().map(|each| each.runs).sum::<f64>() > 0.5;
            if !seen {
                let _ = work.pace(SLOW, INTERVAL);
            }
            let ended = finish(&mut cost, run);
            let rows = ended.rows as f64 / f64::from(times);
            sight(&ended, if seen && rows > STREAM { rows.max(1.) } else { 0. }, seen)
        }
    };
    Some(Entry { candidate, sight, size, cost, rate: crate::rate::Rate::default() })
}

/// Nanoseconds of one time of the work, with a rest after each in which a tool can do all it has to and go to sleep.
/// It is all that is done meanwhile on the only CPU, so the work goes before the tool, which runs in the rests.
fn with_rests(work: Work) -> f64 {
    const REST: Duration = Duration::from_millis(1);
    const FIRST: usize = 5;
    let count = usize::try_from(work.times() / 10).unwrap_or(0).clamp(20, 1_000);
    let mut took = Vec::with_capacity(count + FIRST + 1);
    let mut start = Instant::now();
    // Threads and processes inherit it.
    schedule(libc::SCHED_FIFO, 1);
    work.rounds(count + FIRST, 1, || {
        took.push(start.elapsed());
        thread::sleep(REST);
        start = Instant::now();
    });
    schedule(libc::SCHED_OTHER, 0);
    let measured = &took[FIRST + 1..];
    nanoseconds(measured.iter().sum::<Duration>()) / measured.len() as f64
}

/// Sets how this thread is scheduled.
fn schedule(policy: libc::c_int, priority: libc::c_int) {
    let priority = libc::sched_param { sched_priority: priority };
    // SAFETY: the pointer is to a local.
    let failed = unsafe { libc::sched_setscheduler(0, policy, &raw const priority) };
    assert_eq!(failed, 0, "{}", std::io::Error::last_os_error());
}

/// Measures all that see the work, `length` of it in each round. Gives what it takes alone, in nanoseconds.
pub(crate) fn measure(entries: &mut [Entry], work: Work, tool: &str, rounds: u32, length: Duration) -> Figures {
    let mut alone = Figures::default();
    for _ in 0..rounds {
        let base = nanoseconds(work.time(as_often(work, length)));
        alone.push(base);
        for entry in entries.iter_mut().filter(|entry| entry.sight.works()) {
            match Run::start(entry.candidate, tool) {
                Ok(run) => {
                    let _ = work_beside(&mut entry.cost, &run, work, length, base);
                    let _ = finish(&mut entry.cost, run);
                }
                Err(why) => entry.sight = Sight::Fails(why),
            }
        }
    }
    alone
}

/// What it costs while the work is done. Gives how often that was.
fn work_beside(cost: &mut Cost, run: &Run, work: Work, length: Duration, base: f64) -> u32 {
    let pid = run.watcher.pid();
    cost.attached.push(milliseconds(run.watcher.attached_after));
    cost.idle.push(run.watcher.peak() as f64 / 1e6);
    let times = as_often(work, length);
    cost.added.push(nanoseconds(work.time(times)) - base);

    // Counting takes time as well.
    let counting = Counting::start();
    let before = Program::of(pid);
    let counted = (times / 2).max(1);
    let _ = work.time(counted);
    let programs = Program::since(Program::of(pid), &before);
    drop(counting);
    let per_time = |figure: u64| figure as f64 / f64::from(counted);
    cost.programs.push(programs.iter().map(|program| per_time(program.nanoseconds)).sum());
    cost.each = programs
        .into_iter()
        .map(|program| Each {
            runs: per_time(program.runs),
            nanoseconds: program.nanoseconds as f64 / program.runs as f64,
            name: program.name,
        })
        // Others run now and then.
        .filter(|each| each.runs >= 0.1)
        .collect();
    times + counted
}

/// What it has cost in the end.
fn finish(cost: &mut Cost, run: Run) -> Ended {
    run.settle();
    cost.busy.push(run.watcher.peak() as f64 / 1e6);
    let used = run.watcher.cpu_time().saturating_sub(run.used_before);
    let ended = run.end();
    cost.ended.push(milliseconds(ended.took));
    cost.per_line.push(nanoseconds(used) / ended.lines.max(1) as f64);
    ended
}

/// How often the work fits into that time: beside some tools it takes twenty times as long.
fn as_often(work: Work, length: Duration) -> u32 {
    let once = work.time((work.times() / 200).max(2)).as_secs_f64();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let times = (length.as_secs_f64() / once).max(2.) as u32;
    times
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
