//! Summaries by stack: what many rows with the same stacks add up to, as text, as folded lines or as JSON.
//!
//! A tool keeps [`Entry`]s: whose stacks they are, the stacks' numbers, and a value. [`Summary::look_ahead`] finds names while
//! the processes are still there, [`Summary::print`] prints an interval.

use std::collections::HashSet;
use std::io::Write;

use anyhow::Result;
use corescope::column::{Column, Field, Kind, Value};
use corescope::json::Object;
use corescope::table::push_field;
use corescope::{Output, escape};

use crate::options::{Sides, Storage};
use crate::print::{self, Look};
use crate::stack::StackMap;
use crate::symbols::{Named, Space, Symbols};

/// A stack of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Side {
    /// Its key in JSON: one of [`fields`]'.
    pub key: &'static str,
    /// Where it is from.
    pub space: Space,
    /// Its number, from `stack_id()` of bpf/include/event/stack.bpf.h.
    pub id: u64,
    /// The function that it begins with: what lies above is the tracing itself.
    pub begin_at: Option<&'static str>,
}

impl Side {
    /// A kernel stack, under `kernel_stack`.
    #[must_use]
    pub fn kernel(id: u64, begin_at: &'static str) -> Self {
        Self { key: "kernel_stack", space: Space::Kernel, id, begin_at: Some(begin_at) }
    }

    /// A user stack of a process, under `user_stack`.
    #[must_use]
    pub fn user(pid: u32, id: u64) -> Self {
        Self { key: "user_stack", space: Space::Process(pid), id, begin_at: None }
    }
}

/// A row with its stacks.
#[derive(Debug, Clone)]
pub struct Entry<Row> {
    /// What the columns take their values from.
    pub row: Row,
    /// The process or thread that text shows.
    pub id: u32,
    /// And its name.
    pub comm: [u8; 16],
    /// The stacks, the one that text shows first at the front.
    pub sides: Vec<Side>,
    /// What text and folded lines show.
    pub value: u64,
}

/// How a summary is printed.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// What text shows beside the names.
    pub look: Look,
    /// One line per stack.
    pub folded: bool,
    /// A line between stacks.
    pub delimited: bool,
    /// The time of day above an output in text.
    pub timestamp: bool,
}

impl Format {
    /// As the options say.
    #[must_use]
    pub fn of(sides: &Sides, look: Look, timestamp: bool) -> Self {
        Self { look, folded: sides.folded, delimited: sides.delimited, timestamp }
    }
}

/// What the manual says of stacks in JSON: kernel and user stack with what is in their frames.
#[must_use]
pub fn fields() -> Vec<Field> {
    const FRAMES: [Field; 7] = [
        Field::json("kernel_stack", Kind::Objects, "Frames in the kernel, the innermost first; null if they were lost"),
        Field::json("kernel_stack[].address", Kind::Text, "Instruction, or the one to return to, in hexadecimal"),
        Field::json("kernel_stack[].symbol", Kind::Text, "Name of the function; missing if it is not known"),
        Field::json("kernel_stack[].offset", Kind::Number, "Bytes from the function's start; missing with the symbol"),
        Field::json("kernel_stack[].module", Kind::Text, "Kernel module; missing if there is none"),
        Field::json("kernel_stack_end", Kind::Text, "depth if the stack is cut at the limit of its depth, or null"),
        Field::json("user_stack", Kind::Objects, "Frames in user space, the innermost first; null if they were lost"),
    ];
    const USER: [Field; 8] = [
        Field::json("user_stack[].address", Kind::Text, "Instruction, or the one to return to, in hexadecimal"),
        Field::json("user_stack[].symbol", Kind::Text, "Name of the function; missing if it is not known"),
        Field::json("user_stack[].offset", Kind::Number, "Bytes from the function's start; missing with the symbol"),
        Field::json("user_stack[].module", Kind::Text, "Executable or library; missing if it is not known"),
        Field::json(
            "user_stack[].inlined",
            Kind::Bool,
            "true for an inlined function, with --source-lines; missing otherwise",
        ),
        Field::json("user_stack[].file", Kind::Text, "Source file, with --source-lines; missing if it is not known"),
        Field::json("user_stack[].line", Kind::Number, "Line in it; missing likewise"),
        Field::json("user_stack_end", Kind::Text, "depth if the stack is cut at the limit of its depth, or null"),
    ];
    [&FRAMES[..], &USER].concat()
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

impl<'map> Summary<'map> {
    /// The stacks of the map `stacks`.
    #[must_use]
    pub fn new(stacks: StackMap<'map>, storage: &Storage, format: Format) -> Self {
        Self { symbols: Symbols::new(storage.frames.source_lines), stacks, format, seen: HashSet::new() }
    }

    /// Remembers processes while they are there, and finds names ahead: less is left for the end.
    pub fn look_ahead<Row>(&mut self, entries: &[Entry<Row>]) {
        for entry in entries {
            for side in &entry.sides {
                if let Space::Process(pid) = side.space
                    && side.id != 0
                {
                    self.symbols.remember(pid, escape::c_string(&entry.comm));
                }
                if self.seen.insert((side.space, side.id)) {
                    self.symbols.want(side.space, &self.stacks.read(side.id));
                }
            }
        }
        self.symbols.resolve_ahead();
    }

    /// Prints the entries of an interval that ends now, in their order, each with what its columns say in JSON.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn print<Row>(&mut self, out: &mut Output, entries: &[Entry<Row>], columns: &[Column<Row>]) -> Result<()> {
        let now = out.clock.now_ns();
        let stacks: Vec<Vec<_>> =
            entries.iter().map(|entry| entry.sides.iter().map(|side| self.stacks.read(side.id)).collect()).collect();
        for (side, stack) in entries.iter().flat_map(|entry| &entry.sides).zip(stacks.iter().flatten()) {
            self.symbols.want(side.space, stack);
        }
        self.symbols.resolve();
        self.begin(out, now);
        for (entry, stacks) in entries.iter().zip(stacks) {
            let name = |(side, stack): (&Side, _)| {
                let mut named = self.symbols.name(side.space, &stack);
                side.begin_at.inspect(|function| named.begin_at(function));
                named
            };
            let named: Vec<Named> = entry.sides.iter().zip(stacks).map(name).collect();
            self.entry(out, now, entry, &named, columns);
            if !out.flush_if_full() {
                break;
            }
        }
        self.symbols.forget_processes();
        self.seen.clear();
        out.flush()
    }

    /// A blank line, as in BCC, and the time.
    fn begin(&self, out: &mut Output, now: u64) {
        if out.is_json() || self.format.folded {
            return;
        }
        out.end_line();
        if self.format.timestamp {
            let time = out.clock.hms(now).to_string();
            out.push(&time);
            out.end_line();
        }
    }

    fn entry<Row>(&self, out: &mut Output, now: u64, entry: &Entry<Row>, named: &[Named], columns: &[Column<Row>]) {
        let Format { look, folded, delimited, .. } = self.format;
        let comm = escape::c_string(&entry.comm);
        if out.is_json() {
            let mut object = Object::new(&mut out.buffer);
            push_field(&mut object, "time", &mut out.clock, &Value::Time(now));
            for column in columns.iter().filter(|column| !column.key.is_empty()) {
                push_field(&mut object, column.key, &mut out.clock, &(column.value)(&entry.row));
            }
            for (side, named) in entry.sides.iter().zip(named) {
                print::json(&mut object, side.key, named);
            }
            object.end();
            out.end_line();
        } else if folded {
            print::folded(out, comm, named, delimited, look, entry.value);
        } else {
            print::text(out, named, delimited, look);
            // Writing to a Vec does not fail.
            let _ = write!(out.buffer, "    {:<16} ", "-");
            escape::push(&mut out.buffer, comm);
            let _ = writeln!(out.buffer, " ({})\n        {}\n", entry.id, entry.value);
        }
    }
}
