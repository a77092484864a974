//! The intervals that are kept.

use std::collections::{HashMap, VecDeque};

use corescope::Histogram;
use corescope::read::Counters;

/// How many intervals are kept at most: more than a wide screen shows.
const INTERVALS: usize = 600;
/// How many histograms are kept in all, of half a KiB each.
const HISTOGRAMS: usize = 16 * 1024;
/// How many things have a histogram of their own in each interval: the busiest.
const KEYS: usize = 64;

/// One interval.
#[derive(Debug)]
pub(crate) struct Column {
    /// The time of day at its end.
    pub(crate) time: String,
    all: Histogram,
    keys: HashMap<String, Histogram>,
}

impl Column {
    /// The histogram of a key, or of all together.
    pub(crate) fn of(&self, key: Option<&str>) -> Option<&Histogram> {
        key.map_or(Some(&self.all), |key| self.keys.get(key))
    }
}

/// The last intervals, the newest at the end.
#[derive(Debug, Default)]
pub(crate) struct Model {
    columns: VecDeque<Column>,
    histograms: usize,
}

impl Model {
    /// Adds an interval. The oldest go, where there are too many.
    pub(crate) fn push(&mut self, time: String, mut histograms: Vec<(String, Histogram)>) {
        let mut all = Histogram::default();
        for (_, histogram) in &histograms {
            all.add(histogram);
        }
        histograms.sort_by_key(|(_, histogram)| std::cmp::Reverse(histogram.count()));
        histograms.truncate(KEYS);
        // One by itself is all there is.
        if histograms.len() == 1 && histograms[0].0.is_empty() {
            histograms.clear();
        }
        let column = Column { time, all, keys: histograms.into_iter().collect() };
        self.histograms += 1 + column.keys.len();
        self.columns.push_back(column);
        while self.columns.len() > INTERVALS || self.histograms > HISTOGRAMS {
            let Some(oldest) = self.columns.pop_front() else { return };
            self.histograms -= 1 + oldest.keys.len();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.columns.len()
    }

    /// The interval that is `back` before the newest.
    pub(crate) fn back(&self, back: usize) -> Option<&Column> {
        self.columns.get(self.columns.len().checked_sub(1 + back)?)
    }

    /// All things that have a histogram, the busiest first.
    pub(crate) fn keys(&self) -> Vec<&str> {
        let mut counts: HashMap<&str, u64> = HashMap::new();
        for (key, histogram) in self.columns.iter().flat_map(|column| &column.keys) {
            *counts.entry(key).or_default() += histogram.count();
        }
        let mut keys: Vec<(&str, u64)> = counts.into_iter().collect();
        keys.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        keys.into_iter().map(|(key, _)| key).collect()
    }

    /// The lowest and the highest slot in which any interval counted something.
    pub(crate) fn slots(&self, key: Option<&str>) -> Option<(usize, usize)> {
        let used = self.columns.iter().filter_map(|column| {
            let histogram = column.of(key)?;
            Some((histogram.slots().iter().position(|count| *count > 0)?, histogram.last()?))
        });
        used.reduce(|(low, high), (lower, higher)| (low.min(lower), high.max(higher)))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{HISTOGRAMS, INTERVALS, Model};
    use corescope::Histogram;

    /// One that counted `count` values in each of these slots.
    pub(crate) fn histogram(slots: &[usize], count: u64) -> Histogram {
        let mut counts = [0; 63];
        for slot in slots {
            counts[*slot] = count;
        }
        Histogram::new(1000 * count * slots.len() as u64, counts)
    }

    #[test]
    fn old_intervals_go() {
        let mut model = Model::default();
        for index in 0..INTERVALS + 10 {
            model.push(index.to_string(), vec![(String::new(), histogram(&[1], 1))]);
        }
        assert_eq!(model.len(), INTERVALS);
        assert_eq!(model.back(0).map(|column| column.time.as_str()), Some("609"));
        assert!(model.back(INTERVALS).is_none() && model.keys().is_empty());
    }

    #[test]
    fn memory_is_bounded_with_many_keys() {
        let mut model = Model::default();
        for _ in 0..INTERVALS {
            model.push(String::new(), (0..100).map(|key| (key.to_string(), histogram(&[1], 1))).collect());
        }
        assert!(model.histograms <= HISTOGRAMS && model.len() > 200, "{}", model.len());
    }

    #[test]
    fn keys_are_ordered_and_add_up() {
        let mut model = Model::default();
        model.push("1".into(), vec![("a".into(), histogram(&[1], 1)), ("b".into(), histogram(&[5], 3))]);
        assert_eq!(model.keys(), ["b", "a"]);
        assert_eq!(
            (model.slots(None), model.slots(Some("a")), model.slots(Some("c"))),
            (Some((1, 5)), Some((1, 1)), None)
        );
        assert_eq!(model.back(0).and_then(|column| column.of(None)).map(Histogram::count), Some(4));
    }
}
