//! One tool at work, its output in files.

use std::fs::{self, File};
use std::thread;
use std::time::{Duration, Instant};

use corescope_testing::Scratch;
use corescope_testing::cost::{MARK, Watcher};

use crate::candidates::Candidate;

/// The process that runs out of memory, which is all that some tools name.
const KILLED: &str = "cs-oom";

pub(crate) struct Run {
    pub(crate) watcher: Watcher,
    /// The processor time until it was attached.
    pub(crate) used_before: Duration,
    scratch: Scratch,
}

/// What a tool has left behind.
pub(crate) struct Ended {
    /// From the signal to its end.
    pub(crate) took: Duration,
    /// All lines that it printed.
    pub(crate) lines: u64,
    /// Those of the work.
    pub(crate) rows: u64,
    /// Whether the process that does it is named in one.
    pub(crate) process: bool,
    /// How many it said were lost.
    pub(crate) reported: u64,
    /// Why it was gone before it was asked to end, where it was.
    pub(crate) dies: Option<String>,
}

impl Run {
    /// Starts it and waits until it is attached, or says why it does not.
    pub(crate) fn start(candidate: &Candidate, tool: &str) -> Result<Self, String> {
        let mut command = candidate.command(tool).ok_or("has no such tool")?;
        let scratch = Scratch::new("bench");
        let file = |name| File::create_new(scratch.join(name)).expect("a writable folder");
        command.stdout(file("out")).stderr(file("err"));
        match Watcher::start(&mut command) {
            Some(watcher) => Ok(Self { used_before: watcher.cpu_time(), watcher, scratch }),
            None => Err(complaint(&read(&scratch, "err"))),
        }
    }

    /// Waits until it has nothing to do any more.
    pub(crate) fn settle(&self) {
        const LOOK: Duration = Duration::from_millis(50);
        let start = Instant::now();
        let mut before = self.watcher.cpu_time();
        while start.elapsed() < Duration::from_secs(5) {
            thread::sleep(LOOK);
            let now = self.watcher.cpu_time();
            if now.saturating_sub(before) < LOOK / 100 {
                return;
            }
            before = now;
        }
    }

    pub(crate) fn end(self) -> Ended {
        let gone = self.watcher.peak() == 0;
        let took = self.watcher.end();
        let (out, err) = (read(&self.scratch, "out"), read(&self.scratch, "err"));
        let dies = gone.then(|| complaint(&err));
        let of_work = |line: &&str| line.contains(MARK) || line.contains(KILLED);
        // bpftrace says it among its rows.
        let reported = err.lines().chain(out.lines()).filter_map(lost).sum();
        let rows = out.lines().filter(of_work).count() as u64;
        let own = std::process::id().to_string();
        let process = out.split(|letter: char| !letter.is_ascii_digit()).any(|word| word == own);
        Ended { took, lines: out.lines().count() as u64, rows, process, reported, dies }
    }
}

fn read(scratch: &Scratch, name: &str) -> String {
    String::from_utf8_lossy(&fs::read(scratch.join(name)).expect("its output")).into_owned()
}

/// The number in `lost 12 events` or `Lost 12 events on CPU #0!`.
fn lost(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("ost ")?;
    let (number, rest) = rest.split_once(' ')?;
    rest.starts_with("events").then(|| number.parse().ok())?
}

/// The line that says why a tool ended, cut short.
fn complaint(err: &str) -> String {
    let bad = |line: &&str| ["fail", "error", "cannot"].iter().any(|word| line.to_lowercase().contains(word));
    let lines = || err.lines().filter(|line| !line.contains("RLIMIT_MEMLOCK") && !line.contains("WARNING"));
    // Python says where, and then what.
    let last = lines().next_back().filter(|_| err.contains("Traceback"));
    let line = last
        .or_else(|| lines().find(bad))
        .or_else(|| lines().next())
        .unwrap_or("ends without a word, or attaches nothing");
    line.trim().chars().take(100).collect()
}
