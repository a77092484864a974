//! Samples: a program that runs on each CPU at a rate.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::{IntoRawFd, OwnedFd};

use anyhow::{Context, Result, ensure};
use libbpf_rs::{Link, ProgramMut};

use crate::kernel::perf::{self, Attributes};

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// So many times a second.
    Hertz(u64),
    /// Once in so many events.
    Every(u64),
}

/// What counts the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The processor's cycles: what runs with interrupts off is seen as well. Most virtual machines do not have it.
    Cycles,
    /// The kernel's timer.
    Timer,
}

/// A program on each of some CPUs. Dropping it detaches.
#[derive(Debug)]
pub struct Samples {
    links: BTreeMap<u32, Link>,
    rate: Rate,
    clock: Clock,
    cpus: Option<Vec<u32>>,
}

impl Samples {
    /// Attaches a program (`SEC("perf_event")`) to all CPUs that are online, or to those of `cpus` that are, by cycles if the
    /// processor counts them and by the timer otherwise.
    ///
    /// # Errors
    /// The kernel refuses, or none of the CPUs is online.
    pub fn attach(program: &ProgramMut<'_>, rate: Rate, cpus: Option<Vec<u32>>) -> Result<Self> {
        let clock = if counts_cycles() { Clock::Cycles } else { Clock::Timer };
        let mut samples = Self { links: BTreeMap::new(), rate, clock, cpus };
        samples.follow(program)?;
        ensure!(!samples.links.is_empty(), "none of these CPUs is online");
        Ok(samples)
    }

    /// What counts the events.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The CPUs that the program runs on.
    pub fn cpus(&self) -> impl Iterator<Item = u32> {
        self.links.keys().copied()
    }

    /// Follows CPUs that came or went since: a CPU that went takes its event along, and when it comes back needs another.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn follow(&mut self, program: &ProgramMut<'_>) -> Result<()> {
        let online = online().context("cannot read which CPUs are online")?;
        let wanted = |cpu: &u32| self.cpus.as_ref().is_none_or(|cpus| cpus.contains(cpu));
        let online: Vec<u32> = online.into_iter().filter(wanted).collect();
        self.links.retain(|cpu, _| online.contains(cpu));
        for cpu in online {
            if self.links.contains_key(&cpu) {
                continue;
            }
            let event = match perf_event(self.clock, self.rate, cpu) {
                // It went just now.
                Err(error) if error.raw_os_error() == Some(libc::ENODEV) => continue,
                event => event.with_context(|| format!("the kernel refuses to sample CPU {cpu}"))?,
            };
            // The link closes the descriptor.
            let link = program.attach_perf_event(event.into_raw_fd());
            self.links.insert(cpu, link.with_context(|| format!("cannot attach to CPU {cpu}"))?);
        }
        Ok(())
    }
}

/// The CPUs that run, from a list such as `0-3,8`.
fn online() -> Result<Vec<u32>> {
    list(fs::read_to_string("/sys/devices/system/cpu/online")?.trim()).context("not a list of CPUs")
}

fn list(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cpus.extend(first.parse::<u32>().ok()?..=last.parse().ok()?);
    }
    Some(cpus)
}

/// Whether the processor counts cycles, and the kernel lets this process have them.
fn counts_cycles() -> bool {
    online().ok().and_then(|cpus| cpus.first().copied()).is_some_and(|cpu| {
        // At a rate at which it never comes.
        perf_event(Clock::Cycles, Rate::Every(u64::MAX >> 1), cpu).is_ok()
    })
}

/// The event of one CPU.
fn perf_event(clock: Clock, rate: Rate, cpu: u32) -> io::Result<OwnedFd> {
    const PERF_TYPE_HARDWARE: u32 = 0;
    const PERF_TYPE_SOFTWARE: u32 = 1;
    const PERF_COUNT_HW_CPU_CYCLES: u64 = 0;
    const PERF_COUNT_SW_CPU_CLOCK: u64 = 0;
    /// The bit `freq`: the period is a frequency.
    const FREQUENCY: u64 = 1 << 10;
    let (period, flags) = match rate {
        Rate::Hertz(hertz) => (hertz, FREQUENCY),
        Rate::Every(period) => (period, 0),
    };
    let (kind, config) = match clock {
        Clock::Cycles => (PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES),
        Clock::Timer => (PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK),
    };
    perf::open(Attributes { kind, config, period, flags, ..Attributes::default() }, cpu)
}

#[cfg(test)]
mod tests {
    use super::list;

    #[test]
    fn lists_of_cpus() {
        assert_eq!(list("0-2,7"), Some(vec![0, 1, 2, 7]));
        assert_eq!((list("0"), list(""), list("x")), (Some(vec![0]), Some(vec![]), None));
    }
}
