//! Summaries: what was counted, printed at intervals until the tool is asked to end.

use std::time::Duration;

use anyhow::Result;
use libbpf_rs::Link;
use libbpf_rs::skel::Skel;

use super::interval::{Due, Interval, every_watching};
use super::lost::Lost;
use crate::output::Output;

/// How often a tool may look at what it traces between two outputs.
const LOOK: Duration = Duration::from_secs(1);

/// Calls `act` to print after each interval, and between two outputs to look at what is traced; reports what was lost.
///
/// # Errors
/// Those of `act`, and of the output.
pub fn summarize<'obj>(
    skel: &impl Skel<'obj>,
    links: Vec<Link>,
    interval: &Interval,
    mut out: Output,
    mut act: impl FnMut(Due, &mut Output) -> Result<()>,
) -> Result<()> {
    let mut lost = Lost::of(skel)?;
    out.flush()?;
    every_watching(interval.interval, interval.count, LOOK, |due| {
        if due == Due::Output {
            out.clock.resync();
        }
        act(due, &mut out)?;
        if due == Due::Output {
            lost.report(&mut out);
            out.flush()?;
        }
        Ok(())
    })?;
    drop(links);
    Ok(())
}
