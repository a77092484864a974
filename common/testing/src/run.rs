//! A tool that may end in any way, its outputs in files.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Scratch;
use crate::tool::{DEADLINE, binary, send, wait};

/// A tool that runs.
#[derive(Debug)]
pub struct Run {
    /// The tool.
    pub name: String,
    /// Its process.
    pub child: Child,
    scratch: Scratch,
}

/// How a tool ended.
#[derive(Debug)]
pub struct Ended {
    /// The tool.
    pub name: String,
    /// Its exit status.
    pub status: ExitStatus,
    /// Empty where it did not go to the file.
    pub stdout: Vec<u8>,
    /// All that it said, libbpf included.
    pub stderr: String,
}

impl Run {
    /// Starts it as `change` says, with `--verbose`.
    pub fn start(name: &str, change: impl FnOnce(&mut Command)) -> Self {
        Self::start_program(name, &binary(name), change)
    }

    /// The same of a copy of the tool.
    pub fn start_program(name: &str, program: &Path, change: impl FnOnce(&mut Command)) -> Self {
        let scratch = Scratch::new(&format!("fault-{name}"));
        let file = |name| File::create(scratch.join(name)).expect("a writable folder");
        let mut command = Command::new(program);
        command.arg("--verbose").stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr"));
        change(&mut command);
        let child = command.spawn().expect("the tool starts");
        Self { name: name.into(), child, scratch }
    }

    /// With these arguments, and attached.
    pub fn attached(name: &str, arguments: &[&str]) -> Self {
        let mut run = Self::start(name, |command| _ = command.args(arguments));
        run.must_attach();
        run
    }

    fn file(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    /// What it said so far.
    pub fn messages(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.file("stderr")).expect("the tool's messages")).into_owned()
    }

    /// Waits until it is attached, which is true, or has ended.
    pub fn attaches(&mut self) -> bool {
        let start = Instant::now();
        while start.elapsed() < DEADLINE {
            if self.messages().contains(": attached ") {
                return true;
            }
            if self.child.try_wait().expect("a child").is_some() {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("{} hangs: {}", self.name, self.messages());
    }

    /// Waits until it is attached, which it must be.
    pub fn must_attach(&mut self) {
        assert!(self.attaches(), "{}: {}", self.name, self.messages());
    }

    /// Waits until it has said something on standard error.
    pub fn must_say(&self, words: &str) {
        let start = Instant::now();
        while !self.messages().contains(words) {
            assert!(start.elapsed() < DEADLINE, "{} does not say {words:?}: {}", self.name, self.messages());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        send(self.child.id(), signal);
    }

    /// Waits for its end, which must be without a panic.
    pub fn end(mut self) -> Ended {
        let status = wait(&mut self.child).unwrap_or_else(|| panic!("{} does not end: {}", self.name, self.messages()));
        let stderr = self.messages();
        assert!(!stderr.contains("panicked") && !stderr.contains("backtrace"), "{}: {stderr}", self.name);
        let stdout = fs::read(self.file("stdout")).expect("the tool's output");
        Ended { name: self.name.clone(), status, stdout, stderr }
    }

    /// Ends it with SIGTERM.
    pub fn stop(self) -> Ended {
        self.signal(libc::SIGTERM);
        self.end()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// The sentences of the tool itself, libbpf's and the news of --verbose left out.
    pub fn sentences(&self) -> Vec<&str> {
        let lead = format!("{}: ", self.name);
        let news = |line: &str| [": attached ", ": loaded "].iter().any(|words| line.contains(words));
        let own = |line: &&str| line.starts_with(&lead) && !news(line);
        self.stderr.lines().filter(own).collect()
    }

    /// These without the reports of what is missing, which may always come.
    pub fn complaints(&self) -> Vec<&str> {
        let report = |line: &&str| line.contains(": lost ") || line.contains(": the kernel skipped ");
        self.sentences().into_iter().filter(|line| !report(line)).collect()
    }

    /// It ended with 0.
    pub fn well(&self) {
        assert_eq!(self.status.code(), Some(0), "{} ended with {}: {}", self.name, self.status, self.stderr);
    }

    /// It ended with 1 and one sentence, in which `words` occur.
    pub fn refused(&self, words: &str) {
        assert_eq!(self.status.code(), Some(1), "{} ended with {}: {}", self.name, self.status, self.stderr);
        let complaints = self.complaints();
        assert!(complaints.len() == 1 && complaints[0].contains(words), "{}: {}", self.name, self.stderr);
    }
}

/// A tool that is started like this says why it cannot work.
pub fn refuses(name: &str, words: &str, change: impl FnOnce(&mut Command)) {
    Run::start(name, change).end().refused(words);
}
