//! What is done again and again while a tool looks on.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::actions::{Action, Clock, Place, everything_in};
use crate::workload::{Cgroup, cpu_time, pin};
use crate::{Scratch, tools};

/// The name of the thread that does it, and of what it executes: in each row that a tool prints of it.
pub const MARK: &str = "cs-work";

/// The work for a tool: its own action, or a bit of everything.
#[derive(Debug, Clone, Copy)]
pub struct Work(Option<&'static Action>);

/// Of a bit of everything, how often and how many rounds.
const EVERYTHING_TIMES: u32 = 20;
const EVERYTHING_ROUNDS: usize = 10;

/// A time between two looks at the clock, where the work is to be done at a certain rate.
const PACE: Duration = Duration::from_micros(200);

impl Work {
    /// The work for a tool. Peers of that name get the same.
    #[must_use]
    pub fn of(tool: &str) -> Self {
        Self(tools::find(tool).and_then(|tool| Action::named(&tool.work)))
    }

    /// An action by name.
    ///
    /// # Panics
    /// There is none of that name.
    #[must_use]
    pub fn named(action: &str) -> Self {
        Self(Some(Action::named(action).unwrap_or_else(|| panic!("there is no action {action}"))))
    }

    /// One time of it, for people.
    #[must_use]
    pub fn what(self) -> &'static str {
        self.0.map_or("a bit of everything", |action| action.what)
    }

    /// How many times fit into a second or so on a machine of today.
    #[must_use]
    pub fn times(self) -> u32 {
        self.0.map_or(EVERYTHING_TIMES, |action| action.times)
    }

    /// Does it so many times in a thread on CPU 0, as fast as it goes; gives the time that one takes.
    ///
    /// It is processor time, so that what else runs there does not count: of all threads and processes that have a share in
    /// it.
    ///
    /// # Panics
    /// The work fails.
    #[must_use]
    pub fn time(self, times: u32) -> Duration {
        let clock = self.clock();
        let took = self.in_thread(move |once| {
            let start = clock();
            for _ in 0..times {
                once();
            }
            clock().saturating_sub(start)
        });
        took / times
    }

    /// Does it at a steady rate for a while; gives how often it was done.
    ///
    /// # Panics
    /// The work fails.
    #[must_use]
    pub fn pace(self, per_second: f64, length: Duration) -> u64 {
        self.in_thread(move |once| {
            let start = Instant::now();
            let mut done = 0;
            while start.elapsed() < length {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
                let due = (start.elapsed().as_secs_f64() * per_second) as u64;
                while done < due && start.elapsed() < length {
                    once();
                    done += 1;
                }
                let next = start.elapsed() + PACE;
                while start.elapsed() < next {
                    std::hint::spin_loop();
                }
            }
            done
        })
    }

    /// Does it in rounds of so many times; `look` is called before the first round and after each, in the thread that does
    /// it.
    ///
    /// # Panics
    /// The work fails.
    pub fn rounds(self, rounds: usize, times: u32, mut look: impl FnMut() + Send) {
        self.in_thread(move |once| {
            look();
            for _ in 0..rounds {
                for _ in 0..times {
                    once();
                }
                look();
            }
        });
    }

    /// What tells the time that it takes.
    fn clock(self) -> fn() -> Duration {
        match self.0.map_or(Clock::Processes, |action| action.clock) {
            Clock::Thread => cpu_time,
            Clock::Processes => processes_time,
            Clock::Wall => wall_time,
        }
    }

    fn prepare(self, folder: PathBuf) -> Box<dyn FnMut()> {
        let Some(action) = self.0 else {
            let cgroup = Cgroup::new(MARK);
            return Box::new(move || everything_in(cgroup.path(), MARK.as_ref(), EVERYTHING_ROUNDS));
        };
        action.prepare(&Place { folder, name: MARK.into(), cgroup: None })
    }

    /// In a thread called [`MARK`] that is prepared, pinned, and warm.
    fn in_thread<Result: Send>(self, work: impl FnOnce(&mut dyn FnMut()) -> Result + Send) -> Result {
        let scratch = Scratch::new("cost");
        thread::scope(|scope| {
            let thread = thread::Builder::new().name(MARK.into()).spawn_scoped(scope, || {
                pin(0);
                let mut once = self.prepare(scratch.path().into());
                work(&mut once)
            });
            thread.expect("a thread").join().expect("work")
        })
    }
}

/// The processor time of this process and of those that it has waited for.
fn processes_time() -> Duration {
    // SAFETY: a struct of numbers; the pointer is to a local.
    let children = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    let mut own = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local; there is such a clock.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut own) };
    let time =
        |seconds: i64, nanoseconds: i64| Duration::new(seconds.unsigned_abs(), u32::try_from(nanoseconds).unwrap_or(0));
    let child = |part: libc::timeval| time(part.tv_sec, part.tv_usec * 1000);
    time(own.tv_sec, own.tv_nsec) + child(children.ru_utime) + child(children.ru_stime)
}

fn wall_time() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Action, MARK, Work};

    #[test]
    fn each_action_can_be_done() {
        for action in Action::all().filter(|action| action.name != "oom") {
            assert!(Work(Some(action)).time(3) > Duration::ZERO, "{}", action.name);
        }
        assert_eq!(Work::of("no such tool").what(), "a bit of everything");
        assert!(MARK.len() < 16);
    }

    #[test]
    fn a_pace_is_kept() {
        let done = Work::named("getppid").pace(10_000., Duration::from_millis(300));
        assert!((2_000..=3_000).contains(&done), "{done} times");
    }
}
