//! What is printed at the end of each interval.

use std::collections::HashSet;
use std::io::Write;

use anyhow::Result;
use corescope::column::{Field, Value};
use corescope::json::Object;
use corescope::lost::Lost;
use corescope::table::push_json;
use corescope::{Output, escape};
use corescope_symbols::{Named, Space, StackMap, Symbols, print};

use crate::Args;
use crate::bpf::OffcputimeSkel;
use crate::sums::{Row, Sums};

/// Where the kernel leaves the thread: what lies above is the tracing.
const SWITCH: &str = "__schedule";

pub(crate) const FIELDS: &[Field] = &[
    field("time", "End of the interval"),
    field("pid", "Process id"),
    field("tid", "Thread id"),
    field("comm", "Name of the thread"),
    field("total_ns", "Time off the CPU, all in all"),
    field("count", "How many times it was off the CPU"),
    field("user_stack", "List of frames, the innermost first; null where the stack could not be stored"),
    field("kernel_stack", "The same in the kernel"),
    field("address", "In a frame: the instruction, or the one to return to, in hexadecimal"),
    field("symbol", "In a frame: the function's name; missing where it is not known"),
    field("offset", "In a frame: bytes from the function's start"),
    field("module", "In a frame: the executable, library or kernel module"),
];

const fn field(key: &'static str, help: &'static str) -> Field {
    Field { header: "", key, help }
}

pub(crate) struct Report<'run, 'obj> {
    args: &'run Args,
    skel: &'run OffcputimeSkel<'obj>,
    out: Output,
    lost: Lost<'run>,
    sums: Sums,
    symbols: Symbols,
    /// Processes with the numbers of their stacks, for which names were looked for.
    seen: HashSet<(u32, u64, u64)>,
}

impl<'run, 'obj> Report<'run, 'obj> {
    pub(crate) fn new(args: &'run Args, skel: &'run OffcputimeSkel<'obj>) -> Result<Self> {
        Ok(Self {
            args,
            skel,
            out: Output::new(args.common.json),
            lost: Lost::of(skel)?,
            sums: Sums::default(),
            symbols: Symbols::new(args.storage.frames.source_lines),
            seen: HashSet::new(),
        })
    }

    /// Says what is traced, as BCC does.
    pub(crate) fn header(&mut self) -> Result<()> {
        let args = self.args;
        if args.common.json || args.sides.folded {
            return Ok(());
        }
        let stacks = match (args.sides.user_stacks_only, args.sides.kernel_stacks_only) {
            (true, _) => "user",
            (_, true) => "kernel",
            _ => "user + kernel",
        };
        let end = args.duration.map_or_else(
            || "... Hit Ctrl-C to end.".into(),
            |duration| format!(" for {} secs.", duration.as_secs_f64()),
        );
        // Writing to a Vec does not fail.
        let _ = writeln!(self.out.buffer, "Tracing off-CPU time (us) of {} by {stacks} stack{end}", threads(args));
        self.out.flush()
    }

    /// Remembers processes while they are there, and finds names ahead: less is left for the end.
    pub(crate) fn look(&mut self) -> Result<()> {
        let stacks = StackMap::new(&self.skel.maps.stacks);
        for key in Sums::keys(&self.skel.maps.sums)? {
            if key.user_stack != 0 {
                self.symbols.remember(key.pid, escape::c_string(&key.comm));
            }
            if self.seen.insert((key.pid, key.user_stack, key.kernel_stack)) {
                self.symbols.want(Space::Process(key.pid), &stacks.read(key.user_stack));
                self.symbols.want(Space::Kernel, &stacks.read(key.kernel_stack));
            }
        }
        self.symbols.resolve_ahead();
        Ok(())
    }

    /// Prints what came since the last time.
    pub(crate) fn print(&mut self) -> Result<()> {
        self.out.clock.resync();
        let now = self.out.clock.now_ns();
        let rows = self.sums.read(&self.skel.maps.sums)?;
        let stacks = StackMap::new(&self.skel.maps.stacks);
        let rows: Vec<_> = rows
            .into_iter()
            .map(|row| (stacks.read(row.key.user_stack), stacks.read(row.key.kernel_stack), row))
            .collect();
        for (user, kernel, row) in &rows {
            self.symbols.want(Space::Process(row.key.pid), user);
            self.symbols.want(Space::Kernel, kernel);
        }
        self.symbols.resolve();
        self.begin(now);
        for (user, kernel, row) in &rows {
            let user = self.symbols.name(Space::Process(row.key.pid), user);
            let mut kernel = self.symbols.name(Space::Kernel, kernel);
            kernel.begin_at(SWITCH);
            self.row(now, row, &user, &kernel);
            if !self.out.flush_if_full() {
                break;
            }
        }
        self.symbols.forget_processes();
        self.seen.clear();
        self.lost.report(&mut self.out);
        self.out.flush()
    }

    /// A blank line, as in BCC, and the time where there is more than one output.
    fn begin(&mut self, now: u64) {
        if self.args.common.json || self.args.sides.folded {
            return;
        }
        self.out.end_line();
        if self.args.count > 1 {
            let time = self.out.clock.hms(now).to_string();
            self.out.push(&time);
            self.out.end_line();
        }
    }

    fn row(&mut self, now: u64, row: &Row, user: &Named, kernel: &Named) {
        let comm = escape::c_string(&row.key.comm);
        let look = print::Look { addresses: self.args.common.verbose, offsets: self.args.offset };
        let delimited = self.args.sides.delimited;
        let out = &mut self.out;
        if out.is_json() {
            let mut object = Object::new(&mut out.buffer);
            push_json(object.key("time"), &mut out.clock, &Value::Time(now));
            object.number("pid", row.key.pid);
            object.number("tid", row.key.tid);
            object.text("comm", comm);
            object.number("total_ns", row.total_ns);
            object.number("count", row.count);
            print::json(object.key("user_stack"), user);
            print::json(object.key("kernel_stack"), kernel);
            object.end();
            out.end_line();
        } else if self.args.sides.folded {
            print::folded(out, comm, user, kernel, delimited, look, row.total_ns / 1000);
        } else {
            print::both_as_text(out, kernel, user, delimited, look);
            let _ = write!(out.buffer, "    {:<16} ", "-");
            escape::push(&mut out.buffer, comm);
            let _ = writeln!(out.buffer, " ({})\n        {}\n", row.key.tid, row.total_ns / 1000);
        }
    }
}

/// The threads that are traced, in words.
fn threads(args: &Args) -> String {
    let list = |ids: &[u32]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    match (&args.pid[..], &args.tid[..]) {
        ([], []) if args.user_threads_only => "user threads".into(),
        ([], []) if args.kernel_threads_only => "kernel threads".into(),
        ([], []) => "all threads".into(),
        (pids, []) => format!("PID {}", list(pids)),
        (_, tids) => format!("TID {}", list(tids)),
    }
}
