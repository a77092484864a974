//! The interval that a row is about.

use std::time::Duration;

use corescope::Value;
use corescope::clock::Clock;

/// An interval: when it ended and how long it was.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Its end, in ns of `CLOCK_BOOTTIME`.
    pub end_ns: u64,
    /// Its length.
    pub length: Duration,
}

impl Span {
    /// One of this length that ends now.
    #[must_use]
    pub fn ending_now(length: Duration) -> Self {
        Self { end_ns: Clock::new().now_ns(), length }
    }

    /// Of so many in the interval as many as were in each second.
    #[must_use]
    pub fn per_second(&self, count: u64) -> u64 {
        let rate = u128::from(count) * 1_000_000_000 / self.length.as_nanos().max(1);
        u64::try_from(rate).unwrap_or(u64::MAX)
    }

    /// Its end, for the column `TIME`.
    #[must_use]
    pub fn time(&self) -> Value<'static> {
        Value::Time(self.end_ns)
    }

    /// Its length, for the column `INTERVAL`.
    #[must_use]
    pub fn interval(&self) -> Value<'static> {
        Value::Seconds(u64::try_from(self.length.as_nanos()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::Span;
    use std::time::Duration;

    #[test]
    fn rates_are_per_second() {
        let span = |ms| Span { end_ns: 0, length: Duration::from_millis(ms) };
        assert_eq!([500, 1000, 2000].map(|ms| span(ms).per_second(10)), [20, 10, 5]);
        assert_eq!(span(0).per_second(u64::MAX), u64::MAX);
    }
}
