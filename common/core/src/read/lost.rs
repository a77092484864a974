//! What could not be recorded, said aloud: rows printed and events reported lost are the events that were made.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::Ordering;

use anyhow::{Context, Result};
use libbpf_rs::skel::Skel;
use libbpf_rs::{MapCore, Object, libbpf_sys};

use crate::output::Output;
use crate::output::json::Object as JsonObject;
use crate::process::pages::Pages;
use crate::process::{complain, counted};

/// Why something was lost, in the order of `enum lost_reason`.
const REASONS: [(&str, &str); 3] = [
    ("buffer", "the event buffer was full; a larger --buffer holds more"),
    ("map", "a map in the kernel was full"),
    (
        "stack",
        "a stack could not be stored, so what it belongs to is counted without it; a larger --stack-storage-size holds more",
    ),
];

/// Room for counts of each CPU, `struct lost_counts`.
const COUNTS: usize = 8;

/// Watches the `lost` map of a loaded object.
#[derive(Debug)]
pub struct Lost<'obj> {
    object: &'obj Object,
    counts: Option<Pages>,
    cpus: usize,
    reported: [u64; REASONS.len() + 1],
}

impl<'obj> Lost<'obj> {
    /// Counts from zero; an object without the map loses nothing.
    ///
    /// # Errors
    /// The kernel does not show the map's memory.
    pub fn of<'skel>(skel: &'obj impl Skel<'skel>) -> Result<Self> {
        let object = skel.object();
        let map = object.maps().find(|map| map.name() == "lost");
        let cpus = map.as_ref().map_or(0, |map| map.max_entries() as usize);
        let counts = map.map(|map| Pages::of(&map, cpus * COUNTS * size_of::<u64>(), false, 0)).transpose();
        let counts = counts.context("cannot map the counts of what is lost")?;
        Ok(Self { object, counts, cpus, reported: [0; REASONS.len() + 1] })
    }

    /// Says what was lost since the last call: a sentence on standard error, and a record in JSON output.
    pub fn report(&mut self, out: &mut Output) {
        for missing in self.take() {
            if out.is_json() {
                out.aside(|buffer| {
                    let mut record = JsonObject::new(buffer);
                    record.number(missing.key, missing.count);
                    record.text("reason", missing.reason.as_bytes());
                    record.end();
                });
            }
            complain(&missing.sentence);
        }
    }

    /// What was lost since the last call.
    pub fn take(&mut self) -> Vec<Missing> {
        let now = self.read();
        let mut all = Vec::new();
        for (index, (now, before)) in now.into_iter().zip(self.reported).enumerate() {
            let count = now.saturating_sub(before);
            if count > 0 {
                all.push(REASONS.get(index).map_or_else(|| skipped(count), |(reason, why)| lost(count, reason, why)));
            }
        }
        self.reported = now;
        all
    }

    fn read(&self) -> [u64; REASONS.len() + 1] {
        let mut counts = [0; REASONS.len() + 1];
        if let Some(pages) = &self.counts {
            let of = |cpu, reason| pages.word((cpu * COUNTS + reason) * size_of::<u64>()).load(Ordering::Relaxed);
            for (reason, count) in counts.iter_mut().take(REASONS.len()).enumerate() {
                *count = (0..self.cpus).map(|cpu| of(cpu, reason)).sum();
            }
        }
        counts[REASONS.len()] = self.object.progs().map(|program| recursion_misses(program.as_fd().as_raw_fd())).sum();
        counts
    }
}

/// Something that a tool was to show and could not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The key of the count in JSON: `lost`, or `skipped` where it is an upper bound.
    pub key: &'static str,
    /// How many.
    pub count: u64,
    /// The reason in JSON.
    pub reason: &'static str,
    /// What a person is told.
    pub sentence: String,
}

fn lost(count: u64, reason: &'static str, why: &str) -> Missing {
    Missing { key: "lost", count, reason, sentence: format!("lost {}: {why}", counted(count, "event")) }
}

/// The kernel does not start a program that is running on the same CPU already, as in a task that was preempted or below
/// an interrupt. It may have been called for something that would not have been printed.
fn skipped(count: u64) -> Missing {
    let calls = counted(count, "call");
    let sentence = format!("the kernel skipped {calls} of a busy program: up to as many events are missing");
    Missing { key: "skipped", count, reason: "recursion", sentence }
}

/// How often the kernel skipped the program (Linux 5.12; 0 before, and for a program that is not loaded).
fn recursion_misses(fd: i32) -> u64 {
    let mut info = libbpf_sys::bpf_prog_info::default();
    let mut size = u32::try_from(size_of_val(&info)).unwrap_or(0);
    // SAFETY: the pointers are to locals and the size is that of the struct.
    let failed = unsafe { libbpf_sys::bpf_obj_get_info_by_fd(fd, (&raw mut info).cast(), &raw mut size) };
    if failed == 0 { info.recursion_misses } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::REASONS;

    #[test]
    fn reasons_are_those_of_the_kernel_side() {
        let names = corescope_testing::headers::enumerators("base/lost.bpf.h", "lost_reason");
        let known: Vec<String> = REASONS.iter().map(|(reason, _)| format!("LOST_{}", reason.to_uppercase())).collect();
        assert_eq!(names.split_last().map(|(_, names)| names), Some(&known[..]));
    }
}
