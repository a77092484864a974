//! A tool as a user runs it: a process with a command line, two outputs and an exit status.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{loaded, tools};

/// For everything that is waited for. Emulated machines are slow, and what hangs fails all the same.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Tools see the whole machine: one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Waits for the turn of a test that runs tools by itself.
pub fn turn() -> MutexGuard<'static, ()> {
    // A test that failed while it had its turn does not concern the next one.
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a tool's binary is.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let folder = env::var_os("CORESCOPE_BIN_DIR").map_or_else(built, PathBuf::from);
    let path = folder.join(name);
    assert!(path.exists(), "{} is not built", path.display());
    path
}

/// `target/debug`, where the test itself is `target/debug/deps/test-0123`.
fn built() -> PathBuf {
    let test = env::current_exe().expect("a test has a path");
    test.ancestors().nth(2).expect("cargo's folders").to_path_buf()
}

/// The names of all tools.
#[must_use]
pub fn all() -> Vec<String> {
    tools::all().iter().map(|tool| tool.name.clone()).collect()
}

/// A number of a row.
pub fn number(row: &Value, key: &str) -> u64 {
    row[key].as_u64().unwrap_or_else(|| panic!("no {key}: {row}"))
}

/// A tool that is attached and prints JSON.
pub struct Tool {
    name: String,
    child: Process,
    rows: JoinHandle<Vec<String>>,
    stderr: Arc<Mutex<String>>,
    messages: JoinHandle<()>,
    _turn: MutexGuard<'static, ()>,
}

/// Gone with the test, also where that fails.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Tool {
    /// Starts the tool with `--json`, waits for its turn and until all its programs are attached.
    #[must_use]
    pub fn start(name: &str, arguments: &[&str]) -> Self {
        let turn = turn();
        let mut child = Command::new(binary(name))
            .args(arguments)
            .args(["--json", "--verbose"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the tool starts");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let rows = thread::spawn(move || stdout.lines().map(|line| line.expect("UTF-8 output")).collect());
        let stderr = Arc::new(Mutex::new(String::new()));
        let (messages, attached) = follow(child.stderr.take().expect("piped"), Arc::clone(&stderr));
        let tool = Self { name: name.into(), child: Process(child), rows, stderr, messages, _turn: turn };
        let attached = attached.recv_timeout(DEADLINE);
        assert!(attached.is_ok(), "{name} {arguments:?} did not attach: {}", tool.messages());
        tool
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// What it said on standard error so far.
    #[must_use]
    pub fn messages(&self) -> String {
        self.stderr.lock().expect("no panic while it is held").clone()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        send(self.child.0.id(), signal);
    }

    /// Ends it with SIGTERM: it must end well and leave nothing loaded.
    #[must_use]
    pub fn stop(self) -> Seen {
        self.signal(libc::SIGTERM);
        self.wait()
    }

    /// Waits until it ends by itself: well, and leaving nothing loaded.
    #[must_use]
    pub fn wait(mut self) -> Seen {
        let asked = Instant::now();
        let status = wait(&mut self.child.0).unwrap_or_else(|| panic!("{} does not end", self.name));
        let took = asked.elapsed();
        let lines = self.rows.join().expect("lines of UTF-8");
        self.messages.join().expect("readable messages");
        let messages = self.stderr.lock().expect("no panic while it is held").clone();
        assert!(status.success(), "{} ended with {status}: {messages}", self.name);
        loaded::assert_nothing_left(&self.name);
        Seen { records: lines.iter().map(|line| parse(line)).collect(), messages, took }
    }
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}"))
}

/// Gathers what a tool says, and tells when it says that it is attached.
fn follow(from: impl Read + Send + 'static, into: Arc<Mutex<String>>) -> (JoinHandle<()>, Receiver<()>) {
    let (tell, attached) = channel();
    let thread = thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if line.contains(": attached ") {
                // Nobody waits for it any more after the first time.
                let _ = tell.send(());
            }
            let mut text = into.lock().expect("no panic while it is held");
            text.push_str(&line);
            text.push('\n');
        }
    });
    (thread, attached)
}

/// Waits for a process, as long as the deadline allows.
pub fn wait(child: &mut Child) -> Option<ExitStatus> {
    let start = Instant::now();
    while start.elapsed() < DEADLINE {
        if let Some(status) = child.try_wait().expect("a child of this process") {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(2));
    }
    let _ = child.kill();
    None
}

/// Sends a signal to a process.
pub fn send(pid: u32, signal: i32) {
    let pid = libc::pid_t::try_from(pid).expect("a process id");
    // SAFETY: kill(2) takes no pointers.
    let failed = unsafe { libc::kill(pid, signal) };
    assert_eq!(failed, 0, "cannot signal {pid}");
}

/// What a tool printed from start to end.
#[derive(Debug)]
pub struct Seen {
    records: Vec<Value>,
    /// What it said on standard error.
    pub messages: String,
    /// How long it took to end once it was asked to.
    pub took: Duration,
}

impl Seen {
    /// All rows, the reports of lost and skipped events left out.
    pub fn rows(&self) -> impl Iterator<Item = &Value> {
        self.records.iter().filter(|record| record.get("lost").is_none() && record.get("skipped").is_none())
    }

    /// The rows of which `key` has this value.
    #[must_use]
    pub fn rows_with<'a>(&'a self, key: &str, value: impl Into<Value>) -> Vec<&'a Value> {
        let value = value.into();
        self.rows().filter(|row| row.get(key) == Some(&value)).collect()
    }

    /// How many events the tool reported lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.sum("lost")
    }

    /// How many calls of its programs it reported skipped, each of which may have been an event.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.sum("skipped")
    }

    /// Fails unless these rows and what was reported lost are just what was made.
    ///
    /// # Panics
    /// They do not.
    pub fn assert_all(&self, rows: usize, made: usize) {
        let known = rows as u64 + self.lost();
        assert_eq!((known, self.skipped()), (made as u64, 0), "{rows} rows of {made}: {}", self.messages);
    }

    fn sum(&self, key: &str) -> u64 {
        self.records.iter().filter_map(|record| record.get(key)?.as_u64()).sum()
    }
}
