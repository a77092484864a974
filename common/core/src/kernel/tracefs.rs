//! Classic tracepoints: their ids are in tracefs, which may not be mounted.

use std::io::{self, ErrorKind};
use std::os::fd::{IntoRawFd, OwnedFd};

use anyhow::{Context, Result, anyhow};
use libbpf_rs::{Link, ProgramMut};

use super::perf::{self, Attributes};
use super::pseudo::TRACEFS;

/// Attaches a program to the tracepoint `group:name`.
///
/// # Errors
/// A sentence that names the tracepoint, where the kernel does not have it or refuses it.
pub fn attach(program: &ProgramMut<'_>, group: &str, name: &str) -> Result<Link> {
    let what = || format!("cannot trace {group}:{name}");
    let id = id(group, name).with_context(what)?;
    let event = perf_event(id)
        .with_context(|| [Some(what()), perf::refusal()].into_iter().flatten().collect::<Vec<_>>().join(": "))?;
    // The link closes the descriptor.
    program.attach_perf_event(event.into_raw_fd()).with_context(what)
}

/// Whether the kernel has the tracepoint `group:name`, and lets this process have it.
pub(crate) fn exists(group: &str, name: &str) -> bool {
    id(group, name).is_ok() && perf::is_permitted()
}

fn id(group: &str, name: &str) -> Result<u64> {
    let text = TRACEFS.read(&format!("events/{group}/{name}/id")).map_err(|error| match error.kind() {
        ErrorKind::NotFound => anyhow!("this kernel has no such tracepoint"),
        _ => error.into(),
    })?;
    text.trim().parse().context("its id is no number")
}

/// The event of a tracepoint: of all tasks and all CPUs, for which one is named does not matter for BPF.
fn perf_event(id: u64) -> io::Result<OwnedFd> {
    const PERF_TYPE_TRACEPOINT: u32 = 2;
    let attributes =
        Attributes { kind: PERF_TYPE_TRACEPOINT, config: id, period: 1, wakeup_events: 1, ..Attributes::default() };
    perf::open(attributes, 0)
}
