//! What a stack of a summary amounts to: a number, or a histogram.

use std::io::Write;

use corescope::json::Object;
use corescope::{Histogram, Output, histogram};

/// What is known of a stack beside its names. Those of stacks that look alike are added up.
pub trait Amount: Clone {
    /// What folded lines show, see [`crate::Format::unit`]. The stack with the greatest is printed last.
    fn total(&self) -> u64;

    /// Adds that of a stack that looks the same.
    fn add(&mut self, other: &Self);

    /// Writes what stands below the stack in text.
    fn text(&self, out: &mut Output, unit: u64);

    /// Adds what JSON has besides the tool's columns.
    fn json(&self, _object: &mut Object<'_>) {}
}

impl Amount for u64 {
    fn total(&self) -> u64 {
        *self
    }

    fn add(&mut self, other: &Self) {
        *self += other;
    }

    fn text(&self, out: &mut Output, unit: u64) {
        // Writing to a Vec does not fail.
        let _ = writeln!(out.buffer, "        {}", self / unit);
    }
}

/// How what a stack did is spread.
#[derive(Debug, Clone, Copy)]
pub struct Distribution {
    /// The counts.
    pub histogram: Histogram,
    /// How they are printed.
    pub look: histogram::Look,
    /// Whether the total is how many there were, not their sum.
    pub counts: bool,
}

impl Amount for Distribution {
    fn total(&self) -> u64 {
        if self.counts { self.histogram.count() } else { self.histogram.sum() }
    }

    fn add(&mut self, other: &Self) {
        corescope::read::sums::Counters::add(&mut self.histogram, &other.histogram);
    }

    fn text(&self, out: &mut Output, _unit: u64) {
        self.histogram.print(out, self.look.scale, self.look.header);
    }

    fn json(&self, object: &mut Object<'_>) {
        self.histogram.json(object, &self.look);
    }
}

#[cfg(test)]
mod tests {
    use super::{Amount, Distribution};
    use corescope::histogram::{Histogram, Look, SLOTS, Scale};
    use corescope::{Output, json::Object};

    const LOOK: Look = Look {
        scale: Scale::Log2,
        header: "usecs",
        unit: "us",
        sum: "sum_ns",
        per: 1_000,
        timestamp: false,
        averages: false,
    };

    fn distribution(slot: usize, sum: u64) -> Distribution {
        let mut slots = [0; SLOTS];
        slots[slot] = 3;
        Distribution { histogram: Histogram::new(sum, slots), look: LOOK, counts: false }
    }

    #[test]
    fn histograms_are_added_up() {
        let mut both = distribution(1, 7000);
        both.add(&distribution(2, 17_000));
        assert_eq!((both.total(), Distribution { counts: true, ..both }.total()), (24_000, 6));
        let mut out = Output::to_memory(false);
        both.text(&mut out, 1000);
        let text = String::from_utf8_lossy(&out.buffer);
        assert!(text.contains("2 -> 3          : 3 ") && text.contains("4 -> 7          : 3 "), "{text}");
        let mut json = Vec::new();
        let mut object = Object::new(&mut json);
        both.json(&mut object);
        object.end();
        let json: serde_json::Value = serde_json::from_slice(&json).expect("valid JSON");
        assert_eq!(
            (&json["count"], &json["sum_ns"], &json["buckets"][2]["low"]),
            (&6.into(), &24_000.into(), &4.into())
        );
    }
}
