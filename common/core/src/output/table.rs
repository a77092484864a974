//! Rows under their columns: aligned text, or one JSON object per line.

use std::io::Write;

use unicode_width::UnicodeWidthStr;

use super::clock::Clock;
use super::column::{Align, Column, Value};
use super::json::Object;
use super::stdout::Output;
use super::{escape, json};

/// The columns that are shown of a tool's rows.
///
/// JSON always has all of them: its keys do not depend on flags that widen the text.
#[derive(Debug)]
pub struct Table<Row: 'static> {
    columns: &'static [Column<Row>],
    shown: Vec<&'static Column<Row>>,
    renamed: Vec<(&'static str, String)>,
}

impl<Row> Table<Row> {
    /// All columns that have a header.
    #[must_use]
    pub fn new(columns: &'static [Column<Row>]) -> Self {
        let shown = columns.iter().filter(|column| !column.header.is_empty()).collect();
        Self { columns, shown, renamed: Vec::new() }
    }

    /// Shows the column with this header in text only where `wanted`.
    #[must_use]
    pub fn show(mut self, header: &str, wanted: bool) -> Self {
        debug_assert!(self.columns.iter().any(|column| column.header == header), "no column {header}");
        if !wanted {
            self.shown.retain(|column| column.header != header);
        }
        self
    }

    /// Shows the columns with these headers in text, and no others.
    #[must_use]
    pub fn only(mut self, headers: &[&str]) -> Self {
        debug_assert!(headers.iter().all(|header| self.columns.iter().any(|column| column.header == *header)));
        self.shown.retain(|column| headers.contains(&column.header));
        self
    }

    /// Prints another header above the column with this one: what it is shows only when the tool runs.
    #[must_use]
    pub fn rename(mut self, header: &'static str, to: String) -> Self {
        debug_assert!(self.columns.iter().any(|column| column.header == header), "no column {header}");
        self.renamed.push((header, to));
        self
    }

    /// The columns shown in text, in their order.
    #[must_use]
    pub fn shown(&self) -> &[&'static Column<Row>] {
        &self.shown
    }

    /// Writes the header line, where the output is text.
    pub fn header(&self, out: &mut Output) {
        if out.is_json() {
            return;
        }
        for (index, column) in self.shown.iter().enumerate() {
            let renamed = self.renamed.iter().find(|(header, _)| *header == column.header);
            let header = renamed.map_or(column.header, |(_, to)| to);
            self.cell(&mut out.buffer, index, column, |out| escape::push(out, header.as_bytes()));
        }
        out.end_line();
    }

    /// Writes the header line and rows.
    pub fn page<'row>(&self, out: &mut Output, rows: impl IntoIterator<Item = &'row Row>)
    where
        Row: 'row,
    {
        self.header(out);
        for row in rows {
            self.row(out, row);
            if !out.flush_if_full() {
                return;
            }
        }
    }

    /// Writes one row.
    pub fn row(&self, out: &mut Output, row: &Row) {
        self.row_and(out, row, |_| ());
    }

    /// Writes one row, and in JSON what `more` adds to its object.
    pub fn row_and(&self, out: &mut Output, row: &Row, more: impl FnOnce(&mut Object<'_>)) {
        if out.is_json() {
            let mut object = Object::new(&mut out.buffer);
            for column in self.columns.iter().filter(|column| !column.key.is_empty()) {
                push_field(&mut object, column.key, &mut out.clock, &(column.value)(row));
            }
            more(&mut object);
            object.end();
        } else {
            for (index, column) in self.shown.iter().enumerate() {
                let clock = &mut out.clock;
                self.cell(&mut out.buffer, index, column, |out| push_text(out, clock, &(column.value)(row)));
            }
        }
        out.end_line();
    }

    /// Writes one cell, padded to its column's width unless nothing follows it.
    fn cell(&self, out: &mut Vec<u8>, index: usize, column: &Column<Row>, write: impl FnOnce(&mut Vec<u8>) -> usize) {
        if index > 0 {
            out.push(b' ');
        }
        let start = out.len();
        let cells = write(out);
        let padding = column.width.saturating_sub(cells);
        match column.align {
            Align::Left if index + 1 == self.shown.len() => {}
            Align::Left => out.resize(out.len() + padding, b' '),
            Align::Right => {
                out.splice(start..start, std::iter::repeat_n(b' ', padding));
            }
        }
    }
}

/// A value as people read it.
pub fn text(value: &Value<'_>, clock: &mut Clock) -> String {
    let mut text = Vec::new();
    push_text(&mut text, clock, value);
    String::from_utf8_lossy(&text).into_owned()
}

/// Appends a value as people read it and gives the number of cells that it takes.
pub fn push_text(out: &mut Vec<u8>, clock: &mut Clock, value: &Value<'_>) -> usize {
    let start = out.len();
    // Writing to a Vec does not fail; what is written here is ASCII, one cell a byte.
    let _ = match value {
        Value::Unsigned(number) => write!(out, "{number}"),
        Value::Signed(number) => write!(out, "{number}"),
        Value::Scaled { raw, per, decimals } => write!(out, "{:.decimals$}", scaled(*raw, *per)),
        Value::Fixed { raw, decimals } => write!(out, "{}", fixed(*raw, *decimals)),
        Value::Time(ns) => write!(out, "{}", clock.hms(*ns)),
        Value::TimeMs(ns) => write!(out, "{}", clock.hms_ms(*ns)),
        Value::Elapsed(ns) => write!(out, "{:.3}", clock.elapsed(*ns).as_secs_f64()),
        Value::Seconds(ns) => write!(out, "{:.3}", scaled(*ns, 1_000_000_000)),
        Value::Size(bytes) => write!(out, "{}", size(*bytes)),
        Value::Octal(number) => write!(out, "{number:04o}"),
        Value::Bool(flag) => write!(out, "{}", u8::from(*flag)),
        Value::Missing => write!(out, "-"),
        Value::Text(text) => return escape::push(out, text),
        Value::Escaped(text) => {
            out.extend_from_slice(text.as_bytes());
            return text.width();
        }
        Value::Words(words) => return push_words(out, words, false),
        Value::Quoted(words) => return push_words(out, words, true),
    };
    out.len() - start
}

fn push_words(out: &mut Vec<u8>, words: &[&[u8]], quoted: bool) -> usize {
    let mut cells = 0;
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
            cells += 1;
        }
        // An empty argument would not be seen otherwise.
        let quotes = quoted || word.is_empty();
        cells += if quotes { escape::push_quoted(out, word) } else { escape::push(out, word) };
    }
    cells
}

/// Appends a key with its value to an object. Where text is not UTF-8, its exact bytes follow under the key with `_bytes`.
pub fn push_field(object: &mut Object<'_>, key: &str, clock: &mut Clock, value: &Value<'_>) {
    if let Value::Text(text) = value {
        return object.exact_text(key, Some(text));
    }
    push_json(object.key(key), clock, value);
    let is_text = |word: &&[u8]| str::from_utf8(word).is_ok();
    if let Value::Words(words) | Value::Quoted(words) = value
        && !words.iter().all(is_text)
    {
        let bytes = |out: &mut Vec<u8>, word: &&[u8]| json::list(out, *word, json::number);
        object.list(&format!("{key}_bytes"), words, bytes);
    }
}

/// Appends a value as JSON, raw; what is not UTF-8 in text is replaced.
fn push_json(out: &mut Vec<u8>, clock: &mut Clock, value: &Value<'_>) {
    match value {
        Value::Unsigned(number) | Value::Scaled { raw: number, .. } | Value::Size(number) => json::number(out, number),
        Value::Signed(number) => json::number(out, number),
        Value::Fixed { raw, decimals: 0 } => json::number(out, raw),
        Value::Fixed { raw, decimals } => {
            json::number(out, fixed(*raw, *decimals).trim_end_matches('0').trim_end_matches('.'));
        }
        Value::Text(text) => json::text(out, text),
        Value::Escaped(text) => json::text(out, text.as_bytes()),
        Value::Words(words) | Value::Quoted(words) => json::list(out, words, |out, word| json::text(out, word)),
        Value::Time(ns) | Value::TimeMs(ns) => {
            out.push(b'"');
            clock.push_rfc3339(out, *ns);
            out.push(b'"');
        }
        Value::Elapsed(ns) => json::number(out, clock.elapsed(*ns).as_secs_f64()),
        Value::Seconds(ns) => json::number(out, scaled(*ns, 1_000_000_000)),
        Value::Octal(number) => json::number(out, number),
        Value::Bool(flag) => json::number(out, flag),
        Value::Missing => out.extend_from_slice(b"null"),
    }
}

/// `0`, `999`, `1.0K`, `15K`, `1.2M`: four characters at most, up to the largest unit.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["K", "M", "G", "T", "P", "E"];
    let mut unit = 0;
    let mut per = 1024;
    if bytes < 1000 {
        return bytes.to_string();
    }
    // The next unit from 1000 on, for 1023 would take a fifth character.
    while unit + 1 < UNITS.len() && scaled(bytes, per) >= 999.5 {
        unit += 1;
        per <<= 10;
    }
    let number = scaled(bytes, per);
    let decimals = usize::from(number < 9.95);
    format!("{number:.decimals$}{}", UNITS[unit])
}

/// All digits: an f64 has about 16.
fn fixed(raw: u64, decimals: u32) -> String {
    let per = 10u64.pow(decimals);
    let (whole, fraction) = (raw / per, raw % per);
    if decimals == 0 { whole.to_string() } else { format!("{whole}.{fraction:0width$}", width = decimals as usize) }
}

#[allow(clippy::cast_precision_loss, reason = "people read a few digits")]
fn scaled(raw: u64, per: u64) -> f64 {
    raw as f64 / per as f64
}

#[cfg(test)]
mod tests {
    use super::Table;
    use crate::output::Output;
    use crate::output::column::{Column, Value};

    struct Row {
        pid: u32,
        comm: &'static [u8],
        latency_ns: u64,
    }

    const COLUMNS: &[Column<Row>] = crate::columns![Row;
        PID as "PID" left 6 => |row| row.pid.into(),
        COMM as "COMM" left 6: "Process name" => |row| Value::c_string(row.comm),
        "LAT(ms)" right 9 "latency_ns" number: "Latency" => |row| Value::Scaled { raw: row.latency_ns, per: 1_000_000, decimals: 2 },
        ARGS => |_| Value::Quoted(vec![b"a \"b\"", b""]),
    ];

    fn print(table: &Table<Row>, json: bool, row: &Row) -> String {
        let mut out = Output::to_memory(json);
        table.header(&mut out);
        table.row(&mut out, row);
        String::from_utf8_lossy(&out.buffer).into_owned()
    }

    #[test]
    fn text_is_aligned_by_cells() {
        let row = Row { pid: 7, comm: "日\n\0".as_bytes(), latency_ns: 1_234_567 };
        assert_eq!(
            print(&Table::new(COLUMNS), false, &row),
            "PID    COMM     LAT(ms) ARGS\n7      日\\n        1.23 \"a \\\"b\\\"\" \"\"\n"
        );
    }

    #[test]
    fn json_has_every_key_and_raw_numbers() {
        let row = Row { pid: 7, comm: b"a", latency_ns: 1_234_567 };
        assert_eq!(
            print(&Table::new(COLUMNS).show("LAT(ms)", false), true, &row),
            "{\"pid\":7,\"comm\":\"a\",\"latency_ns\":1234567,\"args\":[\"a \\\"b\\\"\",\"\"]}\n"
        );
    }

    #[test]
    fn names_are_strings_and_their_bytes_are_kept() {
        let row = Row { pid: 7, comm: b"a\xff", latency_ns: 0 };
        let line: serde_json::Value =
            serde_json::from_str(&print(&Table::new(COLUMNS), true, &row)).expect("valid JSON");
        assert_eq!((&line["comm"], &line["comm_bytes"]), (&"a\u{fffd}".into(), &serde_json::json!([97, 255])));
        let mut out = Vec::new();
        let mut object = super::Object::new(&mut out);
        let mut clock = Output::to_memory(false).clock;
        super::push_field(&mut object, "args", &mut clock, &Value::Words(vec![b"a", b"\xff"]));
        object.end();
        assert_eq!(out, b"{\"args\":[\"a\",\"\\ufffd\"],\"args_bytes\":[[97],[255]]}");
    }

    #[test]
    fn sizes_take_four_characters() {
        let sizes =
            [0, 999, 1000, 1023, 1024, 10 * 1024, 1000 * 1024, 1 << 20, 5 << 40, u64::MAX].map(super::size).join(" ");
        assert_eq!(sizes, "0 999 1.0K 1.0K 1.0K 10K 1.0M 1.0M 5.0T 16E");
    }

    #[test]
    fn a_header_can_be_another() {
        let row = Row { pid: 7, comm: b"a", latency_ns: 0 };
        let table = Table::new(COLUMNS).show("LAT(ms)", false).show("ARGS", false).rename("PID", "PID-X".into());
        assert_eq!(print(&table, false, &row), "PID-X  COMM\n7      a\n");
    }

    #[test]
    fn fractions_are_the_same_in_text_and_json() {
        let (mut text, mut json) = (Vec::new(), Vec::new());
        let value = Value::Fixed { raw: 1230, decimals: 3 };
        let mut clock = Output::to_memory(false).clock;
        assert_eq!(super::push_text(&mut text, &mut clock, &value), 5);
        super::push_json(&mut json, &mut clock, &value);
        assert_eq!((text, json), (b"1.230".to_vec(), b"1.23".to_vec()));
        assert_eq!(super::fixed(12_345_678_000_000_001, 9), "12345678.000000001");
    }

    #[test]
    fn columns_can_be_left_out_of_text() {
        let row = Row { pid: 7, comm: b"a", latency_ns: 0 };
        let table = Table::new(COLUMNS).show("LAT(ms)", false).show("ARGS", false);
        assert_eq!(print(&table, false, &row), "PID    COMM\n7      a\n");
    }
}
