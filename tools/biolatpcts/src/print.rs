//! The percentiles of an interval, as they are printed.

use std::collections::BTreeMap;

use corescope::column::{Align, Field, Kind as FieldKind, Value};
use corescope::json::Object;
use corescope::output::vocabulary;
use corescope::read::log_linear::LogLinear;
use corescope::table::push_field;
use corescope::{Output, escape};

use crate::bpf::types::{biolatpcts_key as Key, biolatpcts_latencies as Latencies, request_kind as Kind};

/// The kinds of requests, in BCC's words and order.
const KINDS: [(Kind, &str); 4] = [
    (Kind::REQUEST_READ, "read"),
    (Kind::REQUEST_WRITE, "write"),
    (Kind::REQUEST_DISCARD, "discard"),
    (Kind::REQUEST_FLUSH, "flush"),
];
const NS_PER_S: f64 = 1e9;

pub(crate) fn fields() -> Vec<Field> {
    vec![
        vocabulary::TIME.json_only(),
        vocabulary::DISK.json_only(),
        vocabulary::OPERATION.meaning("read, write, discard, or flush (without data)"),
        vocabulary::COUNT.json_only().meaning("How many requests completed in the interval"),
        Field::text(
            "p50",
            Align::Right,
            6,
            "Latency that half of the requests do not exceed, and so on; - where there was none",
        ),
        Field::json("percentiles", FieldKind::Objects, "The latencies, a percentile each"),
        Field::json("percentiles[].percent", FieldKind::Number, "Of so many percent of the requests"),
        Field::json("percentiles[].latency_ns", FieldKind::Number, "Latency that these do not exceed, within 1 %"),
    ]
}

/// How they are printed.
pub(crate) struct Printer<'a> {
    pub(crate) percentiles: &'a [f64],
    pub(crate) as_bcc: bool,
}

impl Printer<'_> {
    pub(crate) fn print(&self, out: &mut Output, all: Vec<(Key, Latencies)>) {
        let mut disks: BTreeMap<Vec<u8>, [LogLinear; KINDS.len()]> = BTreeMap::new();
        for (key, latencies) in all {
            let of_disk = disks.entry(escape::c_string(&latencies.disk).to_vec()).or_default();
            if let Some(place) = of_disk.get_mut(key.kind as usize) {
                *place = LogLinear::new(latencies.histogram.slots);
            }
        }
        if disks.is_empty() && !out.is_json() {
            out.push("no request has completed\n");
            out.end_line();
        }
        for (disk, kinds) in &disks {
            if out.is_json() {
                self.json(out, disk, kinds);
            } else if self.as_bcc {
                self.dictionary(out, disk, kinds);
            } else {
                self.text(out, disk, kinds);
            }
        }
    }

    fn json(&self, out: &mut Output, disk: &[u8], kinds: &[LogLinear]) {
        let now = Value::Time(out.clock.now_ns());
        for ((_, operation), counted) in KINDS.iter().zip(kinds).filter(|(_, counted)| counted.count() > 0) {
            let mut object = Object::new(&mut out.buffer);
            push_field(&mut object, "time", &mut out.clock, &now);
            object.text("disk", disk);
            object.text("operation", operation.as_bytes());
            object.number("count", counted.count());
            object.list("percentiles", self.percentiles, |out, percent| {
                let mut of_one = Object::new(out);
                of_one.number("percent", percent);
                of_one.number("latency_ns", counted.percentile(*percent).unwrap_or(0));
                of_one.end();
            });
            object.end();
            out.end_line();
        }
    }

    /// `{"read": {"50": 0.000095}}`, with the disk, which BCC has only one of.
    fn dictionary(&self, out: &mut Output, disk: &[u8], kinds: &[LogLinear]) {
        let mut object = Object::new(&mut out.buffer);
        object.text("dev", disk);
        for ((_, operation), counted) in KINDS.iter().zip(kinds) {
            let mut of_kind = Object::new(object.key(operation));
            for percent in self.percentiles {
                #[allow(clippy::cast_precision_loss, reason = "a latency in seconds")]
                of_kind.number(&percent.to_string(), counted.percentile(*percent).unwrap_or(0) as f64 / NS_PER_S);
            }
            of_kind.end();
        }
        object.end();
        out.end_line();
    }

    fn text(&self, out: &mut Output, disk: &[u8], kinds: &[LogLinear]) {
        let mut name = Vec::new();
        escape::push(&mut name, disk);
        line(out, &String::from_utf8_lossy(&name), self.percentiles.iter().map(|percent| format!("p{percent}")));
        for ((_, operation), counted) in KINDS.iter().zip(kinds) {
            let cell = |percent: &f64| counted.percentile(*percent).map_or_else(|| "-".into(), short);
            line(out, operation, self.percentiles.iter().map(cell));
        }
        out.end_line();
    }
}

fn line(out: &mut Output, head: &str, cells: impl Iterator<Item = String>) {
    out.push(&format!("{head:<8}"));
    for cell in cells {
        out.push(&format!(" {cell:>6}"));
    }
    out.end_line();
}

/// `95us`, `1.5ms`, `2.0s`.
fn short(ns: u64) -> String {
    let tenths = |per: u64| format!("{}.{}", ns / per, ns % per * 10 / per);
    match ns {
        0..1_000_000 => format!("{}us", ns / 1_000),
        1_000_000..100_000_000 => tenths(1_000_000) + "ms",
        100_000_000..1_000_000_000 => format!("{}ms", ns / 1_000_000),
        _ => tenths(1_000_000_000) + "s",
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn latencies_are_short() {
        let shown = [950, 95_400, 1_590_000, 345_000_000, 2_000_000_000].map(short);
        assert_eq!(shown, ["0us", "95us", "1.5ms", "345ms", "2.0s"]);
    }
}
