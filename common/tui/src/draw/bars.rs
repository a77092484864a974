//! The last intervals of a row, as a line of bars.

use std::env;

/// How many intervals are remembered.
pub(crate) const LENGTH: usize = 20;

/// The characters of a bar, from nothing to full.
pub(crate) type Bars = [char; 9];
pub(crate) const BLOCKS: Bars = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// For terminals that do not show UTF-8.
pub(crate) const ASCII: Bars = [' ', '.', ',', ':', ';', '+', '*', '%', '#'];

/// The bars that the locale can show.
pub(crate) fn bars() -> &'static Bars {
    // As setlocale(3) looks: the first that is set and not empty.
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(env::var_os).find(|value| !value.is_empty());
    let locale = locale.map(|value| value.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    if locale.contains("utf-8") || locale.contains("utf8") { &BLOCKS } else { &ASCII }
}

/// What a row did in the last intervals, the newest last. What was before its begin is nothing.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct History([u64; LENGTH]);

impl History {
    pub(crate) fn push(&mut self, rate: u64) {
        self.0.rotate_left(1);
        self.0[LENGTH - 1] = rate;
    }

    /// The largest.
    pub(crate) fn most(&self) -> u64 {
        self.0.iter().max().copied().unwrap_or(0)
    }

    /// What two rows did together.
    pub(crate) fn add(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            *own = own.saturating_add(other);
        }
    }

    /// The highest bar is `most`, which is one for all rows of a screen: those that do little have low bars.
    pub(crate) fn line(&self, bars: &Bars, most: u64) -> String {
        self.0.iter().map(|rate| bars[eighths(*rate, most)]).collect()
    }
}

/// Little is more than nothing.
fn eighths(rate: u64, most: u64) -> usize {
    let eighths = (u128::from(rate) * 8).div_ceil(u128::from(most.max(1)));
    usize::try_from(eighths).unwrap_or(8)
}

#[cfg(test)]
mod tests {
    use super::{ASCII, BLOCKS, History, LENGTH};

    #[test]
    fn bars_are_relative_to_the_largest() {
        let mut history = History::default();
        assert_eq!(history.line(&BLOCKS, history.most()).trim(), "");
        for rate in [0, 1, 50, 100, u64::MAX] {
            history.push(rate);
        }
        assert_eq!(history.line(&ASCII, history.most()).trim(), "...#");
        let mut history = History::default();
        for rate in [1, 50, 100] {
            history.push(rate);
        }
        assert_eq!(history.line(&BLOCKS, 100).trim(), "▁▄█");
        assert_eq!(history.line(&BLOCKS, 1000).trim(), "▁▁▁");
        let mut both = history;
        both.add(&history);
        assert_eq!((both.most(), both.line(&BLOCKS, 200).trim()), (200, "▁▄█"));
    }

    #[test]
    fn the_oldest_goes_and_the_width_stays() {
        let mut history = History::default();
        for rate in 0..100 {
            history.push(rate);
            assert_eq!(history.line(&BLOCKS, 100).chars().count(), LENGTH);
        }
        assert!(history.line(&BLOCKS, 99).ends_with('█'));
    }
}
