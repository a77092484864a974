//! Histograms of a BPF object that includes bpf/include/event/histogram.bpf.h, interval by interval.
//!
//! ```ignore
//! let mut histograms = Histograms::<Key>::of(&skel, by_disk)?;
//! summarize(&skel, links, &args.histogram.interval, out, |_, out| {
//!     histogram::print(out, &histograms.take(|key| false)?, COLUMNS, &args.histogram.look(Scale::Log2));
//!     Ok(())
//! })
//! ```

use anyhow::{Context, Result, ensure};
use libbpf_rs::skel::Skel;
use libbpf_rs::{Map, MapCore};
use plain::Plain;

use super::cpus::sum_of_cpus;
use super::interval::Interval;
use super::sums::{Counters, Growth, Sums};
use crate::object::Setup;
use crate::output::histogram::{Counted, Histogram, Look, SLOTS, Scale};

/// BCC's options of tools that print histograms.
#[derive(Debug, Clone, clap::Args)]
pub struct HistogramOptions {
    /// Print the time of day above each output
    #[arg(short = 'T', long)]
    pub timestamp: bool,
    /// Count in milliseconds instead of microseconds
    #[arg(short, long)]
    pub milliseconds: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would take it for the help of the options")]
    pub interval: Interval,
}

/// `enum histogram_unit`.
const MICROSECONDS: u32 = 1;
const MILLISECONDS: u32 = 2;

impl HistogramOptions {
    /// Sets the object's constants: a histogram for each key, or one for all.
    ///
    /// # Errors
    /// The object has no histograms.
    pub fn apply(&self, setup: &mut Setup<'_>, by_key: bool) -> Result<()> {
        setup.set("histogram_unit", if self.milliseconds { MILLISECONDS } else { MICROSECONDS })?;
        setup.set("histogram_by_key", by_key)?;
        if !by_key {
            setup.size("histograms", 1)?;
        }
        setup.size_per_cpu("histogram_cpus")
    }

    /// How the histograms are printed.
    #[must_use]
    pub fn look(&self, scale: Scale) -> Look {
        let (header, unit) = if self.milliseconds { ("msecs", "ms") } else { ("usecs", "us") };
        Look { scale, header, unit, timestamp: self.timestamp, averages: None }
    }
}

/// `struct histogram_cpu`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct OfCpu {
    sum: u64,
    slots: [u64; SLOTS],
    own: [u64; 8],
}

/// `struct histogram_of_key`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct OfKey {
    sum: u64,
    slots: [u64; SLOTS],
    comm: [u8; 16],
}

impl Default for OfCpu {
    fn default() -> Self {
        Self { sum: 0, slots: [0; SLOTS], own: [0; 8] }
    }
}

impl Default for OfKey {
    fn default() -> Self {
        Self { sum: 0, slots: [0; SLOTS], comm: [0; 16] }
    }
}

// SAFETY: both hold integers only, without padding.
unsafe impl Plain for OfCpu {}
// SAFETY: as above.
unsafe impl Plain for OfKey {}

impl Counters for OfCpu {
    const COUNTED: usize = 1 + SLOTS;
}

impl Counters for OfKey {
    const COUNTED: usize = 1 + SLOTS;
}

/// The histograms in the kernel, as they were at the last reading.
#[derive(Debug)]
pub struct Histograms<'obj, Key> {
    cpus: Map<'obj>,
    keys: Option<Map<'obj>>,
    growth: Growth<OfCpu>,
    sums: Sums<Key, OfKey>,
}

impl<'obj, Key: Plain + Default> Histograms<'obj, Key> {
    /// Those of a loaded object; `by_key` as it was set.
    ///
    /// # Errors
    /// The object has no histograms of this shape.
    pub fn of<'skel>(skel: &'obj impl Skel<'skel>, by_key: bool) -> Result<Self> {
        let map = |name: &str, size: usize| {
            let found = skel.object().maps().find(|map| map.name() == name);
            let found = found.with_context(|| format!("the BPF object has no map `{name}`"))?;
            ensure!(found.value_size() as usize == size, "`{name}` does not hold what this version reads");
            Ok(found)
        };
        let cpus = map("histogram_cpus", size_of::<OfCpu>())?;
        let keys = by_key.then(|| map("histograms", size_of::<OfKey>())).transpose()?;
        Ok(Self { cpus, keys, growth: Growth::default(), sums: Sums::default() })
    }

    /// What was counted since the last call, of the keys for which anything was. A key that is `gone` is forgotten.
    ///
    /// # Errors
    /// The kernel does not give them.
    pub fn take(&mut self, gone: impl Fn(&Key) -> bool) -> Result<Vec<Counted<Key>>> {
        let Some(keys) = &self.keys else {
            let all = self.growth.take(sum_of_cpus(&self.cpus)?);
            let histogram = Histogram::new(all.sum, all.slots);
            return Ok(Some(Counted { key: Key::default(), comm: [0; 16], histogram })
                .filter(|all| all.histogram.count() > 0)
                .into_iter()
                .collect());
        };
        let grown = self.sums.take(keys, |key, _| gone(key))?;
        let counted = |(key, of_key): (Key, OfKey)| {
            let histogram = Histogram::new(of_key.sum, of_key.slots);
            Counted { key, comm: of_key.comm, histogram }
        };
        Ok(grown.into_iter().map(counted).collect())
    }
}
