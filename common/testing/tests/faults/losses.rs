//! What cannot be recorded or printed is counted, exactly. All tools watch the same work at once, in a cgroup that holds
//! it alone: of each one copy that says how many events there were, and others that lose some.

use std::ffi::OsStr;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::process::Stdio;

use corescope_testing::actions::{ROUNDS, everything_in};
use corescope_testing::loaded::assert_nothing_left;
use corescope_testing::tool::turn;
use corescope_testing::workload::Cgroup;

use crate::{is_stream, tried};
use corescope_testing::run::{Ended, Run};

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
                // Of other calls than of events, as the comparison shows: while one of so many tools is in bpf(2).
                (lost, _) => account.lost += lost.unwrap_or(0),
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
                if let ["lost", count, "row" | "rows" | "event:" | "events:"] = three {
                    account.lost += count.parse().unwrap_or(0);
                }
            }
        }
        account
    }

    fn known(&self) -> usize {
        self.rows + self.lost
    }
}

/// A tool, in up to three copies at once.
struct Copies {
    /// Its reader stops reading for good.
    unread: Run,
    /// One whose events come while it is stopped and its buffer full, and one that gets all of them. Rows of tools that
    /// do not stream stand for many events.
    stopped_and_all: Option<[Run; 2]>,
}

impl Copies {
    fn start(name: &str, group: &Cgroup) -> Self {
        let common = ["--json", "--cgroup", group.path_str()];
        let streams = is_stream(name);
        let unread = Run::start(name, |command| {
            command.args(common).args(["--buffer", LARGE].iter().filter(|_| streams)).stdout(Stdio::piped());
        });
        let pipe = unread.child.stdout.as_ref().expect("piped").as_raw_fd();
        // SAFETY: fcntl(2) with a number.
        assert!(unsafe { libc::fcntl(pipe, libc::F_SETPIPE_SZ, PIPE_BYTES) } > 0, "a small pipe");
        let start = |size| Run::start(name, |command| _ = command.args(common).args(["--buffer", size]));
        Self { unread, stopped_and_all: streams.then(|| ["4K", LARGE].map(start)) }
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Run> {
        self.stopped_and_all.iter_mut().flatten().chain([&mut self.unread])
    }

    fn signal_stopped(&self, signal: i32) {
        if let Some([stopped, _]) = &self.stopped_and_all {
            stopped.signal(signal);
        }
    }

    /// What is wrong with their accounts, once they were asked to end. They must end, whoever reads.
    fn compare(mut self) -> Option<String> {
        let mut pipe = self.unread.child.stdout.take().expect("piped");
        let unread = self.unread.end();
        let mut output = Vec::new();
        pipe.read_to_end(&mut output).expect("a pipe");
        let [stopped, all] = self.stopped_and_all?.map(Run::end);
        stopped.well();
        all.well();
        let unread = (Account::of_unread(&output, &unread), unread.stderr);
        let (stopped, all) = (Account::of(&stopped.stdout), Account::of(&all.stdout));
        let mut of_some = [&stopped, &unread.0].into_iter();
        let right = all.rows > 100 && all.lost == 0 && of_some.all(|some| some.lost > 0 && some.known() == all.rows);
        (!right).then(|| format!("all: {all:?}\nstopped: {stopped:?}\nunread: {unread:?}"))
    }
}

#[test]
fn losses_are_counted() {
    let _turn = turn();
    let group = Cgroup::new("cs-losses");
    let tried = tried();
    let mut tools: Vec<(&String, Copies)> = tried.iter().map(|name| (name, Copies::start(name, &group))).collect();
    for run in tools.iter_mut().flat_map(|(_, copies)| copies.all()) {
        run.must_attach();
    }
    for (_, copies) in &tools {
        copies.signal_stopped(libc::SIGSTOP);
    }
    everything_in(group.path(), OsStr::new(WORK), ROUNDS);
    for (_, copies) in &mut tools {
        copies.signal_stopped(libc::SIGCONT);
        for run in copies.all() {
            run.signal(libc::SIGTERM);
        }
    }
    let compared: Vec<_> = tools.into_iter().map(|(name, copies)| (name, copies.compare())).collect();
    for (name, _) in &compared {
        assert_nothing_left(name);
    }
    let wrong = compared.into_iter().filter_map(|(name, wrong)| Some(format!("{name}: {}\n", wrong?)));
    let wrong: String = wrong.collect();
    assert!(wrong.is_empty(), "{wrong}");
}
