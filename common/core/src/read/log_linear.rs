//! Histograms that are fine enough for percentiles: bpf/include/event/log_linear.bpf.h.

/// Slots of each power of two, as a power of two: `LOG_LINEAR_BITS`.
const BITS: u32 = 6;
/// `LOG_LINEAR_SLOTS`.
pub const SLOTS: usize = 2048;

/// Counts by slot: `struct log_linear`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct LogLinear {
    slots: [u64; SLOTS],
}

impl Default for LogLinear {
    fn default() -> Self {
        Self { slots: [0; SLOTS] }
    }
}

/// The lowest value of a slot; the lowest of the next one is behind its highest.
fn low(slot: usize) -> u64 {
    let (slot, fine) = (slot as u64, 1 << BITS);
    if slot < 2 * fine {
        return slot;
    }
    let shift = (slot >> BITS) - 1;
    (slot - (shift << BITS)) << shift
}

impl LogLinear {
    /// The field of a `struct log_linear`.
    #[must_use]
    pub fn new(slots: [u64; SLOTS]) -> Self {
        Self { slots }
    }

    /// How many values were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.slots.iter().sum()
    }

    /// The value that `percent` of all values do not exceed, within 1 %: the middle of the slot that it is in. None where
    /// nothing was counted.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> Option<u64> {
        let count = self.count();
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank"
        )]
        let rank = ((percent / 100.0 * count as f64).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0;
        let slot = self.slots.iter().position(|counted| {
            seen += counted;
            seen >= rank
        })?;
        Some(u64::midpoint(low(slot), low(slot + 1) - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::{LogLinear, SLOTS, low};

    /// As the kernel side finds it.
    fn slot(value: u64) -> usize {
        let shift = value.max(1).ilog2().saturating_sub(6);
        let slot = (u64::from(shift) << 6) + (value >> shift);
        usize::try_from(slot).expect("a slot").min(SLOTS - 1)
    }

    fn of(values: impl IntoIterator<Item = u64>) -> LogLinear {
        let mut counted = LogLinear::default();
        for value in values {
            counted.slots[slot(value)] += 1;
        }
        counted
    }

    #[test]
    fn slots_follow_each_other_and_hold_their_values() {
        for value in (0..2000).chain((0..36).flat_map(|power| [(1 << power) - 1, 1 << power, (1 << power) * 5 / 4])) {
            let slot = slot(value);
            assert!((low(slot)..low(slot + 1)).contains(&value), "{value} in {slot}");
        }
    }

    #[test]
    fn percentiles_are_exact_within_one_percent() {
        let values: Vec<u64> = (1..=10_000u64).map(|number| number * number * 37).collect();
        let counted = of(values.iter().copied());
        for percent in [0.1, 1.0, 25.0, 50.0, 90.0, 99.0, 99.99, 100.0] {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
            let exact = values[((percent * 100.0f64).ceil() as usize).max(1) - 1];
            let found = counted.percentile(percent).expect("values");
            assert!(found.abs_diff(exact) * 100 <= exact, "p{percent}: {found}, not {exact}");
        }
        assert_eq!(counted.count(), 10_000);
    }

    #[test]
    fn small_values_are_exact_and_none_have_no_percentile() {
        assert_eq!(of([3, 5, 7]).percentile(50.0), Some(5));
        assert_eq!(of([]).percentile(50.0), None);
    }
}
