//! What cannot be recorded or printed is counted, exactly. All tools that stream watch the same work, in a cgroup that
//! holds it alone, each in two copies: one that loses events, and one that says how many there were.

use std::ffi::OsStr;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::process::Stdio;

use corescope_testing::kernels::working;
use corescope_testing::loaded::assert_nothing_left;
use corescope_testing::tool::turn;
use corescope_testing::workload::{Cgroup, ROUNDS, everything_in};

use crate::is_stream;
use crate::run::{Ended, Run};

/// Room for all events of the workload.
const LARGE: &str = "8M";
const WORK: &str = "cs-everything-with-a-name-that-makes-the-records-of-its-events-a-bit-longer-than-others";

/// A smaller pipe is full sooner.
const PIPE_BYTES: i32 = 4096;

/// What a copy says of the events that there were.
#[derive(Debug, Default)]
struct Account {
    rows: usize,
    /// Events that it reports lost, and rows that could not be written.
    lost: usize,
    /// Calls of its program that the kernel skipped: each may have been an event.
    skipped: usize,
}

impl Account {
    /// What it printed and reported as JSON lines.
    fn of(output: &[u8]) -> Self {
        let mut account = Self::default();
        // What a broken pipe has cut off is no row.
        for line in output.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
            let record: serde_json::Value = serde_json::from_slice(line).expect("JSON");
            let number = |key| record.get(key).and_then(serde_json::Value::as_u64);
            let number = |key| number(key).map(|number| usize::try_from(number).expect("not so many"));
            match (number("lost"), number("skipped")) {
                (None, None) => account.rows += 1,
                (lost, skipped) => {
                    account.lost += lost.unwrap_or(0);
                    account.skipped += skipped.unwrap_or(0);
                }
            }
        }
        account
    }

    /// The rows that its reader got, and what it said on standard error.
    fn of_unread(output: &[u8], ended: &Ended) -> Self {
        let mut account = Self { rows: Self::of(output).rows, ..Self::default() };
        for sentence in ended.sentences() {
            let words: Vec<&str> = sentence.split(' ').collect();
            for three in words.windows(3) {
                match three {
                    [count, "rows", "are"] | ["lost", count, "events:"] => account.lost += count.parse().unwrap_or(0),
                    ["skipped", count, "calls"] => account.skipped += count.parse().unwrap_or(0),
                    _ => (),
                }
            }
        }
        account
    }

    fn known(&self) -> usize {
        self.rows + self.lost
    }

    /// Whether both can be true of the same events.
    fn agrees(&self, other: &Self) -> bool {
        self.known() <= other.known() + other.skipped && other.known() <= self.known() + self.skipped
    }
}

fn start(name: &str, group: &Cgroup, buffer: &str) -> Run {
    Run::start(name, |command| _ = command.args(["--json", "--cgroup", group.path_str(), "--buffer", buffer]))
}

fn streams() -> impl Iterator<Item = &'static String> {
    working().iter().filter(|name| is_stream(name))
}

/// Events come while the reader is stopped and its buffer full.
#[test]
fn full_buffer_while_stopped() {
    let _turn = turn();
    let group = Cgroup::new("cs-full");
    let mut pairs: Vec<[Run; 2]> = streams().map(|name| ["4K", LARGE].map(|size| start(name, &group, size))).collect();
    for run in pairs.iter_mut().flatten() {
        run.must_attach();
    }
    for [small, _] in &pairs {
        small.signal(libc::SIGSTOP);
    }
    everything_in(group.path(), OsStr::new(WORK), ROUNDS);
    for [small, _] in &pairs {
        small.signal(libc::SIGCONT);
    }
    for run in pairs.iter().flatten() {
        run.signal(libc::SIGTERM);
    }
    let mut wrong = Vec::new();
    for pair in pairs {
        let [small, large] = pair.map(Run::end);
        small.well();
        large.well();
        let (some, all) = (Account::of(&small.stdout), Account::of(&large.stdout));
        if some.lost == 0 || all.lost > 0 || all.rows <= 100 || !some.agrees(&all) {
            wrong.push(format!("{}: {some:?}, but {all:?} with room", small.name));
        }
        assert_nothing_left(&small.name);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The reader stops reading for good: the tool ends all the same, and says how many rows nobody got.
#[test]
fn a_reader_that_does_not_read() {
    let _turn = turn();
    let group = Cgroup::new("cs-unread");
    let mut unread: Vec<Run> = working()
        .iter()
        .map(|name| {
            let run = Run::start(name, |command| {
                command.args(["--json", "--cgroup", group.path_str()]).stdout(Stdio::piped());
                if is_stream(name) {
                    command.args(["--buffer", LARGE]);
                }
            });
            let pipe = run.child.stdout.as_ref().expect("piped").as_raw_fd();
            // SAFETY: fcntl(2) with a number.
            assert!(unsafe { libc::fcntl(pipe, libc::F_SETPIPE_SZ, PIPE_BYTES) } > 0, "a small pipe");
            run
        })
        .collect();
    let mut read: Vec<Run> = streams().map(|name| start(name, &group, LARGE)).collect();
    for run in unread.iter_mut().chain(&mut read) {
        run.must_attach();
    }
    everything_in(group.path(), OsStr::new(WORK), ROUNDS);
    for run in &unread {
        run.signal(libc::SIGINT);
    }
    for run in &read {
        run.signal(libc::SIGTERM);
    }
    let mut wrong = Vec::new();
    for mut run in unread {
        let mut pipe = run.child.stdout.take().expect("piped");
        let unread = run.end();
        let mut output = Vec::new();
        pipe.read_to_end(&mut output).expect("a pipe");
        let Some(place) = read.iter().position(|run| run.name == unread.name) else { continue };
        let read = read.swap_remove(place).end();
        read.well();
        let (some, all) = (Account::of_unread(&output, &unread), Account::of(&read.stdout));
        if some.lost == 0 || all.lost > 0 || !some.agrees(&all) {
            wrong.push(format!("{}: {some:?}, but {all:?} with a reader; {}", unread.name, unread.stderr));
        }
    }
    for name in working() {
        assert_nothing_left(name);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
