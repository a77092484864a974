//! offcputime against waits of known length with known stacks.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use corescope_testing::workload::stacks::{FUTEX, SLEEP, SLEEP_TWICE, sleep, sleep_twice, wait_on_futex};
use corescope_testing::workload::{Cgroup, pin, tid};
use corescope_testing::{Scratch, Seen, Tool, process, tool};
use serde_json::Value;

/// A prime number, so that no product of something else hits it by chance.
const SLEEPS: u64 = 11;
const SLEEP_TIME: Duration = Duration::from_millis(50);
/// What a thread is off the CPU at least of a sleep of 50 ms: between setting the timer and leaving it runs for a moment,
/// and an emulated machine may stand still for some milliseconds right then.
const AWAY_MS: u64 = 40;
const AWAY_TIME: Duration = Duration::from_millis(AWAY_MS);

/// What a thread that sleeps knows of itself.
struct Sleeper {
    tid: i32,
    /// From before the first sleep to after the last.
    took: Duration,
    /// How often it left the CPU for one, by the kernel's count. A virtual machine that stands still between the setting
    /// of the timer and the wait for it spares a sleep its wait.
    waits: u64,
}

/// Sleeps in a thread of its own, not the process's first.
fn sleeps() -> Sleeper {
    let sleeper = thread::spawn(|| {
        let before = voluntary_switches();
        let took = (0..SLEEPS).map(|_| sleep(SLEEP_TIME)).sum();
        Sleeper { tid: tid(), took, waits: (voluntary_switches() - before).min(SLEEPS) }
    });
    let sleeper = sleeper.join().expect("a thread that sleeps");
    assert!(sleeper.waits > SLEEPS / 2, "{} of {SLEEPS} sleeps", sleeper.waits);
    sleeper
}

/// How often this thread has left the CPU to wait for something (proc_pid_status(5)).
fn voluntary_switches() -> u64 {
    let status = fs::read_to_string("/proc/thread-self/status").expect("a thread");
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.and_then(|count| count.trim().parse().ok()).expect("a number")
}

/// Names of a row's stack, the innermost function first.
fn names(row: &Value, stack: &str) -> Vec<String> {
    let frames = row[stack].as_array().map(Vec::as_slice).unwrap_or_default();
    frames.iter().map(|frame| frame["symbol"].as_str().unwrap_or("?").to_string()).collect()
}

/// The rows of a thread whose user stack begins with these functions.
fn rows_in<'a>(seen: &'a Seen, tid: i32, functions: &[&str]) -> Vec<&'a Value> {
    let rows = seen.rows_with("tid", tid);
    rows.into_iter().filter(|row| names(row, "user_stack").starts_with(&functions.strings())).collect()
}

trait Strings {
    fn strings(&self) -> Vec<String>;
}

impl Strings for [&str] {
    fn strings(&self) -> Vec<String> {
        self.iter().map(ToString::to_string).collect()
    }
}

fn sum(rows: &[&Value], key: &str) -> u64 {
    rows.iter().filter_map(|row| row[key].as_u64()).sum()
}

/// Ends of waits that may be missing. A restricted kernel may run no programs while certain threads run, those that watch
/// over the machine: who gets the CPU from one of them is not seen to come back. Kernels of the matrix have none.
fn unseen() -> u64 {
    if env::var_os("CORESCOPE_KERNEL").is_some() { 0 } else { 2 }
}

/// Checks that sleeps of a known length were seen with their stacks: not less, and not more than the clock says.
fn assert_sleeps(seen: &Seen, sleeper: &Sleeper) {
    let rows = rows_in(seen, sleeper.tid, &SLEEP);
    let slept: Vec<&Value> = rows
        .iter()
        .copied()
        .filter(|row| names(row, "kernel_stack").iter().any(|name| name.contains("nanosleep")))
        .collect();
    let total = Duration::from_nanos(sum(&slept, "total_ns"));
    let waits = sleeper.waits - unseen();
    assert!(total >= AWAY_TIME * u32::try_from(waits).expect("few"), "{total:?} {rows:?}");
    assert!(total <= sleeper.took, "{total:?} of {:?}", sleeper.took);
    assert!(sum(&slept, "count") >= waits, "{} of {waits}: {slept:?}", sum(&slept, "count"));
    for row in &slept {
        assert_eq!(row["pid"], std::process::id());
        assert_eq!(names(row, "kernel_stack")[0], "__schedule", "{row}");
    }
}

#[test]
fn a_sleep_is_attributed_to_its_stack() {
    let tool = Tool::start("offcputime", &["-p", &std::process::id().to_string()]);
    let sleeper = sleeps();
    let seen = tool.stop();
    assert_sleeps(&seen, &sleeper);
    assert_eq!(seen.lost(), 0, "{}", seen.messages);
}

#[test]
fn a_futex_is_another_stack_than_a_sleep() {
    let tool = Tool::start("offcputime", &["-t", &tid().to_string(), "-m", "1000"]);
    let slept = sleep(SLEEP_TIME);
    let waited = wait_on_futex(SLEEP_TIME * 2);
    let seen = tool.stop();
    for (functions, least, most, kernel) in
        [(SLEEP, AWAY_TIME, slept, "nanosleep"), (FUTEX, AWAY_TIME * 2, waited, "futex")]
    {
        let rows = rows_in(&seen, tid(), &functions);
        assert_eq!(rows.len(), 1, "{functions:?}");
        assert_eq!(rows[0]["count"], 1);
        let total = Duration::from_nanos(rows[0]["total_ns"].as_u64().expect("a number"));
        assert!(least <= total && total <= most, "{least:?} {total:?} {most:?}");
        assert!(names(rows[0], "kernel_stack").iter().any(|name| name.contains(kernel)), "{}", rows[0]);
    }
}

/// No sleep must be seen with these options.
fn assert_not_seen(options: &[&str]) {
    let tool = Tool::start("offcputime", options);
    let sleeper = sleeps();
    let seen = tool.stop();
    let rows = rows_in(&seen, sleeper.tid, &SLEEP);
    assert!(rows.is_empty(), "{options:?} {rows:?}");
}

#[test]
fn what_is_not_asked_for_is_not_seen() {
    assert_not_seen(&["-p", "1"]);
    assert_not_seen(&["-p", "1,2,3"]);
    assert_not_seen(&["-t", &tid().to_string()]);
    assert_not_seen(&["-k"]);
    // Two and a half times as long as the sleeps, and a half.
    assert_not_seen(&["-m", "125000"]);
    assert_not_seen(&["-M", "25000", "--state", "1"]);
    // Uninterruptible; that, stopped and traced.
    assert_not_seen(&["--state", "2"]);
    assert_not_seen(&["--state", "14"]);
}

#[test]
fn a_state_is_a_mask() {
    let pid = std::process::id().to_string();
    for options in [["--state", "1"], ["--state", "3"], ["--state", "0xd"], ["--state", "-1"]] {
        let tool = Tool::start("offcputime", &["-p", &pid, options[0], options[1]]);
        let sleeper = sleeps();
        assert_sleeps(&tool.stop(), &sleeper);
    }
}

#[test]
fn lists_and_bounds_let_through_what_they_hold() {
    let pid = std::process::id().to_string();
    let list = format!("1,{pid}");
    for options in [["-p", &list, "-u"], ["-m", "40000", "-u"]] {
        let tool = Tool::start("offcputime", &options);
        let sleeper = sleeps();
        assert_sleeps(&tool.stop(), &sleeper);
    }
}

#[test]
fn each_side_can_be_left_out() {
    let pid = std::process::id().to_string();
    let tool = Tool::start("offcputime", &["-p", &pid, "-U"]);
    let sleeper = sleeps();
    let seen = tool.stop();
    let rows = rows_in(&seen, sleeper.tid, &SLEEP);
    assert!(!rows.is_empty());
    assert!(rows.iter().all(|row| row["kernel_stack"] == Value::Array(Vec::new())), "{rows:?}");

    let tool = Tool::start("offcputime", &["-p", &pid, "-K"]);
    let sleeper = sleeps();
    let seen = tool.stop();
    let rows = seen.rows_with("tid", sleeper.tid);
    assert_eq!(seen.lost() + seen.skipped(), 0, "{}", seen.messages);
    assert!(sum(&rows, "count") >= sleeper.waits - unseen(), "{rows:?}");
    assert!(rows.iter().all(|row| row["user_stack"] == Value::Array(Vec::new())), "{rows:?}");
}

#[test]
fn preempted_threads_are_those_of_state_0() {
    let tool = Tool::start("offcputime", &["-p", &std::process::id().to_string(), "--state", "0"]);
    let spin = || {
        pin(0);
        let (start, before) = (Instant::now(), waited_for_cpu());
        while start.elapsed() < Duration::from_secs(1) {
            std::hint::spin_loop();
        }
        (tid(), waited_for_cpu().saturating_sub(before))
    };
    let spinners = [thread::spawn(spin), thread::spawn(spin)].map(|spinner| spinner.join().expect("a thread"));
    let seen = tool.stop();
    for (tid, waited) in spinners {
        let total = Duration::from_nanos(sum(&seen.rows_with("tid", tid), "total_ns"));
        // Its first and its last wait may lie outside of what it measured itself.
        let around = Duration::from_millis(50);
        assert!(total + around >= waited && total <= waited + around * 4, "{tid}: {total:?}, by the kernel {waited:?}");
        assert!(waited >= Duration::from_millis(200), "two threads on one CPU, {waited:?}");
    }
}

/// How long this thread waited for a CPU while it could have run, by the kernel's own count.
fn waited_for_cpu() -> Duration {
    let schedstat = fs::read_to_string("/proc/thread-self/schedstat").expect("schedstat");
    let waited = schedstat.split(' ').nth(1).and_then(|waited| waited.parse().ok());
    Duration::from_nanos(waited.expect("time on the CPU, and waiting for it"))
}

#[test]
fn the_idle_tasks_are_no_processes() {
    let tool = Tool::start("offcputime", &[]);
    sleeps();
    let seen = tool.stop();
    assert!(seen.rows().count() > 0);
    assert!(seen.rows_with("tid", 0).is_empty() && seen.rows_with("pid", 0).is_empty());
    assert!(seen.rows().all(|row| !row["comm"].as_str().unwrap_or_default().starts_with("swapper/")));
}

#[test]
fn intervals_add_up() {
    let tool = Tool::start("offcputime", &["-p", &std::process::id().to_string(), "0.2", "6"]);
    let sleeper = sleeps();
    let seen = tool.wait();
    assert_sleeps(&seen, &sleeper);
    let mut times: Vec<_> = rows_in(&seen, sleeper.tid, &SLEEP).iter().map(|row| row["time"].to_string()).collect();
    times.dedup();
    assert!(times.len() >= 2, "{times:?}");
}

#[test]
fn stacks_that_differ_by_return_addresses_are_one_line() {
    let tool = Tool::start("offcputime", &["-U", "-m", "1000", "-t", &tid().to_string()]);
    (0..3).for_each(|_| sleep_twice(SLEEP_TIME));
    let seen = tool.stop();
    let rows = rows_in(&seen, tid(), &SLEEP_TWICE);
    let addresses: Vec<_> = rows.iter().map(|row| &row["user_stack"][2]["address"]).collect();
    assert!(addresses.len() == 2 && addresses[0] != addresses[1], "{rows:?}");

    // No output would tell when it is attached: it sleeps as long as it traces.
    let _turn = tool::turn();
    let mut command = Command::new(tool::binary("offcputime"));
    command.args(["-f", "-U", "-m", "1000", "-t", &tid().to_string(), "3"]).stdout(Stdio::piped());
    let mut folded = command.spawn().expect("the tool");
    while folded.try_wait().expect("a child").is_none() {
        sleep_twice(SLEEP_TIME);
    }
    let output = folded.wait_with_output().expect("it was there");
    let output = String::from_utf8_lossy(&output.stdout);
    let mut stack = SLEEP_TWICE;
    stack.reverse();
    let end = format!("{} ", stack.join(";"));
    let lines: Vec<_> = output.lines().filter_map(|line| line.split_once(&end)).collect();
    assert_eq!(lines.len(), 1, "{output}");
    assert!(lines[0].1.parse::<u64>().is_ok_and(|us| us > 100_000), "{output}");
}

/// Another process that sleeps and then waits for its end: the test below in this program, executed by name.
struct Other(Child);

impl Other {
    fn start(program: &Path, prepare: impl FnOnce(&mut Command)) -> Self {
        Self::start_as("sleeps_as_a_process_of_its_own", program, prepare)
    }

    fn start_as(test: &str, program: &Path, prepare: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(program);
        command.args(["--exact", test, "--nocapture"]).env(OTHER, "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        prepare(&mut command);
        Self(command.spawn().expect("this program"))
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Until it has slept as often as it is going to.
    fn wait_until_slept(&mut self) {
        let lines = BufReader::new(self.0.stdout.as_mut().expect("piped")).lines();
        assert!(lines.map_while(Result::ok).any(|line| line.contains(SLEPT)), "it tells when it has slept");
    }

    fn end(mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait_with_output();
    }
}

const OTHER: &str = "CORESCOPE_SLEEPER";
const SLEPT: &str = "has slept";

#[test]
fn sleeps_as_a_process_of_its_own() {
    if env::var_os(OTHER).is_some() {
        sleeps();
        println!("{SLEPT}");
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
    }
}

#[test]
fn sleeps_without_the_first_thread() {
    if env::var_os(OTHER).is_some() {
        process::end_first_thread();
        sleeps();
        println!("{SLEPT}");
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    }
}

/// What sleeps of this test last in total, of which as many are needed as it has made sure of itself.
const LEAST_SLEPT: Duration = Duration::from_millis(AWAY_MS * (SLEEPS / 2 + 1));

/// How long another process slept in the stack of its sleeps.
fn other_slept(seen: &Seen, pid: u32) -> Duration {
    let rows = seen.rows_with("pid", pid).into_iter();
    let rows: Vec<_> = rows.filter(|row| names(row, "user_stack").starts_with(&SLEEP.strings())).collect();
    Duration::from_nanos(sum(&rows, "total_ns"))
}

fn assert_other_slept(seen: &Seen, pid: u32) {
    let total = other_slept(seen, pid);
    assert!(total >= LEAST_SLEPT, "{total:?} {}", seen.messages);
}

#[test]
fn a_cgroup_is_a_filter() {
    let cgroup = Cgroup::new("offcputime");
    let tool = Tool::start("offcputime", &["--cgroup", cgroup.path_str()]);
    let program = env::current_exe().expect("a path");
    let mut inside = Other::start(&program, |command| Cgroup::join_before_exec(command, cgroup.path()));
    let outside = sleeps();
    inside.wait_until_slept();
    let seen = tool.stop();
    assert_other_slept(&seen, inside.pid());
    assert!(seen.rows_with("tid", outside.tid).is_empty());
    inside.end();
}

#[test]
fn a_process_in_another_mount_namespace_has_names() {
    let scratch = Scratch::new("offcputime");
    let (real, shown) = (scratch.join("real"), scratch.join("shown"));
    for folder in [&real, &shown] {
        fs::create_dir(folder).expect("a folder");
    }
    fs::copy(env::current_exe().expect("a path"), real.join("program")).expect("a copy of this program");
    // Where it sees its program, this process sees an empty folder.
    let tool = Tool::start("offcputime", &["-u", "-m", "1000"]);
    let mut other = Other::start(&shown.join("program"), |command| process::mount_over(command, &real, &shown));
    other.wait_until_slept();
    let seen = tool.stop();
    assert!(!shown.join("program").exists());
    assert_other_slept(&seen, other.pid());
    other.end();
}

#[test]
fn a_deleted_program_has_names() {
    let scratch = Scratch::new("offcputime-deleted");
    let program = scratch.join("program");
    fs::copy(env::current_exe().expect("a path"), &program).expect("a copy of this program");
    let tool = Tool::start("offcputime", &["-u", "-m", "1000"]);
    let mut other = Other::start(&program, |_| ());
    fs::remove_file(&program).expect("it is there");
    other.wait_until_slept();
    let seen = tool.stop();
    assert_other_slept(&seen, other.pid());
    other.end();
}

#[test]
fn a_process_that_has_ended_has_names() {
    // The tool looks around several times a second; an emulated machine that is busy may take longer.
    let found = [1, 4, 16].into_iter().any(|seconds| {
        let tool = Tool::start("offcputime", &["-u", "-m", "1000"]);
        let mut other = Other::start(&env::current_exe().expect("a path"), |_| ());
        other.wait_until_slept();
        thread::sleep(Duration::from_secs(seconds));
        let pid = other.pid();
        other.end();
        other_slept(&tool.stop(), pid) >= LEAST_SLEPT
    });
    assert!(found, "no names");
}

#[test]
fn a_process_whose_first_thread_has_ended_has_names() {
    let tool = Tool::start("offcputime", &["-u", "-m", "1000"]);
    let mut other = Other::start_as("sleeps_without_the_first_thread", &env::current_exe().expect("a path"), |_| ());
    other.wait_until_slept();
    let seen = tool.stop();
    assert_other_slept(&seen, other.pid());
    other.end();
}
