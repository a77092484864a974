//! Summaries at intervals.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::cli;
use crate::process::signals::{self, Woken};

/// BCC's positional `[interval [count]]`.
#[derive(Debug, Clone, clap::Args)]
pub struct Interval {
    /// Seconds between outputs; without it, one output at the end (Ctrl-C)
    #[arg(value_parser = seconds)]
    pub interval: Option<Duration>,

    /// Number of outputs
    #[arg(value_parser = cli::count::<u64>)]
    pub count: Option<u64>,
}

/// BCC's `-i INTERVAL` and `-d DURATION`, of tools that have these instead.
#[derive(Debug, Clone, clap::Args)]
pub struct Lasting {
    /// Seconds between outputs; without it, one output at the end
    #[arg(short, long, value_parser = seconds)]
    pub interval: Option<Duration>,

    /// Seconds to trace for
    #[arg(short, long, value_parser = seconds)]
    pub duration: Option<Duration>,
}

impl Lasting {
    /// An output at each interval for as long as the duration; of a duration alone one, at its end.
    #[must_use]
    pub fn interval(&self) -> Interval {
        let interval = self.interval.or(self.duration);
        let count = self.duration.zip(interval).map(|(duration, interval)| {
            u64::try_from(duration.as_nanos().div_ceil(interval.as_nanos())).unwrap_or(u64::MAX)
        });
        Interval { interval, count }
    }
}

/// What a tool is called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// To look at what it traces while that is there to be seen.
    Look,
    /// To print.
    Output,
}

/// Calls `act` to print after each interval, `count` times at most, and once more when the tool is asked to end; between to
/// look at something, `watch` after the last time at the latest.
///
/// # Errors
/// Those of `act`.
pub fn every_watching(
    interval: Option<Duration>,
    count: Option<u64>,
    watch: Duration,
    mut act: impl FnMut(Due) -> Result<()>,
) -> Result<()> {
    let interval = interval.unwrap_or(Duration::MAX);
    let mut printed = 0;
    let mut due = Instant::now().checked_add(interval);
    loop {
        let left = due.map_or(watch, |due| due.saturating_duration_since(Instant::now()));
        if signals::wait(None, left.min(watch)) == Woken::Stop {
            return act(Due::Output);
        }
        // Deadlines follow from each other, not from when the last output was done: outputs do not drift.
        if due.is_none_or(|due| due > Instant::now()) {
            act(Due::Look)?;
            continue;
        }
        act(Due::Output)?;
        printed += 1;
        due = due.and_then(|due| due.checked_add(interval));
        if count.is_some_and(|count| printed >= count) {
            return Ok(());
        }
    }
}

/// A duration in seconds, with a fraction if need be; what is more than 30 years is as good as forever.
///
/// # Errors
/// A sentence for what is no positive number.
pub fn seconds(text: &str) -> Result<Duration, String> {
    const LONGEST: f64 = 1e9;
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.001 => Ok(Duration::from_secs_f64(number.min(LONGEST))),
        Ok(number) if number.is_infinite() && number > 0.0 => Ok(Duration::from_secs_f64(LONGEST)),
        Ok(_) => Err("seconds must be 0.001 or more".into()),
        Err(_) => Err("not a number of seconds".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Lasting, seconds};
    use std::time::Duration;

    #[test]
    fn a_duration_is_a_number_of_intervals() {
        let lasting = |interval: Option<u64>, duration: Option<u64>| {
            let seconds = |number: Option<u64>| number.map(Duration::from_secs);
            let lasting = Lasting { interval: seconds(interval), duration: seconds(duration) }.interval();
            (lasting.interval.map(|interval| interval.as_secs()), lasting.count)
        };
        assert_eq!(lasting(Some(2), Some(5)), (Some(2), Some(3)));
        assert_eq!((lasting(None, Some(5)), lasting(Some(2), None)), ((Some(5), Some(1)), (Some(2), None)));
        assert_eq!(lasting(None, None), (None, None));
    }

    #[test]
    fn seconds_may_have_a_fraction() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(seconds("1e99"), Ok(Duration::from_secs(1_000_000_000)));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["0", "-1", "nan", "", "1s", "0x10", "-inf"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
