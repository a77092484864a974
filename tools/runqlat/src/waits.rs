//! The histograms in the kernel, interval by interval.

use std::path::Path;

use anyhow::{Context, Result};
use corescope::Histogram;
use corescope::histogram::Intervals;
use corescope::libbpf_rs::{Map, MapCore, MapFlags};
use corescope::stream::event;

use crate::bpf::types::{runqlat_cpu, runqlat_id};

/// What there is a histogram for: `enum runqlat_key` of bpf/runqlat.bpf.c.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    All,
    Pid,
    Tid,
    Pidns,
}

impl By {
    /// The key in JSON and in the text, as BCC prints it.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Pid => "pid",
            Self::Tid => "tid",
            Self::Pidns => "pidns",
        }
    }
}

/// What was waited by one process, thread, namespace or by all of them.
pub(crate) struct Waits {
    pub(crate) id: u32,
    pub(crate) comm: Vec<u8>,
    pub(crate) histogram: Histogram,
}

/// Reads the maps.
pub(crate) struct Reader<'skel> {
    pub(crate) by: By,
    pub(crate) cpus: &'skel Map<'skel>,
    pub(crate) ids: &'skel Map<'skel>,
    pub(crate) intervals: Intervals<u32>,
}

impl Reader<'_> {
    /// What was waited since the last call, without those who did not wait.
    pub(crate) fn next(&mut self) -> Result<Vec<Waits>> {
        let mut all = if self.by == By::All { vec![self.sum()?] } else { self.each()? };
        all.retain(|waits| waits.histogram.count() > 0);
        all.sort_by_key(|waits| waits.id);
        Ok(all)
    }

    fn sum(&mut self) -> Result<Waits> {
        let mut sum = Histogram::default();
        for cpu in 0..self.cpus.max_entries() {
            let value = self.cpus.lookup(&cpu.to_ne_bytes(), MapFlags::ANY)?.context("an array lacks an element")?;
            let (cpu, _) = event::<runqlat_cpu>(&value);
            sum.add(&Histogram::new(cpu.histogram.sum, cpu.histogram.slots));
        }
        Ok(Waits { id: 0, comm: Vec::new(), histogram: self.intervals.added(0, sum) })
    }

    fn each(&mut self) -> Result<Vec<Waits>> {
        let mut all = Vec::new();
        for key in self.ids.keys() {
            let Some(value) = self.ids.lookup(&key, MapFlags::ANY)? else { continue };
            let id = u32::from_ne_bytes(key[..].try_into()?);
            let (entry, _) = event::<runqlat_id>(&value);
            let histogram = Histogram::new(entry.histogram.sum, entry.histogram.slots);
            all.push(Waits { id, comm: entry.comm.to_vec(), histogram: self.intervals.added(id, histogram) });
        }
        self.make_room(&all)?;
        Ok(all)
    }

    /// Who is gone waits no more, and is taken from the map.
    fn make_room(&mut self, all: &[Waits]) -> Result<()> {
        for waits in all.iter().filter(|_| self.by != By::Pidns) {
            if !Path::new("/proc").join(waits.id.to_string()).exists() {
                self.ids.delete(&waits.id.to_ne_bytes())?;
                self.intervals.forget(&waits.id);
            }
        }
        Ok(())
    }
}
