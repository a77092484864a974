//! How many events per second a tool takes, and what becomes of those that are too many.

use std::time::Duration;

use corescope_testing::cost::Work;

use crate::candidates::Candidate;
use crate::rounds::{Entry, Sight};
use crate::run::Run;

/// The slowest rate, in events per second; each next one is twice as fast.
const FIRST: f64 = 5_000.;

/// Rows that come of the preparation of the work.
const FEW: i64 = 3;

/// What became of the events of a second or so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// Events per second that were made.
    pub(crate) rate: f64,
    pub(crate) made: u64,
    /// Rows that were printed of them.
    pub(crate) rows: u64,
    /// How many were said to be lost.
    pub(crate) reported: u64,
    /// Nanoseconds of processor time that the tool took for each line that it printed.
    pub(crate) per_line: f64,
}

impl Outcome {
    /// Events of which no row came.
    pub(crate) fn lost(&self) -> u64 {
        let missing = self.made.cast_signed() - self.rows.cast_signed();
        if missing > FEW { missing.unsigned_abs() } else { 0 }
    }

    /// Events that neither came nor were said to be lost.
    pub(crate) fn vanished(&self) -> u64 {
        let missing = self.lost().saturating_sub(self.reported);
        if missing > FEW.unsigned_abs() { missing } else { 0 }
    }
}

/// What a streaming tool makes of events that come faster and faster.
#[derive(Debug, Default, Clone)]
pub(crate) struct Rate {
    /// Steadily, from the slowest rate up to the first at which something is lost.
    pub(crate) steady: Vec<Outcome>,
    /// As many events as the CPU makes.
    pub(crate) flat_out: Vec<Outcome>,
}

impl Rate {
    /// The highest rate of which nothing was lost, and whether more were tried.
    pub(crate) fn without_loss(&self) -> Option<(f64, bool)> {
        let most = |outcomes: &[Outcome]| outcomes.iter().map(|outcome| outcome.rate).fold(0., f64::max);
        if !self.flat_out.is_empty() && self.flat_out.iter().all(|outcome| outcome.lost() == 0) {
            return Some((most(&self.flat_out), false));
        }
        let good: Vec<Outcome> = self.steady.iter().copied().filter(|outcome| outcome.lost() == 0).collect();
        (!good.is_empty()).then(|| (most(&good), true))
    }

    /// The slowest rate of which something was lost.
    pub(crate) fn starts_to_lose(&self) -> Option<f64> {
        let bad = self.steady.iter().chain(&self.flat_out).filter(|outcome| outcome.lost() > 0);
        bad.map(|outcome| outcome.rate).min_by(f64::total_cmp)
    }

    /// Of the runs at full speed the one that lost most.
    pub(crate) fn worst(&self) -> Option<&Outcome> {
        let part = |outcome: &&Outcome| outcome.lost() * 1000 / outcome.made.max(1);
        self.flat_out.iter().max_by_key(part)
    }
}

/// Measures all that print rows.
pub(crate) fn measure(entries: &mut [Entry], work: Work, tool: &str, passes: u32, length: Duration) {
    for _ in 0..passes {
        for entry in entries.iter_mut() {
            if let Some(outcome) = try_one(entry.candidate, &entry.sight, work, tool, f64::INFINITY, length) {
                entry.rate.flat_out.push(outcome);
            }
        }
    }
    let flat_out = |entry: &Entry| entry.rate.flat_out.iter().map(|outcome| outcome.rate).fold(f64::MAX, f64::min);
    let slowest = entries.iter().map(flat_out).fold(f64::MAX, f64::min);
    let mut rate = FIRST.min(slowest / 2.);
    // All at the first rate, and on those that lose nothing at it while others at full speed do.
    let mut on: Vec<bool> = vec![true; entries.len()];
    while on.contains(&true) {
        for (entry, on) in entries.iter_mut().zip(&mut on).filter(|(_, on)| **on) {
            let outcome = try_one(entry.candidate, &entry.sight, work, tool, rate, length);
            let (loses, most) = (entry.rate.worst().is_some_and(|worst| worst.lost() > 0), flat_out(entry));
            *on = outcome.is_some_and(|outcome| outcome.lost() == 0) && loses && rate * 2. < most;
            entry.rate.steady.extend(outcome);
        }
        rate *= 2.;
    }
}

fn try_one(
    candidate: &Candidate,
    sight: &Sight,
    work: Work,
    tool: &str,
    rate: f64,
    length: Duration,
) -> Option<Outcome> {
    let Sight::Rows(each) = *sight else { return None };
    let run = Run::start(candidate, tool).ok()?;
    let before = run.watcher.cpu_time();
    let done = work.pace(rate, length);
    run.settle();
    let used = run.watcher.cpu_time().saturating_sub(before);
    let ended = run.end();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let made = (done as f64 * each) as u64;
    Some(Outcome {
        rate: made as f64 / length.as_secs_f64(),
        made,
        rows: ended.rows,
        reported: ended.reported,
        per_line: used.as_secs_f64() * 1e9 / ended.lines.max(1) as f64,
    })
}
