//! Where the kernel side keeps what began in a task: the settings of bpf/include/task/start.bpf.h.

use std::fs;

use anyhow::{Context, Result};

use super::setup::Setup;

/// Room for this many threads at least.
const THREADS: u32 = 16 * 1024;

/// Which hooks the programs are at that keep starts: not all may make storage for a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starts {
    /// Of system calls, or others where a program may wait for memory.
    OfCalls,
    /// Under a run queue's lock, as at `sched_switch`.
    OfSwitches,
    /// None is kept: no program that is loaded looks for one.
    None,
}

impl Setup<'_> {
    /// Chooses the one of the two maps of `STARTS` that this kernel can have.
    ///
    /// # Errors
    /// The object keeps no starts, or the kernel's types cannot be read.
    pub fn keep_starts(&mut self, starts: Starts) -> Result<()> {
        let types = self.types()?;
        let by_task = match starts {
            // Where tracing programs got task storage (5.13) the task got the pointer to it.
            Starts::OfCalls => types.has_field("task_struct", "bpf_storage"),
            Starts::OfSwitches => types.has_task_storage_for_scheduler(),
            Starts::None => true,
        };
        self.set("starts_by_task", by_task)?;
        if by_task {
            self.leave_out("starts_by_tid")?;
        }
        match starts {
            Starts::None => self.leave_out("starts"),
            _ if by_task => Ok(()),
            _ => {
                self.leave_out("starts")?;
                self.size("starts_by_tid", threads()?)
            }
        }
    }
}

/// Room for twice the threads that there are, by `/proc/loadavg`: `0.20 0.18 0.12 1/80 11206` tells of 80.
fn threads() -> Result<u32> {
    let loadavg = fs::read_to_string("/proc/loadavg").context("cannot read /proc/loadavg")?;
    let threads = loadavg.split(['/', ' ']).nth(4).and_then(|threads| threads.parse::<u32>().ok());
    Ok(threads.unwrap_or(0).saturating_mul(2).max(THREADS))
}
