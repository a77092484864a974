//! The faults that every tool meets. No tool has code for this test, and the test names no tool.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::MutexGuard;
use std::thread;
use std::time::{Duration, Instant};

use corescope_testing::tool::{DEADLINE, all, binary, send, turn, wait};
use corescope_testing::{Scratch, Tool, loaded, process, workload};

const BTF: &str = "/sys/kernel/btf/vmlinux";
/// The user `nobody`.
const NOBODY: u32 = 65534;

/// A tool that runs, its outputs in files.
struct Run {
    name: String,
    child: Child,
    stderr: PathBuf,
    _scratch: Scratch,
    _turn: MutexGuard<'static, ()>,
}

/// How a tool ended.
struct Ended {
    name: String,
    status: ExitStatus,
    stderr: String,
}

impl Run {
    fn start(name: &str, change: impl FnOnce(&mut Command)) -> Self {
        let turn = turn();
        let scratch = Scratch::new(&format!("fault-{name}"));
        let stderr = scratch.join("stderr");
        let mut command = Command::new(binary(name));
        command.arg("--verbose").stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(&stderr).expect("a writable folder"));
        change(&mut command);
        let child = command.spawn().expect("the tool starts");
        Self { name: name.into(), child, stderr, _scratch: scratch, _turn: turn }
    }

    /// A tool that is attached and writes to a pipe.
    fn piped(name: &str, json: bool) -> Self {
        let mut run = Self::start(name, |command| {
            command.stdout(Stdio::piped());
            if json {
                command.arg("--json");
            }
        });
        assert!(run.attached(), "{}", run.messages());
        run
    }

    fn messages(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stderr).expect("the tool's messages")).into_owned()
    }

    /// Waits until it is attached or has ended.
    fn attached(&mut self) -> bool {
        let start = Instant::now();
        while start.elapsed() < DEADLINE {
            if self.messages().contains(": attached ") {
                return true;
            }
            if self.child.try_wait().expect("a child").is_some() {
                return false;
            }
            thread::sleep(Duration::from_millis(2));
        }
        panic!("{} hangs: {}", self.name, self.messages());
    }

    fn signal(&self, signal: i32) {
        send(self.child.id(), signal);
    }

    /// Waits for its end: without a panic, and with nothing left loaded.
    fn end(mut self) -> Ended {
        let status = wait(&mut self.child).unwrap_or_else(|| panic!("{} does not end: {}", self.name, self.messages()));
        let stderr = self.messages();
        assert!(!stderr.contains("panicked") && !stderr.contains("backtrace"), "{}: {stderr}", self.name);
        loaded::assert_nothing_left(&self.name);
        Ended { name: self.name.clone(), status, stderr }
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
    fn sentences(&self) -> Vec<&str> {
        let lead = format!("{}: ", self.name);
        let own = |line: &&str| line.starts_with(&lead) && !line.contains(": attached ");
        self.stderr.lines().filter(own).collect()
    }

    fn well(&self) {
        assert_eq!(self.status.code(), Some(0), "{} ended with {}: {}", self.name, self.status, self.stderr);
    }

    /// How many rows and events its sentences say are lost.
    fn missing(&self) -> usize {
        let words = self.sentences().into_iter().flat_map(|sentence| {
            let words: Vec<&str> = sentence.split(' ').collect();
            let counts = words.windows(3).filter_map(|three| match three {
                [count, "rows", "are"] | ["lost", count, "events:"] => count.parse::<usize>().ok(),
                _ => None,
            });
            counts.collect::<Vec<_>>()
        });
        words.sum()
    }

    /// It ended with 1 and one sentence, in which `words` occur.
    fn refused(&self, words: &str) {
        assert_eq!(self.status.code(), Some(1), "{} ended with {}: {}", self.name, self.status, self.stderr);
        let sentences = self.sentences();
        assert!(sentences.len() == 1 && sentences[0].contains(words), "{}: {}", self.name, self.stderr);
    }
}

fn refuses(name: &str, words: &str, change: impl FnOnce(&mut Command)) {
    Run::start(name, change).end().refused(words);
}

#[test]
fn not_root() {
    for name in all() {
        // Where the binary itself lies may be closed to others.
        let scratch = Scratch::new("not-root");
        let copy = scratch.join(&name);
        fs::copy(binary(&name), &copy).expect("a readable binary");
        let turn = turn();
        let output =
            Command::new(&copy).uid(NOBODY).gid(NOBODY).stdin(Stdio::null()).output().expect("the tool starts");
        drop(turn);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let ended = Ended { name, status: output.status, stderr };
        ended.refused("run it as root, or with CAP_BPF and CAP_PERFMON");
    }
}

#[test]
fn no_btf() {
    let scratch = Scratch::new("no-btf");
    for name in all() {
        refuses(&name, "CONFIG_DEBUG_INFO_BTF", |command| {
            process::mount_over(command, scratch.path(), Path::new("/sys/kernel/btf"));
        });
    }
}

#[test]
fn corrupt_btf() {
    let scratch = Scratch::new("corrupt-btf");
    let real = fs::read(BTF).expect("a kernel with BTF");
    let mut garbled = real.clone();
    for byte in garbled[64..].iter_mut().step_by(5) {
        *byte ^= 0x5a;
    }
    for (file, bytes) in [("garbage", &b"no types"[..]), ("cut", &real[..real.len() / 2]), ("garbled", &garbled[..])] {
        let path = scratch.join(file);
        fs::write(&path, bytes).expect("a writable folder");
        for name in all() {
            refuses(&name, "", |command| process::mount_over(command, &path, Path::new(BTF)));
            refuses(&name, "--btf", |command| _ = command.arg("--btf").arg(&path));
        }
    }
}

#[test]
fn foreign_btf() {
    let scratch = Scratch::new("foreign-btf");
    let mut foreign = fs::read(BTF).expect("a kernel with BTF");
    let last = foreign.len() - 2;
    foreign[last] ^= 1;
    let path = scratch.join("foreign");
    fs::write(&path, foreign).expect("a writable folder");
    for name in all() {
        refuses(&name, "another kernel", |command| _ = command.arg("--btf").arg(&path));
        // The kernel's own types are those of the kernel, whichever way they come.
        let mut run = Run::start(&name, |command| _ = command.args(["--btf", BTF]));
        assert!(run.attached(), "{}", run.messages());
        run.signal(libc::SIGTERM);
        run.end().well();
    }
}

/// A kernel of which the types name no hook that tools use.
#[test]
fn missing_hook() {
    let scratch = Scratch::new("missing-hook");
    let mut types = fs::read(BTF).expect("a kernel with BTF");
    for hook in [&b"btf_trace_"[..], b"bpf_iter_"] {
        let places: Vec<usize> =
            types.windows(hook.len()).enumerate().filter(|(_, window)| *window == hook).map(|(at, _)| at).collect();
        assert!(!places.is_empty());
        for at in places {
            types[at] = b'X';
        }
    }
    let path = scratch.join("types");
    fs::write(&path, types).expect("a writable folder");
    for name in all() {
        refuses(&name, "this kernel has no ", |command| process::mount_over(command, &path, Path::new(BTF)));
    }
}

/// Events that come while the reader is stopped and its buffer full are lost, and the loss is counted exactly: a second
/// copy with a large buffer says how many there were. The cgroup holds the workload alone.
#[test]
fn full_buffer_while_stopped() {
    for name in all().iter().filter(|name| is_stream(name)) {
        let group = workload::Cgroup::new("cs-full");
        let scratch = Scratch::new("full");
        let arguments = ["--cgroup", group.path_str(), "--json", "--buffer"];
        let (small, large) = (scratch.join("small"), scratch.join("large"));
        let turn = turn();
        let mut runs: Vec<(Child, PathBuf)> = [(&small, "4K"), (&large, "64M")]
            .map(|(out, buffer)| {
                let errors = out.with_extension("err");
                let mut command = Command::new(binary(name));
                command.args(arguments).arg(buffer).arg("--verbose").stdin(Stdio::null());
                command.stdout(File::create(out).expect("a writable folder"));
                command.stderr(File::create(&errors).expect("a writable folder"));
                let child = command.spawn().expect("the tool starts");
                let start = Instant::now();
                while !fs::read_to_string(&errors).expect("messages").contains(": attached ") {
                    assert!(start.elapsed() < DEADLINE, "{name} does not attach");
                    thread::sleep(Duration::from_millis(5));
                }
                (child, out.clone())
            })
            .into();
        send(runs[0].0.id(), libc::SIGSTOP);
        workload::everything_in(group.path());
        send(runs[0].0.id(), libc::SIGCONT);
        let seen = runs.iter_mut().map(|(child, out)| {
            send(child.id(), libc::SIGTERM);
            assert!(wait(child).is_some_and(|status| status.success()));
            count(out)
        });
        let [(rows, lost), (all, none)] = seen.collect::<Vec<_>>()[..] else { panic!("two copies") };
        drop(turn);
        loaded::assert_nothing_left(name);
        assert_eq!(none, 0, "{name}");
        assert!(lost > 0 && all > 100, "{name}: {rows} rows, {lost} lost, {all} in all");
        assert_eq!(rows + lost, all, "{name}: rows and losses are what was made");
    }
}

/// The rows of a file of JSON lines, and the events that it reports lost.
fn count(path: &Path) -> (u64, u64) {
    let text = fs::read_to_string(path).expect("UTF-8");
    let (mut rows, mut lost) = (0, 0);
    for line in text.lines() {
        let record: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert!(record.get("skipped").is_none(), "{line}");
        match record.get("lost") {
            Some(count) => lost += count.as_u64().expect("a number"),
            None => rows += 1,
        }
    }
    (rows, lost)
}

/// Tools that print at intervals have rows that stand for many events: their own tests know how many.
fn is_stream(name: &str) -> bool {
    let help = help(name);
    help.contains("--buffer") && !help.contains("[INTERVAL]")
}

fn help(name: &str) -> String {
    let output = Command::new(binary(name)).arg("--help").output().expect("the tool starts");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn closed_pipe() {
    for name in all() {
        for json in [false, true] {
            let mut run = Run::piped(&name, json);
            drop(run.child.stdout.take());
            // Nothing else happens: it notices by itself that nobody reads.
            let ended = run.end();
            ended.well();
            assert!(ended.sentences().is_empty(), "{}", ended.stderr);
        }
    }
}

#[test]
fn full_disk() {
    for name in all() {
        let mut run =
            Run::start(&name, |command| _ = command.stdout(File::options().write(true).open("/dev/full").expect("it")));
        if run.attached() {
            // Summaries are written at the end; what has ended by then is not there to be signalled.
            thread::sleep(Duration::from_millis(300));
            if run.child.try_wait().expect("a child").is_none() {
                run.signal(libc::SIGTERM);
            }
        }
        run.end().refused("cannot write to standard output");
    }
}

/// The reader stops reading for good: the tool ends all the same, and says how many rows nobody got.
#[test]
fn a_reader_that_does_not_read() {
    for name in all() {
        let group = workload::Cgroup::new("cs-unread");
        let arguments = ["--json", "--cgroup", group.path_str()];
        let mut run = Run::start(&name, |command| _ = command.args(arguments).stdout(Stdio::piped()));
        assert!(run.attached(), "{}", run.messages());
        let unread = run.child.stdout.take().expect("piped");
        // More than a pipe holds.
        workload::everything_in(group.path());
        run.signal(libc::SIGINT);
        let asked = Instant::now();
        let streams = is_stream(&name);
        let ended = run.end();
        assert!(asked.elapsed() < Duration::from_secs(10), "{name} waits for its reader");
        if streams {
            let rows =
                BufReader::new(unread).lines().filter(|line| line.as_ref().is_ok_and(|line| line.ends_with('}')));
            let (rows, missing) = (rows.count(), ended.missing());
            assert!(missing > 0, "{name}: {:?}", ended.sentences());
            assert_eq!(rows + missing, workload::ROUNDS, "{name}: {rows} rows, {:?}", ended.sentences());
        }
    }
}

#[test]
fn signals_at_any_moment() {
    // Moments that differ from run to run of the loop and are the same in each run of the test.
    let mut moment = 7u64;
    for name in all() {
        for round in 0..24u64 {
            moment = moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let signal = if round % 2 == 0 { libc::SIGINT } else { libc::SIGTERM };
            let run = Run::start(&name, |_| {});
            thread::sleep(Duration::from_micros((moment >> 33) % 60_000));
            run.signal(signal);
            if round % 3 == 0 {
                run.signal(signal);
            }
            let ended = run.end();
            // Before main() the kernel ends it.
            if ended.status.signal() != Some(signal) {
                ended.well();
            }
        }
    }
}

#[test]
fn an_interrupt_that_was_inherited_ignored() {
    for name in all() {
        let mut run = Run::start(&name, |command| process::ignore_signal(command, libc::SIGINT));
        assert!(run.attached(), "{}", run.messages());
        run.signal(libc::SIGINT);
        run.end().well();
    }
}

/// A name that clears the screen, turns the reading direction, forges a line and is no UTF-8.
const HOSTILE: &[u8] = b"\x1b[2J\n\xe2\x80\xae\xff\\x";

#[test]
fn hostile_names_and_arguments() {
    let scratch = Scratch::new("hostile");
    let path = scratch.path().join(std::ffi::OsStr::from_bytes(HOSTILE));
    workload::tiny_program(&path);
    for name in all() {
        for json in [false, true] {
            let mut run = Run::piped(&name, json);
            let mut stdout = run.child.stdout.take().expect("piped");
            let reader = thread::spawn(move || {
                let mut bytes = Vec::new();
                stdout.read_to_end(&mut bytes).expect("a pipe");
                bytes
            });
            for _ in 0..7 {
                let argument = std::ffi::OsStr::from_bytes(HOSTILE);
                assert!(Command::new(&path).arg(argument).status().expect("a program").success());
            }
            run.signal(libc::SIGTERM);
            run.end().well();
            let bytes = reader.join().expect("no panic");
            let text = String::from_utf8(bytes).unwrap_or_else(|_| panic!("{name} prints what is no UTF-8"));
            let harmless = |c: char| c == '\n' || (!c.is_control() && !('\u{200b}'..='\u{202e}').contains(&c));
            assert!(text.chars().all(harmless), "{name}: {text:?}");
            if json {
                for line in text.lines() {
                    serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|_| panic!("{name}: {line}"));
                }
            }
        }
    }
}

#[test]
fn wrong_arguments() {
    for name in all() {
        let help = help(&name);
        let mut wrong: Vec<&[&str]> = vec![&["--no-such-option"], &["--btf"], &["--json=maybe"]];
        if help.contains("--buffer") {
            wrong.extend([&["--buffer", "0"][..], &["--buffer", "many"], &["--buffer", "-1"]]);
        }
        if help.contains("--pid <") {
            wrong.extend([&["--pid", "0"][..], &["--pid=-1"], &["--pid", "99999999999"], &["--pid", "init"]]);
        }
        if help.contains("[INTERVAL]") {
            wrong.extend([&["0"][..], &["--", "-1"], &["1", "0"], &["nan"], &["1", "1", "1"]]);
        } else {
            wrong.push(&["1", "2", "3", "4", "5"]);
        }
        for arguments in wrong {
            let ended = Run::start(&name, |command| _ = command.args(arguments)).end();
            assert_eq!(ended.status.code(), Some(2), "{name} {arguments:?}: {}", ended.stderr);
            assert!(!ended.stderr.contains("libbpf"), "{name} {arguments:?} loads something");
        }
        for arguments in [["--cgroup", "/nonexistent"], ["--cgroup", "/tmp"], ["--btf", "/nonexistent"]] {
            refuses(&name, arguments[0], |command| _ = command.args(arguments));
        }
    }
}

#[test]
fn two_copies_at_once() {
    for name in all() {
        let first = Tool::start(&name, &[]);
        let mut second = Command::new(binary(&name));
        second.args(["--json", "--verbose"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut second = second.spawn().expect("the tool starts");
        let mut messages = String::new();
        let mut stderr = second.stderr.take().expect("piped");
        let mut buffer = [0; 4096];
        while !messages.contains(": attached ") {
            let count = stderr.read(&mut buffer).expect("a pipe");
            assert!(count > 0, "{name}, the second: {messages}");
            messages.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        let reader = thread::spawn(move || stderr.read_to_end(&mut Vec::new()));
        send(second.id(), libc::SIGTERM);
        assert!(wait(&mut second).is_some_and(|status| status.success()), "{name}");
        let _ = reader.join();
        let _ = first.stop();
    }
}

#[test]
fn help_and_version_to_a_full_disk() {
    for name in all() {
        for option in ["--help", "-h", "--version"] {
            let full = File::options().write(true).open("/dev/full").expect("it");
            let output = Command::new(binary(&name)).arg(option).stdout(full).output().expect("the tool starts");
            assert_eq!(output.status.code(), Some(1), "{name} {option}");
            let mode = fs::metadata(binary(&name)).expect("it ran").permissions().mode();
            assert_eq!(mode & 0o111, 0o111, "{name}");
        }
    }
}
