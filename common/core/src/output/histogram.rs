//! Histograms as `bpf/include/event/histogram.bpf.h` counts them, printed with BCC's look or as JSON.

use std::cmp::Ordering;
use std::io::Write;

use super::column::{self, Align, Column, Field, Kind, Value};
use super::json::Object;
use super::stdout::Output;
use super::table::{push_field, push_text};
use super::vocabulary;

/// Slots of every histogram: `HISTOGRAM_SLOTS`.
pub const SLOTS: usize = 63;
/// The stars of the longest bar, and of the longest where large bounds leave less room.
const STARS: usize = 40;
const STARS_WIDE: usize = 20;

/// What text says where it would otherwise be empty, which might be mistaken for a tool that does not work.
pub const NOTHING: &str = "nothing was counted\n";

/// The manual's view of a tool's histograms of times: their columns, and what is the same in all.
#[must_use]
pub fn fields<Key>(columns: &[Column<Counted<Key>>]) -> Vec<Field> {
    fields_in(columns, "usecs, msecs", Field::json("sum_ns", Kind::Number, "Sum of the values"))
}

/// The same of histograms of sizes.
#[must_use]
pub fn fields_of_sizes<Key>(columns: &[Column<Counted<Key>>]) -> Vec<Field> {
    fields_in(columns, "Kbytes", Field::json("sum_bytes", Kind::Number, "Sum of the values"))
}

/// The manual's view of what [`push_buckets`] writes.
pub const BUCKETS: [Field; 4] = [
    Field::json("buckets", Kind::Objects, "For each range of values its bounds and its count, the lowest first"),
    Field::json("buckets[].low", Kind::Number, "Lowest value of the range"),
    Field::json(
        "buckets[].high",
        Kind::Number,
        "Highest value of the range; null for the last one, which has no bound",
    ),
    Field::json("buckets[].count", Kind::Number, "How many values were in the range"),
];

/// Adds ranges to a JSON object, each with its lowest value, its highest one unless it has no bound, and its count.
pub fn push_buckets(object: &mut Object<'_>, buckets: impl IntoIterator<Item = (u64, Option<u64>, u64)>) {
    object.list("buckets", buckets, |out, (low, high, count)| {
        let mut bucket = Object::new(out);
        bucket.number("low", low);
        match high {
            Some(high) => bucket.number("high", high),
            None => bucket.null("high"),
        }
        bucket.number("count", count);
        bucket.end();
    });
}

fn fields_in<Key>(columns: &[Column<Counted<Key>>], ranges: &'static str, sum: Field) -> Vec<Field> {
    const UNIT: Field = Field::json("unit", Kind::Text, "Unit of the bounds: us, ms, or KB (1024 bytes)");
    const COUNT: Field = Field::json("count", Kind::Number, "How many there were");
    let ranges = Field::text(ranges, Align::Left, 0, "Range of values, both ends included");
    [&[vocabulary::TIME.json_only()], &column::fields(columns)[..], &[ranges, COUNT, sum, UNIT], &BUCKETS].concat()
}

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

/// Counts by slot, and the sum of the values: `struct histogram`. Added and subtracted as [`Counters`](crate::read::Counters).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
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

    /// How many values were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.slots.iter().sum()
    }

    /// The sum of the values, as they were before they were scaled for their slot.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// How many values each slot has counted.
    #[must_use]
    pub fn slots(&self) -> &[u64; SLOTS] {
        &self.slots
    }

    /// The slot that holds the value which `percent` of all values do not exceed; none of an empty histogram.
    #[must_use]
    pub fn percentile(&self, percent: u64) -> Option<usize> {
        let count = u128::from(self.count());
        // The rank of the value, from 1: of 10 values the median is the fifth.
        let rank = (count * u128::from(percent)).div_ceil(100).max(1);
        let mut seen = 0;
        self.slots.iter().position(|slot| {
            seen += u128::from(*slot);
            count > 0 && seen >= rank
        })
    }

    /// The last slot that counted something.
    #[must_use]
    pub fn last(&self) -> Option<usize> {
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

    /// Adds the histogram to a JSON object: `count`, the sum and `buckets` with the bounds of each slot up to the last that
    /// counted something.
    pub fn json(&self, object: &mut Object<'_>, look: &Look) {
        object.number("count", self.count());
        object.number(look.sum, self.sum);
        object.text("unit", look.unit.as_bytes());
        let used = self.last().map_or(0, |last| last + 1);
        let bucket = |(slot, count): (usize, &u64)| {
            let (low, high) = look.scale.bounds(slot);
            // The last slot has no upper bound.
            (low, (slot + 1 < SLOTS).then_some(high), *count)
        };
        push_buckets(object, self.slots[..used].iter().enumerate().map(bucket));
    }
}

/// A bar of up to `width` stars, with a plus where it was cut short of what is really there.
fn bar(count: u64, most: u64, width: usize) -> String {
    let length = u128::from(count) * width as u128 / u128::from(most.max(1));
    "*".repeat(usize::try_from(length).unwrap_or(width))
}

/// What was counted for one key in one interval.
#[derive(Debug, Clone)]
pub struct Counted<Key> {
    /// As the kernel side has it.
    pub key: Key,
    /// The key's name at the end of the interval, if the kernel side keeps one.
    pub comm: [u8; 16],
    /// The counts.
    pub histogram: Histogram,
}

/// How histograms are printed.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// What the values of a slot are.
    pub scale: Scale,
    /// The unit above the bounds, in BCC's words: `usecs`.
    pub header: &'static str,
    /// The unit in JSON: `us`.
    pub unit: &'static str,
    /// The key of the sum in JSON, with the unit that it is in: `sum_ns`.
    pub sum: &'static str,
    /// How many of what the sum is in make one unit of the bounds.
    pub per: u64,
    /// Whether the time of day is printed above each output.
    pub timestamp: bool,
    /// Whether average and sum follow each histogram, in the unit of the bounds.
    pub averages: bool,
}

impl Look {
    /// With averages, or without.
    #[must_use]
    pub fn with_averages(self, wanted: bool) -> Self {
        Self { averages: wanted, ..self }
    }
}

/// Prints the histograms of an interval that ends now: in text each under a line such as `pid = 7 sh`, of its columns that
/// have a header and a value; in JSON an object for each.
pub fn print<Key>(out: &mut Output, mut all: Vec<Counted<Key>>, columns: &[Column<Counted<Key>>], look: &Look) {
    let now = Value::Time(out.clock.now_ns());
    all.sort_by(|a, b| order(a, b, columns));
    if out.is_json() {
        for counted in &all {
            let mut object = Object::new(&mut out.buffer);
            push_field(&mut object, "time", &mut out.clock, &now);
            for column in columns.iter().filter(|column| !column.key.is_empty()) {
                push_field(&mut object, column.key, &mut out.clock, &(column.value)(counted));
            }
            counted.histogram.json(&mut object, look);
            object.end();
            out.end_line();
        }
        return;
    }
    out.end_line();
    if look.timestamp {
        push_text(&mut out.buffer, &mut out.clock, &now);
        out.end_line();
    }
    if all.iter().all(|counted| counted.histogram.count() == 0) {
        out.push(NOTHING);
    }
    for counted in &all {
        title(out, counted, columns);
        counted.histogram.print(out, look.scale, look.header);
        if look.averages {
            let (sum, count) = (counted.histogram.sum() / look.per.max(1), counted.histogram.count());
            let average = sum / count.max(1);
            let unit = look.header;
            out.push(&format!("\navg = {average} {unit}, total: {sum} {unit}, count: {count}\n"));
        }
    }
}

/// By the columns that text shows, the first one first.
fn order<Key>(a: &Counted<Key>, b: &Counted<Key>, columns: &[Column<Counted<Key>>]) -> Ordering {
    let shown = columns.iter().filter(|column| !column.header.is_empty());
    shown
        .map(|column| (column.value)(a).order(&(column.value)(b)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Histograms by the names of what they are of, for a screen: as text has them above each, `pid = 7 sh`.
#[must_use]
pub fn named<Key>(all: Vec<Counted<Key>>, columns: &[Column<Counted<Key>>]) -> Vec<(String, Histogram)> {
    let mut out = Output::to_memory(false);
    let name = |counted: Counted<Key>| {
        out.buffer.clear();
        push_title(&mut out, &counted, columns);
        (String::from_utf8_lossy(&out.buffer).into_owned(), counted.histogram)
    };
    all.into_iter().map(name).collect()
}

/// The line above a histogram, as BCC prints it; none where no column has a value.
fn title<Key>(out: &mut Output, counted: &Counted<Key>, columns: &[Column<Counted<Key>>]) {
    let start = out.buffer.len();
    push_title(out, counted, columns);
    if out.buffer.len() > start {
        out.buffer.insert(start, b'\n');
        out.end_line();
    }
}

/// `disk = sda`.
fn push_title<Key>(out: &mut Output, counted: &Counted<Key>, columns: &[Column<Counted<Key>>]) {
    let mut first = true;
    for column in columns.iter().filter(|column| !column.header.is_empty()) {
        let value = (column.value)(counted);
        if value == Value::Missing {
            continue;
        }
        let lead = if first { format!("{} = ", column.header) } else { " ".into() };
        out.push(&lead);
        push_text(&mut out.buffer, &mut out.clock, &value);
        first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::{Counted, Histogram, Look, SLOTS, Scale};
    use crate::output::Output;
    use crate::output::json::Object;

    const LOOK: Look = Look {
        scale: Scale::Log2,
        header: "usecs",
        unit: "us",
        sum: "sum_ns",
        per: 1_000,
        timestamp: false,
        averages: false,
    };

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
        histogram(&[(1, 3)]).json(&mut object, &LOOK);
        object.end();
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&out).expect("valid JSON"),
            serde_json::json!({"count": 3, "sum_ns": 1234, "unit": "us",
                "buckets": [{"low": 0, "high": 1, "count": 0}, {"low": 2, "high": 3, "count": 3}]})
        );
    }

    #[test]
    fn differences_of_counters() {
        use crate::read::Counters;
        let mut later = histogram(&[(1, 5)]);
        later.add(&histogram(&[(1, 2), (62, 1)]));
        let difference = later.since(&histogram(&[(1, 5)]));
        assert_eq!(difference, histogram(&[(1, 2), (62, 1)]));
    }

    #[test]
    fn percentiles_are_slots() {
        let known = histogram(&[(1, 50), (2, 49), (9, 1)]);
        assert_eq!([50, 51, 99, 100].map(|percent| known.percentile(percent)), [1, 2, 2, 9].map(Some));
        assert_eq!(Histogram::default().percentile(50), None);
    }

    #[test]
    fn each_key_has_a_title() {
        let columns = crate::columns![Counted<u32>;
            PID as "pid" left 0 => |counted| (counted.key != 0).then_some(counted.key).into(),
            COMM as "" left 0 => |counted| (counted.key != 0).then(|| super::Value::c_string(&counted.comm)).into(),
        ];
        let counted = |key, comm: &[u8; 16]| Counted { key, comm: *comm, histogram: histogram(&[(0, 1)]) };
        let look = LOOK.with_averages(true);
        let print = |json, all: &[Counted<u32>]| {
            let mut out = Output::to_memory(json);
            super::print(&mut out, all.to_vec(), columns, &look);
            String::from_utf8(out.buffer).expect("ASCII")
        };
        let text = print(false, &[counted(7, b"sh\0\0\0\0\0\0\0\0\0\0\0\0\0\0")]);
        assert!(text.starts_with("\n\npid = 7\n     usecs"), "{text}");
        assert!(text.ends_with("|\n\navg = 1 usecs, total: 1 usecs, count: 1\n"), "{text}");
        assert!(print(false, &[counted(0, &[0; 16])]).starts_with("\n     usecs"));
        assert_eq!((print(false, &[]), print(true, &[])), (format!("\n{}", super::NOTHING), String::new()));
        let parsed: serde_json::Value = serde_json::from_str(&print(true, &[counted(7, &[0; 16])])).expect("one line");
        assert_eq!((&parsed["pid"], &parsed["count"]), (&7.into(), &1.into()));
    }
}
