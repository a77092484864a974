//! Histograms as `bpf/include/event/histogram.bpf.h` counts them, printed with BCC's look or as JSON.

use std::collections::HashMap;
use std::io::Write;

use super::column::Field;
use super::json::{self, Object};
use super::stdout::Output;

/// Slots of every histogram: `HISTOGRAM_SLOTS`.
const SLOTS: usize = 63;
/// The stars of the longest bar, and of the longest where large bounds leave less room.
const STARS: usize = 40;
const STARS_WIDE: usize = 20;

/// The JSON keys that [`Histogram::json`] writes, for the manual; the sum's own key is the tool's.
pub const FIELDS: [Field; 3] = [
    Field { header: "count", key: "count", help: "How many values were counted" },
    Field { header: "", key: "unit", help: "Unit of the bounds" },
    Field {
        header: "distribution",
        key: "buckets",
        help: "For each range of values its bounds, both inclusive, and its count; the last range has no upper bound",
    },
];

/// What the values of a slot are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Slot 0 counts 0 and 1, slot n from 2^n to 2^(n+1) - 1.
    Log2,
    /// Slot n counts n.
    Linear,
}

impl Scale {
    /// The lowest and the highest value of a slot. The last one also holds all that is larger.
    #[must_use]
    pub fn bounds(self, slot: usize) -> (u64, u64) {
        match (self, slot) {
            (Self::Log2, 0) => (0, 1),
            (Self::Log2, slot) => (1 << slot, (1 << (slot + 1)) - 1),
            (Self::Linear, slot) => (slot as u64, slot as u64),
        }
    }
}

/// Counts by slot, and the sum of the values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    sum: u64,
    slots: [u64; SLOTS],
}

impl Default for Histogram {
    fn default() -> Self {
        Self { sum: 0, slots: [0; SLOTS] }
    }
}

impl Histogram {
    /// The fields of a `struct histogram`.
    #[must_use]
    pub fn new(sum: u64, slots: [u64; SLOTS]) -> Self {
        Self { sum, slots }
    }

    /// Adds another histogram's counts.
    pub fn add(&mut self, other: &Self) {
        self.sum = self.sum.wrapping_add(other.sum);
        for (slot, more) in self.slots.iter_mut().zip(other.slots) {
            *slot = slot.wrapping_add(more);
        }
    }

    /// What has come since `earlier`: counters in the kernel only grow, and are not reset while events go on.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut difference = self.clone();
        difference.sum = self.sum.wrapping_sub(earlier.sum);
        for (slot, before) in difference.slots.iter_mut().zip(earlier.slots) {
            *slot = slot.wrapping_sub(before);
        }
        difference
    }

    /// How many values were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.slots.iter().sum()
    }

    /// The last slot that counted something.
    fn last(&self) -> Option<usize> {
        self.slots.iter().rposition(|count| *count > 0)
    }

    /// Prints the histogram as BCC does, `unit` above the bounds.
    pub fn print(&self, out: &mut Output, scale: Scale, unit: &str) {
        let Some(last) = self.last() else { return };
        let most = self.slots.iter().copied().max().unwrap_or(0);
        // BCC's widths: bounds of ten digits up to slot 31, of twenty beyond.
        let wide = scale == Scale::Log2 && last >= 32;
        let (digits, stars) = if wide { (20, STARS_WIDE) } else { (10, STARS) };
        let buffer = &mut out.buffer;
        // Writing to a Vec does not fail.
        let _ = match (scale, wide) {
            (Scale::Log2, false) => writeln!(buffer, "     {unit:<19} : count     distribution"),
            (Scale::Log2, true) => {
                writeln!(buffer, "               {unit:<29} : count     distribution")
            }
            (Scale::Linear, _) => writeln!(buffer, "     {unit:<13} : count     distribution"),
        };
        let first = match scale {
            Scale::Log2 => 0,
            Scale::Linear => self.slots.iter().position(|count| *count > 0).unwrap_or(0),
        };
        for (slot, count) in self.slots.iter().enumerate().take(last + 1).skip(first) {
            let (low, high) = scale.bounds(slot);
            let _ = match scale {
                Scale::Log2 => write!(buffer, "{low:>digits$} -> {high:<digits$} : "),
                Scale::Linear => write!(buffer, "        {low:<10} : "),
            };
            let _ = writeln!(buffer, "{count:<8} |{:<stars$}|", bar(*count, most, stars));
        }
    }

    /// Adds the histogram to a JSON object: `count`, `sum` under `sum_key` and `buckets` with the bounds of each slot up
    /// to the last that counted something, in `unit`.
    pub fn json(&self, object: &mut Object<'_>, scale: Scale, sum_key: &str, unit: &str) {
        object.number("count", self.count());
        object.number(sum_key, self.sum);
        object.text("unit", unit.as_bytes());
        let used = self.last().map_or(0, |last| last + 1);
        object.list("buckets", self.slots[..used].iter().enumerate(), |out, (slot, count)| {
            let (low, high) = scale.bounds(slot);
            let mut bucket = Object::new(out);
            bucket.number("low", low);
            // The last slot has no upper bound.
            match slot {
                slot if slot + 1 == SLOTS => bucket.key("high").extend_from_slice(b"null"),
                _ => json::number(bucket.key("high"), high),
            }
            bucket.number("count", count);
            bucket.end();
        });
    }
}

/// A bar of up to `width` stars, with a plus where it was cut short of what is really there.
fn bar(count: u64, most: u64, width: usize) -> String {
    let length = u128::from(count) * width as u128 / u128::from(most.max(1));
    "*".repeat(usize::try_from(length).unwrap_or(width))
}

/// What each interval added to counters that only grow: they are never reset, so no count falls between two outputs.
#[derive(Debug, Default)]
pub struct Intervals<Key> {
    before: HashMap<Key, Histogram>,
}

impl<Key: std::hash::Hash + Eq> Intervals<Key> {
    /// What has come to `key` since this was last called for it.
    pub fn added(&mut self, key: Key, now: Histogram) -> Histogram {
        let before = self.before.entry(key).or_default();
        let added = now.since(before);
        *before = now;
        added
    }

    /// Forgets a key that left the map.
    pub fn forget(&mut self, key: &Key) {
        self.before.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::{Histogram, Intervals, SLOTS, Scale};
    use crate::output::Output;
    use crate::output::json::Object;

    fn histogram(counts: &[(usize, u64)]) -> Histogram {
        let mut histogram = Histogram { sum: 1234, slots: [0; SLOTS] };
        for (slot, count) in counts {
            histogram.slots[*slot] = *count;
        }
        histogram
    }

    fn print(histogram: &Histogram, scale: Scale) -> String {
        let mut out = Output::to_memory(false);
        histogram.print(&mut out, scale, "usecs");
        String::from_utf8(out.buffer).expect("ASCII")
    }

    #[test]
    fn the_look_is_that_of_bcc() {
        assert_eq!(
            print(&histogram(&[(0, 12), (2, 24)]), Scale::Log2),
            "     usecs               : count     distribution\n\
             \u{20}        0 -> 1          : 12       |********************                    |\n\
             \u{20}        2 -> 3          : 0        |                                        |\n\
             \u{20}        4 -> 7          : 24       |****************************************|\n"
        );
    }

    #[test]
    fn large_bounds_make_room() {
        let text = print(&histogram(&[(40, 1)]), Scale::Log2);
        assert!(
            text.ends_with("       1099511627776 -> 2199023255551        : 1        |********************|\n"),
            "{text}"
        );
    }

    #[test]
    fn a_linear_one_starts_at_its_first_value() {
        assert_eq!(
            print(&histogram(&[(3, 1), (4, 2)]), Scale::Linear),
            "     usecs         : count     distribution\n\
             \u{20}       3          : 1        |********************                    |\n\
             \u{20}       4          : 2        |****************************************|\n"
        );
    }

    #[test]
    fn nothing_counted_prints_nothing() {
        assert_eq!(print(&Histogram::default(), Scale::Log2), "");
    }

    #[test]
    fn json_has_explicit_bounds() {
        let mut out = Vec::new();
        let mut object = Object::new(&mut out);
        histogram(&[(1, 3)]).json(&mut object, Scale::Log2, "sum_ns", "us");
        object.end();
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&out).expect("valid JSON"),
            serde_json::json!({"count": 3, "sum_ns": 1234, "unit": "us",
                "buckets": [{"low": 0, "high": 1, "count": 0}, {"low": 2, "high": 3, "count": 3}]})
        );
    }

    #[test]
    fn differences_of_counters() {
        let mut later = histogram(&[(1, 5)]);
        later.add(&histogram(&[(1, 2), (62, 1)]));
        let difference = later.since(&histogram(&[(1, 5)]));
        assert_eq!(difference, histogram(&[(1, 2), (62, 1)]));
    }

    #[test]
    fn each_interval_has_its_own_counts() {
        let mut intervals = Intervals::default();
        assert_eq!(intervals.added("a", histogram(&[(1, 5)])), histogram(&[(1, 5)]));
        let nothing = Histogram::default();
        assert_eq!(intervals.added("a", histogram(&[(1, 5)])), nothing);
        intervals.forget(&"a");
        assert_eq!(intervals.added("a", histogram(&[(1, 5)])), histogram(&[(1, 5)]));
    }
}
