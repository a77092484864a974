//! Histograms of a BPF object that includes bpf/include/event/histogram.bpf.h, interval by interval.
//!
//! ```ignore
//! let mut histograms = Histograms::<Key>::of(&skel, by_disk)?;
//! summarize(&skel, links, &args.histogram.interval, out, |_, out| {
//!     histogram::print(out, histograms.take(|key| false)?, COLUMNS, &args.histogram.look(SCALE));
//!     Ok(())
//! })
//! ```

use anyhow::{Result, ensure};
use libbpf_rs::skel::Skel;
use libbpf_rs::{Map, MapCore};
use plain::Plain;

use super::cpus::sum_of_cpus;
use super::interval::Interval;
use super::sums::{Counters, Growth, Sums, parse};
use crate::cli;
use crate::object::{Setup, map_of};
use crate::output::histogram::{Counted, Histogram, Look, Scale};

/// BCC's options of tools that print histograms: of times or of something else, with `[interval [count]]` or with
/// [`Lasting`](super::interval::Lasting).
#[derive(Debug, Clone, clap::Args)]
pub struct HistogramOptions<Of: Values = Times, When: clap::Args = Interval> {
    /// Print the time of day above each output
    #[arg(short = 'T', long)]
    pub timestamp: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would take it for the help of the options")]
    pub of: Of,
    /// Keep this many histograms at once, where there is more than one
    #[arg(long, value_name = "COUNT", value_parser = cli::count::<u32>)]
    pub max_entries: Option<u32>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would take it for the help of the options")]
    pub interval: When,
}

/// What is counted, with the options that choose its unit.
pub trait Values: clap::Args {
    /// What the bounds are in.
    fn unit(&self) -> Unit;

    /// Sets the object's constants: what the slots are, and a histogram for each key or one for all; with room for as many
    /// `entries` as are given, or as the object has.
    ///
    /// # Errors
    /// The object has no histograms.
    fn apply(&self, setup: &mut Setup<'_>, scale: Scale, by_key: bool, entries: Option<u32>) -> Result<()> {
        setup.set("histogram_unit", self.unit().number)?;
        setup.set("histogram_linear", scale == Scale::Linear)?;
        setup.set("histogram_by_key", by_key)?;
        if let Some(entries) = if by_key { entries } else { Some(1) } {
            setup.size("histograms", entries)?;
        }
        setup.size_per_cpu("histogram_cpus")
    }

    /// How the histograms are printed.
    fn look(&self, scale: Scale) -> Look {
        let Unit { header, name, sum, per, .. } = self.unit();
        Look { scale, header, unit: name, sum, per, timestamp: false, averages: false }
    }
}

/// Times, which the kernel side counts in ns.
#[derive(Debug, Clone, clap::Args)]
pub struct Times {
    /// Count in milliseconds instead of microseconds
    #[arg(short, long)]
    pub milliseconds: bool,
}

/// Sizes, which it counts in bytes.
#[derive(Debug, Clone, clap::Args)]
pub struct Sizes {}

/// A unit of bounds, in the words of [`Look`].
#[derive(Debug, Clone, Copy)]
pub struct Unit {
    /// `enum histogram_unit`, as the test below has it.
    number: u32,
    header: &'static str,
    name: &'static str,
    sum: &'static str,
    per: u64,
}

const MICROSECONDS: Unit = Unit { number: 1, header: "usecs", name: "us", sum: "sum_ns", per: 1_000 };
const MILLISECONDS: Unit = Unit { number: 2, header: "msecs", name: "ms", sum: "sum_ns", per: 1_000_000 };
const KILOBYTES: Unit = Unit { number: 3, header: "Kbytes", name: "KB", sum: "sum_bytes", per: 1024 };

impl Values for Times {
    fn unit(&self) -> Unit {
        if self.milliseconds { MILLISECONDS } else { MICROSECONDS }
    }
}

impl Values for Sizes {
    fn unit(&self) -> Unit {
        KILOBYTES
    }
}

impl<Of: Values, When: clap::Args> HistogramOptions<Of, When> {
    /// Sets the object's constants: what the slots are, and a histogram for each key or one for all.
    ///
    /// # Errors
    /// The object has no histograms.
    pub fn apply(&self, setup: &mut Setup<'_>, scale: Scale, by_key: bool) -> Result<()> {
        self.of.apply(setup, scale, by_key, self.max_entries)
    }

    /// How the histograms are printed.
    #[must_use]
    pub fn look(&self, scale: Scale) -> Look {
        Look { timestamp: self.timestamp, ..self.of.look(scale) }
    }
}

/// A histogram and what the kernel side keeps beside it.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
struct With<Rest> {
    histogram: Histogram,
    rest: Rest,
}

/// `struct histogram_cpu`.
type OfCpu = With<[u64; 8]>;
/// `struct histogram_of_key`; the rest is its name.
type OfKey = With<[u8; 16]>;

// SAFETY: integers only, without padding.
unsafe impl Plain for Histogram {}
// SAFETY: as above.
unsafe impl Plain for OfCpu {}
// SAFETY: as above.
unsafe impl Plain for OfKey {}

impl Counters for Histogram {}

impl<Rest> Counters for With<Rest>
where
    Self: Plain + Copy + Default,
{
    const COUNTED: usize = Histogram::COUNTED;
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
            let found = map_of(skel.object(), name)?;
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
            let counted = Counted { key: Key::default(), comm: [0; 16], histogram: all.histogram };
            return Ok(if all.is_zero() { Vec::new() } else { vec![counted] });
        };
        let grown = self.sums.take(keys, |key, _| gone(key))?;
        let counted = |(key, of_key): (Key, OfKey)| Counted { key, comm: of_key.rest, histogram: of_key.histogram };
        Ok(grown.into_iter().map(counted).collect())
    }

    /// The keys that have a histogram now, without what was counted.
    ///
    /// # Errors
    /// They are not of this type.
    pub fn keys(&self) -> Result<Vec<Key>> {
        self.keys.iter().flat_map(MapCore::keys).map(|key| parse(&key)).collect()
    }
}

#[cfg(test)]
mod tests {
    use corescope_testing::headers::enumerators;

    #[test]
    fn units_are_those_of_the_kernel_side() {
        let units = enumerators("event/histogram.bpf.h", "histogram_unit");
        let name = |unit: super::Unit| units[unit.number as usize].as_str();
        assert_eq!(name(super::MICROSECONDS), "HISTOGRAM_US");
        assert_eq!(name(super::MILLISECONDS), "HISTOGRAM_MS");
        assert_eq!(name(super::KILOBYTES), "HISTOGRAM_KB");
    }
}
