//! Summaries by stack: what many rows with the same stacks add up to, as text, as folded lines or as JSON.
//!
//! A tool keeps [`Entry`]s: whose stacks they are, the stacks' numbers, and a value. [`Summary::run`] asks for them: while it
//! traces, to find names as long as the processes are there, and at the end of each interval, to print it.

use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use corescope::column::{Column, Value};
use corescope::histogram::NOTHING;
use corescope::interval::{Due, every_watching};
use corescope::json::Object;
use corescope::libbpf_rs::Link;
use corescope::libbpf_rs::skel::Skel;
use corescope::table::push_field;
use corescope::{Lost, Output, escape, signals};

use crate::amount::Amount;
use crate::named::{Named, Space};
use crate::options::{Sides, Storage};
use crate::print::{self, Look};
use crate::stack::{Stack, StackMap};
use crate::symbols::Symbols;

/// How often processes are looked at that may have ended when their stacks are named.
const WATCH: Duration = Duration::from_millis(250);
/// The column of a name.
const COMM_WIDTH: usize = 16;

/// A stack of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Side {
    /// Its key in JSON, as in [`crate::fields`].
    pub key: &'static str,
    /// Where it is from.
    pub space: Space,
    /// Its number, from `stack_id()` of bpf/include/event/stack.bpf.h.
    pub id: u64,
    /// The function that it begins with: what lies above is the tracing itself.
    pub begin_at: Option<&'static str>,
    /// What its process is called: under another name it may be another program.
    pub comm: [u8; 16],
}

impl Side {
    /// A kernel stack.
    #[must_use]
    pub fn kernel(key: &'static str, id: u64, begin_at: &'static str) -> Self {
        Self { key, space: Space::Kernel, id, begin_at: Some(begin_at), comm: [0; 16] }
    }

    /// A user stack of a process.
    #[must_use]
    pub fn user(key: &'static str, id: u64, pid: u32, comm: [u8; 16]) -> Self {
        Self { key, space: Space::Process(pid), id, begin_at: None, comm }
    }
}

/// A part of what is shown of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A stack.
    Stack(Side),
    /// Who it was. Text shows a line with all, folded lines the name alone, JSON nothing: there it is a column.
    Name {
        /// What stands before the name, such as `waker:`.
        label: &'static str,
        /// The name.
        comm: [u8; 16],
        /// What stands behind it, such as ` (1234)`.
        id: String,
    },
    /// The same as a line of columns: what folded lines begin with, wherever it stands.
    Heading {
        /// The name, the first column.
        comm: [u8; 16],
        /// The others.
        rest: String,
    },
}

/// A row with its stacks.
#[derive(Debug, Clone)]
pub struct Entry<Row, Value = u64> {
    /// What the columns take their values from.
    pub row: Row,
    /// What is shown, in the order of text; folded lines turn it round.
    pub parts: Vec<Part>,
    /// What text and folded lines show. The entry with the greatest is printed last.
    pub value: Value,
}

impl Part {
    fn is_stack(&self) -> bool {
        matches!(self, Self::Stack(_))
    }
}

impl<Row, Value> Entry<Row, Value> {
    fn sides(&self) -> impl Iterator<Item = &Side> {
        self.parts.iter().filter_map(|part| match part {
            Part::Stack(side) => Some(side),
            Part::Name { .. } | Part::Heading { .. } => None,
        })
    }
}

/// How a summary is printed.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// What text shows beside the names.
    pub look: Look,
    /// One line per stack.
    pub folded: bool,
    /// How much of an entry's value text and folded lines count as one: 1000 where it is in nanoseconds and they show
    /// microseconds.
    pub unit: u64,
}

impl Format {
    /// As the options say; with `addresses` and `offsets` beside the names.
    #[must_use]
    pub fn of(sides: &Sides, addresses: bool, offsets: bool, unit: u64) -> Self {
        Self { look: Look { delimited: sides.delimited, addresses, offsets }, folded: sides.folded, unit }
    }

    /// The parts of an entry, whose stacks are `named`.
    fn push(&self, out: &mut Output, parts: &[Part], named: &[Named]) {
        if self.folded {
            self.push_folded(out, parts, named);
        } else {
            self.push_text(out, parts, named);
        }
    }

    fn push_text(&self, out: &mut Output, parts: &[Part], mut named: &[Named]) {
        for group in parts.chunk_by(|one, next| one.is_stack() && next.is_stack()) {
            // Writing to a Vec does not fail.
            match group {
                [Part::Name { label, comm, id }] => {
                    let _ = write!(out.buffer, "    {label:<16} ");
                    escape::push(&mut out.buffer, escape::c_string(comm));
                    let _ = writeln!(out.buffer, "{id}");
                    continue;
                }
                [Part::Heading { comm, rest }] => {
                    let width = escape::push(&mut out.buffer, escape::c_string(comm));
                    let _ = writeln!(out.buffer, "{:1$} {rest}", "", COMM_WIDTH.saturating_sub(width));
                    continue;
                }
                _ => (),
            }
            let (stacks, rest) = named.split_at(group.len());
            print::text(out, stacks, self.look);
            named = rest;
        }
    }

    fn push_folded(&self, out: &mut Output, parts: &[Part], mut named: &[Named]) {
        let start = out.buffer.len();
        for part in parts {
            if let Part::Heading { comm, .. } = part {
                print::folded_name(out, escape::c_string(comm));
            }
        }
        for group in parts.chunk_by(|one, next| one.is_stack() && next.is_stack()).rev() {
            match group {
                [Part::Heading { .. }] => continue,
                [Part::Name { comm, .. }] => {
                    print::folded_name(out, escape::c_string(comm));
                    continue;
                }
                _ => (),
            }
            let (rest, stacks) = named.split_at(named.len() - group.len());
            print::folded(out, stacks, self.look);
            named = rest;
        }
        // Each has put a semicolon before itself.
        if out.buffer.len() > start {
            out.buffer.remove(start);
        }
    }

    fn push_value(&self, out: &mut Output, value: &impl Amount) {
        if self.folded {
            let _ = writeln!(out.buffer, " {}", value.total() / self.unit);
        } else {
            value.text(out, self.unit);
            out.end_line();
        }
    }
}

/// Stacks and their names, for the whole run of a tool.
#[derive(Debug)]
pub struct Summary<'map> {
    symbols: Symbols,
    stacks: StackMap<'map>,
    format: Format,
    /// Stacks for which names were looked for already.
    seen: HashSet<(Space, u64)>,
}

/// When a summary is printed.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// How long an interval is; without it, one output at the end.
    pub interval: Option<Duration>,
    /// After how many the tool ends.
    pub count: u64,
}

impl<'map> Summary<'map> {
    /// The stacks of the map `stacks`.
    #[must_use]
    pub fn new(stacks: StackMap<'map>, storage: &Storage, format: Format) -> Self {
        Self { symbols: Symbols::new(storage.frames.source_lines), stacks, format, seen: HashSet::new() }
    }

    /// Prints `title`, and each interval's entries until the tool has done so often enough or is asked to end;
    /// then nothing is traced any more. `entries` is asked for what an interval has brought, and between for what is there.
    ///
    /// # Errors
    /// Those of `entries`, and of the output.
    pub fn run<'obj, Row, Value: Amount>(
        mut self,
        skel: &impl Skel<'obj>,
        mut links: Vec<Link>,
        (mut out, title): (Output, &str),
        times: Times,
        columns: &[Column<Row>],
        mut entries: impl FnMut(Due) -> Result<Vec<Entry<Row, Value>>>,
    ) -> Result<()> {
        let mut lost = Lost::of(skel)?;
        let mut left = times.count;
        if !out.is_json() && !self.format.folded {
            out.push(title);
            out.flush()?;
        }
        every_watching(times.interval, Some(times.count), WATCH, |due| {
            if due == Due::Look {
                self.look_ahead(&entries(due)?);
                return Ok(());
            }
            left -= 1;
            if left == 0 || signals::stopped() {
                // Naming takes a while: nobody needs to be traced meanwhile.
                links.clear();
            }
            out.clock.resync();
            self.begin(&mut out, times.count > 1);
            let mut entries = entries(due)?;
            entries.sort_by_key(|entry| entry.value.total());
            self.print(&mut out, &entries, columns)?;
            lost.report(&mut out);
            out.flush()
        })
    }

    /// Remembers processes while they are there, and finds names ahead: less is left for the end.
    fn look_ahead<Row, Value>(&mut self, entries: &[Entry<Row, Value>]) {
        for entry in entries {
            for side in entry.sides() {
                if let Space::Process(pid) = side.space
                    && side.id != 0
                {
                    self.symbols.remember(pid, escape::c_string(&side.comm));
                }
                if self.seen.insert((side.space, side.id)) {
                    self.symbols.want(side.space, &self.stacks.read(side.id));
                }
            }
        }
        self.symbols.resolve_ahead();
    }

    /// A blank line, as in BCC, and the time.
    fn begin(&self, out: &mut Output, timestamp: bool) {
        if out.is_json() || self.format.folded {
            return;
        }
        out.end_line();
        if timestamp {
            let time = out.clock.hms(out.clock.now_ns()).to_string();
            out.push(&time);
            out.end_line();
        }
    }

    /// Prints the entries of an interval that ends now, each with what its columns say in JSON.
    fn print<Row, Value: Amount>(
        &mut self,
        out: &mut Output,
        entries: &[Entry<Row, Value>],
        columns: &[Column<Row>],
    ) -> Result<()> {
        let now = out.clock.now_ns();
        let stacks: Vec<Vec<Stack>> =
            entries.iter().map(|entry| entry.sides().map(|side| self.stacks.read(side.id)).collect()).collect();
        for (side, stack) in entries.iter().flat_map(Entry::sides).zip(stacks.iter().flatten()) {
            self.symbols.want(side.space, stack);
        }
        self.symbols.resolve();
        if out.is_json() {
            for (entry, stacks) in entries.iter().zip(&stacks) {
                json(out, now, entry, &self.name(entry, stacks), columns);
                if !out.flush_if_full() {
                    break;
                }
            }
        } else {
            if entries.is_empty() && !self.format.folded {
                out.push(NOTHING);
            }
            self.print_alike(out, entries, &stacks);
        }
        self.symbols.forget_processes();
        self.seen.clear();
        out.flush()
    }

    /// Prints entries, those that look alike as one.
    fn print_alike<Row, Value: Amount>(&self, out: &mut Output, entries: &[Entry<Row, Value>], stacks: &[Vec<Stack>]) {
        // Each is written twice, so that not all have to be kept.
        let looks = entries.iter().zip(stacks).map(|(entry, stacks)| {
            let start = out.buffer.len();
            self.format.push(out, &entry.parts, &self.name(entry, stacks));
            let mut hasher = DefaultHasher::new();
            out.buffer[start..].hash(&mut hasher);
            out.buffer.truncate(start);
            (hasher.finish(), &entry.value)
        });
        for (index, value) in alike(looks) {
            let entry = &entries[index];
            self.format.push(out, &entry.parts, &self.name(entry, &stacks[index]));
            self.format.push_value(out, &value);
            if !out.flush_if_full() {
                break;
            }
        }
    }

    fn name<Row, Value>(&self, entry: &Entry<Row, Value>, stacks: &[Stack]) -> Vec<Named> {
        let name = |(side, stack): (&Side, _)| {
            let mut named = self.symbols.name(side.space, stack);
            side.begin_at.inspect(|function| named.begin_at(function));
            named
        };
        entry.sides().zip(stacks).map(name).collect()
    }
}

/// Of entries that look alike the first one's index and the sum of their values; what sums up to most comes last.
fn alike<'all, Value: Amount + 'all>(looks: impl Iterator<Item = (u64, &'all Value)>) -> Vec<(usize, Value)> {
    let mut places: HashMap<u64, usize> = HashMap::new();
    let mut all: Vec<(usize, Value)> = Vec::new();
    for (index, (look, value)) in looks.enumerate() {
        match places.entry(look) {
            Occupied(place) => all[*place.get()].1.add(value),
            Vacant(place) => {
                place.insert(all.len());
                all.push((index, value.clone()));
            }
        }
    }
    all.sort_by_key(|(_, value)| value.total());
    all
}

fn json<Row, Of: Amount>(out: &mut Output, now: u64, entry: &Entry<Row, Of>, named: &[Named], columns: &[Column<Row>]) {
    let mut object = Object::new(&mut out.buffer);
    push_field(&mut object, "time", &mut out.clock, &Value::Time(now));
    for column in columns.iter().filter(|column| !column.key.is_empty()) {
        push_field(&mut object, column.key, &mut out.clock, &(column.value)(&entry.row));
    }
    entry.value.json(&mut object);
    for (side, named) in entry.sides().zip(named) {
        print::json(&mut object, side.key, named);
    }
    object.end();
    out.end_line();
}

#[cfg(test)]
mod tests {
    use corescope::Output;

    use super::{Format, Part, Side, alike};
    use crate::frame::Frame;
    use crate::named::{End, Named, Space};
    use crate::print::Look;

    fn named(symbol: &str) -> Named {
        let frames = vec![Frame { symbol: Some(symbol.into()), ..Frame::default() }];
        Named { space: Space::Kernel, lost: false, frames, end: End::Walked }
    }

    fn name(label: &'static str, name: &str, id: &str) -> Part {
        let mut comm = [0; 16];
        comm[..name.len()].copy_from_slice(name.as_bytes());
        Part::Name { label, comm, id: id.into() }
    }

    #[test]
    fn folded_lines_turn_the_parts_of_text_round() {
        let stack = |key| Part::Stack(Side::kernel(key, 2, "f"));
        let (waker, target) = (name("waker:", "a;b", " 7"), name("target:", "c", " (8)"));
        let parts = [waker, stack("1"), name("--", "--", ""), stack("2"), stack("3"), target];
        let stacks = [named("one"), named("two"), named("three")];
        let look = Look { delimited: true, ..Look::default() };
        let mut out = Output::to_memory(false);
        for folded in [false, true] {
            let format = Format { look, folded, unit: 1000 };
            format.push(&mut out, &parts, &stacks);
            format.push_value(&mut out, &1999);
        }
        let text = "    waker:           a;b 7\n    one\n    --               --\n    two\n    --\n    three\n    \
                    target:          c (8)\n        1\n\nc;three;-;two;--;one;a:b 1\n";
        assert_eq!(String::from_utf8_lossy(&out.buffer), text);
    }

    #[test]
    fn a_heading_comes_first_everywhere() {
        let comm = *b"a;b\0\0\0\0\0\0\0\0\0\0\0\0\0";
        let stack = |key| Part::Stack(Side::kernel(key, 2, "f"));
        let parts = [Part::Heading { comm, rest: "7 sda".into() }, stack("1"), stack("2")];
        let mut out = Output::to_memory(false);
        for folded in [false, true] {
            let format = Format { look: Look::default(), folded, unit: 1 };
            format.push(&mut out, &parts, &[named("one"), named("two")]);
            format.push_value(&mut out, &9);
        }
        let text = "a;b              7 sda\n    one\n    two\n        9\n\na:b;two;one 9\n";
        assert_eq!(String::from_utf8_lossy(&out.buffer), text);
    }

    #[test]
    fn what_looks_alike_is_one() {
        let looks = [(7, 3_u64), (8, 5), (7, 1), (9, 2), (7, 2)];
        assert_eq!(alike(looks.iter().map(|(look, value)| (*look, value))), [(3, 2), (1, 5), (0, 6)]);
    }
}
