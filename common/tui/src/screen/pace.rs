//! When the next screen is due.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use corescope::signals::{self, Woken};

/// The intervals that `+` and `-` step through, in ms.
const STEPS: [u64; 9] = [100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000];
/// poll(2) does not take forever.
const LONGEST_SLEEP: Duration = Duration::from_secs(24 * 3600);

/// The intervals of a top tool.
#[derive(Debug)]
pub struct Pace {
    interval: Duration,
    left: Option<u64>,
    began: Instant,
    due: Option<Instant>,
}

/// Why a wait is over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The interval is over.
    Due,
    /// Something else is there to be looked at.
    Ready,
    /// The tool was asked to end.
    Stop,
}

impl Pace {
    /// Intervals from now on, `count` of them or until the end.
    #[must_use]
    pub fn new(interval: Duration, count: Option<u64>) -> Self {
        let began = Instant::now();
        Self { interval, left: count, began, due: began.checked_add(interval) }
    }

    /// How long an interval is.
    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    /// Sleeps until the interval is over or one of `ready` is readable, at most `longest`.
    pub(crate) fn wait(&self, ready: &[BorrowedFd<'_>], longest: Option<Duration>) -> Next {
        let left = self.due.map_or(LONGEST_SLEEP, |due| due.saturating_duration_since(Instant::now()));
        match signals::wait_any(ready, left.min(longest.unwrap_or(LONGEST_SLEEP))) {
            Woken::Stop => Next::Stop,
            Woken::Ready if self.due.is_some_and(|due| due <= Instant::now()) => Next::Due,
            Woken::Ready => Next::Ready,
        }
    }

    /// Begins the next interval and gives the length that the last one really had.
    pub(crate) fn next(&mut self) -> Duration {
        let now = Instant::now();
        let length = now.duration_since(self.began);
        self.began = now;
        self.left = self.left.map(|left| left.saturating_sub(1));
        // Deadlines follow from each other, so that they do not drift; those that were missed are not made up for.
        self.due = self.due.and_then(|due| due.checked_add(self.interval));
        if self.due.is_some_and(|due| due <= now) {
            self.due = now.checked_add(self.interval);
        }
        length
    }

    /// Whether that was the last one.
    pub(crate) fn is_over(&self) -> bool {
        self.left == Some(0)
    }

    /// The next shorter or longer interval, from the begin of the present one on.
    pub(crate) fn step(&mut self, longer: bool) {
        let mut steps = STEPS.map(Duration::from_millis).into_iter();
        let step =
            if longer { steps.find(|step| *step > self.interval) } else { steps.rfind(|step| *step < self.interval) };
        self.interval = step.unwrap_or(self.interval);
        self.due = self.began.checked_add(self.interval);
    }
}

#[cfg(test)]
mod tests {
    use super::{Next, Pace};
    use std::time::Duration;

    #[test]
    fn intervals_end_and_are_counted() {
        let mut pace = Pace::new(Duration::from_millis(1), Some(2));
        let mut length = Duration::ZERO;
        for over in [false, true] {
            while pace.wait(&[], None) != Next::Due {}
            length += pace.next();
            assert_eq!(pace.is_over(), over);
        }
        // Each may be a little longer or shorter, for what comes late does not delay the next one.
        assert!(length >= Duration::from_millis(2));
    }

    #[test]
    fn keys_step_through_round_intervals() {
        let mut pace = Pace::new(Duration::from_millis(1500), None);
        let mut step = |longer| {
            pace.step(longer);
            pace.interval().as_millis()
        };
        assert_eq!([step(true), step(true), step(false), step(false)], [2000, 5000, 2000, 1000]);
        let mut shortest = Pace::new(Duration::from_millis(100), None);
        shortest.step(false);
        assert_eq!(shortest.interval(), Duration::from_millis(100));
    }
}
