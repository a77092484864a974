//! What tools cost, side by side with those of the same name that are installed (libbpf-tools): see scripts/bench.
//!
//! Medians of rounds that take turns, for single figures mean little on a busy machine.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use corescope_testing::tool::{all, binary, send, wait};
use corescope_testing::{process, workload};

const ROUNDS: usize = 7;
/// Round trips of a ping-pong, and what else is done in a loop: half a second or so.
const TRIPS: u32 = 100_000;
const TIMES: u32 = 200_000;

/// What is done again and again while a tool looks on, and how many nanoseconds it takes each time.
struct Work {
    tool: &'static str,
    what: &'static str,
    time: fn() -> f64,
}

const WORKS: &[Work] = &[
    Work { tool: "runqlat", what: "a ping-pong over pipes, two switches, on one CPU", time: ping_pong },
    Work { tool: "opensnoop", what: "open(2) and close(2)", time: open_and_close },
    Work { tool: "statsnoop", what: "stat(2)", time: stat },
    Work { tool: "killsnoop", what: "kill(2) of signal 0", time: kill },
    Work { tool: "syscount", what: "getppid(2)", time: get_parent },
];

fn main() {
    let names = all();
    println!(
        "{:<12} {:>9} {:>8} {:>9} {:>9} {:>9}",
        "TOOL", "ATTACH ms", "STOP ms", "PEAK KiB", "SIZE KiB", "PEER KiB"
    );
    for name in &names {
        start_and_stop(name);
    }
    for work in WORKS.iter().filter(|work| names.iter().any(|name| name == work.tool)) {
        added(work);
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// A tool that has attached, and how long that took. It writes to a file, for a terminal would get a screen.
fn attached(name: &str) -> (Child, f64) {
    let start = Instant::now();
    let mut child = Command::new(binary(name))
        .arg("--verbose")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    while !line.contains(": attached ") {
        line.clear();
        assert!(lines.read_line(&mut line).expect("a pipe") > 0, "{name} does not attach");
    }
    let took = milliseconds(start);
    // What it says at its end must find a reader.
    thread::spawn(move || lines.read_to_end(&mut Vec::new()));
    (child, took)
}

/// The most memory that a process had at once, in KiB.
fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it runs");
    line.trim_end_matches("kB").trim().parse().expect("a number")
}

fn start_and_stop(name: &str) {
    let (mut attach, mut stop, mut most) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        let (mut child, took) = attached(name);
        attach.push(took);
        thread::sleep(Duration::from_millis(200));
        most = most.max(peak(child.id()));
        let asked = Instant::now();
        send(child.id(), libc::SIGTERM);
        assert!(wait(&mut child).is_some_and(|status| status.success()), "{name}");
        stop.push(milliseconds(asked));
    }
    let size = fs::metadata(binary(name)).expect("a binary").len() / 1024;
    let (attach, stop) = (median(attach), median(stop));
    let theirs = peer(name).map_or_else(|| "-".into(), |path| peer_peak(&path));
    println!("{name:<12} {attach:>9.1} {stop:>8.1} {most:>9} {size:>9} {theirs:>9}");
}

/// The tool of the same name in libbpf-tools, where that is installed. BCC's Python tools are scripts.
fn peer(name: &str) -> Option<PathBuf> {
    let path = Path::new("/usr/sbin").join(name);
    fs::read(&path).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF")).then_some(path)
}

/// The peer, if it stays up on this kernel.
fn running(path: &Path) -> Option<Child> {
    let mut command = Command::new(path);
    // It looks for tracefs where that is mounted.
    process::mount_tracefs(&mut command);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.expect("the peer starts");
    thread::sleep(Duration::from_secs(1));
    child.try_wait().expect("a child").is_none().then_some(child)
}

fn end(mut child: Child) {
    send(child.id(), libc::SIGINT);
    let _ = wait(&mut child);
}

fn peer_peak(path: &Path) -> String {
    let Some(child) = running(path) else { return "fails".into() };
    let most = peak(child.id());
    end(child);
    most.to_string()
}

/// What a tool adds to that at which it looks.
fn added(work: &Work) {
    println!("\n{}: {}; median of {ROUNDS}", work.tool, work.what);
    let path = peer(work.tool);
    let (mut alone, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push((work.time)());
        let (child, _) = attached(work.tool);
        ours.push((work.time)());
        end(child);
        alone.push((work.time)());
        if let Some(child) = path.as_ref().and_then(|path| running(path)) {
            theirs.push((work.time)());
            end(child);
        }
    }
    let base = median(alone.clone());
    for (label, figures) in [("alone", alone), ("corescope", ours), ("peer", theirs)] {
        if figures.is_empty() {
            println!("  {label:<10} none that works here");
            continue;
        }
        let least = figures.iter().copied().fold(f64::MAX, f64::min);
        let most = figures.iter().copied().fold(0., f64::max);
        let median = median(figures);
        let more = if label == "alone" { String::new() } else { format!(", {:.0} more", median - base) };
        println!("  {label:<10} {median:>8.0} ns ({least:.0} to {most:.0}){more}");
    }
}

fn open_and_close() -> f64 {
    on_one_cpu(|times| workload::open::open_and_close(OsStr::new("/etc/hostname"), times as usize))
}

fn stat() -> f64 {
    on_one_cpu(|times| {
        for _ in 0..times {
            assert!(fs::metadata("/etc/hostname").is_ok());
        }
    })
}

fn kill() -> f64 {
    on_one_cpu(|times| {
        for _ in 0..times {
            send(std::process::id(), 0);
        }
    })
}

fn get_parent() -> f64 {
    on_one_cpu(|times| workload::calls::get_parents(times.into()))
}

/// Nanoseconds of processor time for each of many times, in a thread that stays on one CPU.
fn on_one_cpu(work: fn(u32)) -> f64 {
    let thread = thread::spawn(move || {
        workload::pin(0);
        let start = workload::cpu_time();
        work(TIMES);
        workload::cpu_time().saturating_sub(start)
    });
    thread.join().expect("work").as_secs_f64() * 1e9 / f64::from(TIMES)
}

/// Nanoseconds per round trip.
fn ping_pong() -> f64 {
    let (there, ping) = std::io::pipe().expect("a pipe");
    let (back, pong) = std::io::pipe().expect("a pipe");
    let other = thread::spawn(move || bounce(there, pong, false));
    let took = thread::spawn(move || bounce(back, ping, true)).join().expect("a thread");
    other.join().expect("a thread");
    took.as_secs_f64() * 1e9 / f64::from(TRIPS)
}

fn bounce(mut from: PipeReader, mut to: PipeWriter, first: bool) -> Duration {
    workload::pin(0);
    let mut byte = [0];
    let start = Instant::now();
    for _ in 0..TRIPS {
        if first {
            to.write_all(&byte).expect("a pipe");
            from.read_exact(&mut byte).expect("a pipe");
        } else {
            from.read_exact(&mut byte).expect("a pipe");
            to.write_all(&byte).expect("a pipe");
        }
    }
    start.elapsed()
}
