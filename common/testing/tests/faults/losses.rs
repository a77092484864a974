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

/// The rows of JSON lines, and the events that they report lost.
fn count(output: &[u8]) -> (usize, usize) {
    let (mut rows, mut lost) = (0, 0);
    // What a broken pipe has cut off is no row.
    for line in output.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
        let record: serde_json::Value = serde_json::from_slice(line).expect("JSON");
        assert!(record.get("skipped").is_none(), "{record}");
        match record.get("lost") {
            Some(count) => lost += usize::try_from(count.as_u64().expect("a number")).expect("not so many"),
            None => rows += 1,
        }
    }
    (rows, lost)
}

/// How many rows and events its sentences say are lost.
fn missing(ended: &Ended) -> usize {
    let words = ended.sentences().into_iter().flat_map(|sentence| {
        let words: Vec<&str> = sentence.split(' ').collect();
        let counts = words.windows(3).filter_map(|three| match three {
            [count, "rows", "are"] | ["lost", count, "events:"] => count.parse::<usize>().ok(),
            _ => None,
        });
        counts.collect::<Vec<_>>()
    });
    words.sum()
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
        let ((rows, lost), (made, none)) = (count(&small.stdout), count(&large.stdout));
        if lost == 0 || none > 0 || made <= 100 || rows + lost != made {
            wrong.push(format!("{}: {rows} rows, {lost} lost; {made} rows, {none} lost with room", small.name));
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
        let ((rows, _), missing, (made, lost)) = (count(&output), missing(&unread), count(&read.stdout));
        if missing == 0 || lost > 0 || rows + missing != made {
            wrong.push(format!("{}: {rows} rows, {missing} missing of {made}, {lost} lost", unread.name));
            wrong.push(unread.stderr);
        }
    }
    for name in working() {
        assert_nothing_left(name);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
