//! syscount against system calls that are made a known number of times.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{env, fs};

use corescope_testing::tool::{DEADLINE, binary, turn};
use corescope_testing::workload::calls;
use corescope_testing::{Seen, Tool, loaded, process, workload};
use serde_json::Value;

/// Prime numbers, so that no product of something else hits them by chance.
const CALLS: u64 = 10_007;
const FAILED: u64 = 1_009;
const PROCESSES: usize = 37;
const REFUSED: u64 = 101;

/// A thread that waits for its work: only there after its id is known, so that a tool can be started for it alone.
struct Worker {
    tid: i32,
    go: Sender<()>,
    thread: JoinHandle<()>,
}

impl Worker {
    fn new(work: fn()) -> Self {
        let (tell, told) = channel();
        let (go, wait) = channel();
        let thread = thread::spawn(move || {
            tell.send(workload::tid()).expect("a test that waits");
            wait.recv().expect("a test that goes on");
            work();
        });
        Self { tid: told.recv().expect("a thread"), go, thread }
    }

    fn work(self) {
        self.go.send(()).expect("a thread that waits");
        self.thread.join().expect("its work done");
        // Who joins a thread is told before that is quite at its end.
        while Path::new("/proc/self/task").join(self.tid.to_string()).exists() {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// What the tool shows of a thread's work.
fn of_thread(work: fn(), arguments: &[&str]) -> Seen {
    let worker = Worker::new(work);
    let tid = worker.tid.to_string();
    let tool = Tool::start("syscount", &[&["-T", "1000", "-t", &tid], arguments].concat());
    worker.work();
    tool.stop()
}

fn sum(seen: &Seen, call: &str, abi: &str, key: &str) -> u64 {
    let rows = seen.rows().filter(|row| row["syscall"] == call && row["abi"] == abi);
    rows.map(|row| row[key].as_u64().expect("a number")).sum()
}

fn count(seen: &Seen, call: &str) -> u64 {
    sum(seen, call, "native", "count")
}

fn assert_all(seen: &Seen, counted: u64, made: u64) {
    let size = |number| usize::try_from(number).expect("a small number");
    seen.assert_all(size(counted), size(made));
}

/// Reads and writes of one byte; nothing else here calls pread and pwrite.
fn read_and_write() {
    let file = fs::File::options().read(true).write(true).open("/dev/zero").expect("a device");
    for _ in 0..CALLS {
        calls::pread_byte(&file);
        calls::pwrite_byte(&file);
    }
}

fn fail() {
    for _ in 0..FAILED {
        assert_eq!(calls::close_nothing(), libc::EBADF);
    }
    drop(fs::File::open("/dev/zero").expect("a device"));
}

fn sleep_seven_times() {
    for _ in 0..7 {
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn reads_and_writes_are_counted_exactly() {
    let seen = of_thread(read_and_write, &[]);
    assert_all(&seen, count(&seen, "pread64"), CALLS);
    assert_all(&seen, count(&seen, "pwrite64"), CALLS);
    assert_eq!(count(&seen, "openat"), 1);
    assert_eq!(count(&seen, "close"), 1);
    assert_eq!(count(&seen, "exit"), 1, "the last call of a thread does not return");
    assert_eq!(sum(&seen, "pread64", "native", "errors"), 0);
    assert!(seen.rows().all(|row| row["total_ns"].is_null()));
}

#[test]
fn threads_that_take_the_cpu_from_each_other() {
    let me = std::process::id().to_string();
    let tool = Tool::start("syscount", &["-L", "-p", &me, "--syscall", "pread64"]);
    let threads: Vec<_> = (0..5)
        .map(|_| {
            thread::spawn(|| {
                workload::pin(0);
                for _ in 0..2 {
                    read_and_write();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("its work done");
    }
    let seen = tool.stop();
    assert_all(&seen, count(&seen, "pread64"), 10 * CALLS);
}

#[test]
fn one_process_and_no_other() {
    let me = std::process::id().to_string();
    let tool = Tool::start("syscount", &["-T", "1000", "-p", &me]);
    read_and_write();
    let seen = tool.stop();
    assert_all(&seen, count(&seen, "pread64"), CALLS);

    let tool = Tool::start("syscount", &["-T", "1000", "-p", "1"]);
    read_and_write();
    let seen = tool.stop();
    assert_eq!(count(&seen, "pread64"), 0);
}

#[test]
fn one_thread_and_no_other() {
    let idle = Worker::new(|| ());
    let tool = Tool::start("syscount", &["-T", "1000", "-t", &idle.tid.to_string()]);
    read_and_write();
    idle.work();
    let seen = tool.stop();
    assert_eq!(count(&seen, "pread64"), 0);
    assert_eq!(count(&seen, "exit"), 1);
}

#[test]
fn one_cgroup_and_no_other() {
    let group = workload::Cgroup::new("cs-syscount");
    let tool = Tool::start("syscount", &["--cgroup", group.path_str()]);
    read_and_write();
    assert_eq!(tool.stop().rows().count(), 0);
}

#[test]
fn errors() {
    for arguments in [&["-x"][..], &["-e", "EBADF"]] {
        let seen = of_thread(fail, arguments);
        assert_all(&seen, count(&seen, "close"), FAILED);
        assert_eq!(sum(&seen, "close", "native", "errors"), count(&seen, "close"));
        assert_eq!(count(&seen, "openat"), 0);
    }
    let seen = of_thread(fail, &["-x", "-e", "2"]);
    assert_eq!(seen.rows().count(), 0);
    // Without a filter there is the one close that did not fail.
    let seen = of_thread(fail, &[]);
    assert_all(&seen, count(&seen, "close"), FAILED + 1);
    assert_all(&seen, sum(&seen, "close", "native", "errors"), FAILED);
}

#[test]
fn one_system_call_and_no_other() {
    let seen = of_thread(read_and_write, &["--syscall", "pwrite64"]);
    assert_all(&seen, count(&seen, "pwrite64"), CALLS);
    assert_eq!(seen.rows().count(), 1);
    let seen = of_thread(fail, &["--syscall", "pwrite64"]);
    assert_eq!(seen.rows().count(), 0);
}

#[test]
fn times_are_those_of_the_calls() {
    let seen = of_thread(sleep_seven_times, &["-L"]);
    let slept: Vec<&Value> = seen.rows_with("syscall", "clock_nanosleep");
    assert_eq!(slept.len(), 1);
    assert_eq!(slept[0]["count"], 7);
    let total = slept[0]["total_ns"].as_u64().expect("a number");
    assert!((140_000_000..3_000_000_000).contains(&total), "{total} ns of 7 sleeps of 20 ms");
}

/// Calls that seccomp refuses are never entered.
fn refused_calls() {
    calls::refuse_sethostname();
    for _ in 0..REFUSED {
        calls::get_parents(1);
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(1) {
            std::hint::spin_loop();
        }
        calls::set_no_hostname();
    }
}

#[test]
fn a_call_that_was_not_entered_is_counted_without_a_time() {
    for arguments in [&["-L"][..], &["-L", "--syscall", "sethostname"]] {
        let seen = of_thread(refused_calls, arguments);
        assert_all(&seen, count(&seen, "sethostname"), REFUSED);
        assert_eq!(sum(&seen, "sethostname", "native", "total_ns"), 0, "{arguments:?}");
        let others = if arguments.len() > 1 { 0 } else { REFUSED };
        assert_eq!(count(&seen, "getppid"), others, "{arguments:?}");
        // Not what it computed.
        assert!(sum(&seen, "getppid", "native", "total_ns") < 50_000_000);
    }
    let worker = Worker::new(refused_calls);
    let tool = Tool::start("syscount", &["-L", "-P", "-t", &worker.tid.to_string()]);
    worker.work();
    let seen = tool.stop();
    let counted: u64 = seen.rows().filter_map(|row| row["count"].as_u64()).sum();
    assert!(counted >= 2 * REFUSED, "{counted}");
}

#[test]
fn the_rows_of_the_most_time_come_first() {
    let worker = Worker::new(sleep_seven_times);
    let tool = Tool::start("syscount", &["-L", "-T", "2", "-t", &worker.tid.to_string()]);
    worker.work();
    let seen = tool.stop();
    let times: Vec<u64> = seen.rows().map(|row| row["total_ns"].as_u64().expect("a number")).collect();
    assert_eq!(times.len(), 2);
    assert!(times[0] >= times[1]);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn calls_of_32_bit_programs_have_their_own_names() {
    use corescope_testing::workload::compat;
    // i386's numbers of getpid and close: of 64-bit programs these numbers are writev and lstat.
    let work = || {
        for _ in 0..FAILED {
            // SAFETY: neither call has an effect.
            unsafe {
                assert!(compat(20, [0; 5]) > 0);
                assert_eq!(compat(6, [u32::MAX, 0, 0, 0, 0]), -libc::EBADF);
            }
        }
    };
    let seen = of_thread(work, &[]);
    assert_all(&seen, sum(&seen, "getpid", "compat", "count"), FAILED);
    assert_all(&seen, sum(&seen, "close", "compat", "errors"), FAILED);
    assert_eq!(count(&seen, "writev") + count(&seen, "lstat"), 0);

    let seen = of_thread(work, &["--syscall", "close", "-e", "EBADF"]);
    assert_all(&seen, sum(&seen, "close", "compat", "count"), FAILED);
    assert_eq!(seen.rows().count(), 1);
}

/// Children that only exit.
fn spawn_children() {
    workload::run_tiny_program("cs-syscount", PROCESSES);
}

#[test]
fn children_of_one_process() {
    let me = std::process::id().to_string();
    let tool = Tool::start("syscount", &["-T", "1000", "-c", &me]);
    spawn_children();
    let seen = tool.stop();
    let made = PROCESSES as u64;
    assert_all(&seen, count(&seen, "execve"), made);
    assert_all(&seen, count(&seen, "exit"), made);
    // A fork returns twice, and is one call of the parent.
    let forks = |seen: &Seen| ["fork", "vfork", "clone", "clone3"].map(|call| count(seen, call)).iter().sum::<u64>();
    assert_eq!(forks(&seen), 0);

    let tool = Tool::start("syscount", &["-T", "1000", "-p", &me]);
    spawn_children();
    let seen = tool.stop();
    assert_all(&seen, forks(&seen), made);
    assert_eq!(count(&seen, "exit"), 0);
}

#[test]
fn by_process() {
    let me = std::process::id();
    let tool = Tool::start("syscount", &["-P", "-T", "1000", "--syscall", "pread64"]);
    read_and_write();
    let seen = tool.stop();
    let mine: u64 = seen.rows_with("pid", me).iter().map(|row| row["count"].as_u64().expect("a number")).sum();
    assert_all(&seen, mine, CALLS);

    // Who has ended is in the next output, by its last name.
    let tool = Tool::start("syscount", &["-P", "-T", "1000", "-L", "-c", &me.to_string()]);
    spawn_children();
    let seen = tool.stop();
    let rows = seen.rows_with("comm", "cs-syscount");
    assert_eq!(rows.len(), PROCESSES, "{:?}", seen.rows().collect::<Vec<_>>());
    assert!(rows.iter().all(|row| row["count"].as_u64() >= Some(2) && row["total_ns"].as_u64() > Some(0)));
}

#[test]
fn intervals_add_up() {
    let work = || {
        for _ in 0..3 {
            read_and_write();
            thread::sleep(Duration::from_millis(300));
        }
    };
    let seen = of_thread(work, &["-i", "0.2"]);
    assert!(seen.rows_with("syscall", "pread64").len() >= 3);
    assert_all(&seen, count(&seen, "pread64"), 3 * CALLS);
    let seen = of_thread(work, &["-i", "0.2", "--process"]);
    assert!(seen.rows_with("pid", std::process::id()).len() >= 3);
}

#[test]
fn the_duration_ends_it() {
    let tool = Tool::start("syscount", &["-i", "0.2", "-d", "0.5"]);
    let seen = tool.wait();
    let times: BTreeSet<&str> = seen.rows().filter_map(|row| row["time"].as_str()).collect();
    assert_eq!(times.len(), 3);
}

/// Part of the command below.
#[test]
#[ignore = "a program that tests execute"]
fn command() {
    calls::get_parents(FAILED);
    assert!(myself("grandchild").status().expect("this program").success());
}

/// What it starts.
#[test]
#[ignore = "a program that tests execute"]
fn grandchild() {
    calls::get_parents(CALLS);
}

fn myself(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("a test has a path"));
    command.args(["--ignored", "--exact", test]).stdin(Stdio::null());
    command
}

#[test]
fn a_command_and_what_it_starts() {
    let path = env::current_exe().expect("a test has a path");
    let command = format!("'{}' --ignored --exact command", path.display());
    let tool = Tool::start("syscount", &["-T", "1000", "--exec", &command]);
    // Others do not count.
    calls::get_parents(CALLS);
    let seen = tool.wait();
    assert_all(&seen, count(&seen, "getppid"), FAILED + CALLS);
    assert_eq!(count(&seen, "execve"), 2, "from its own exec on");
    assert_eq!(count(&seen, "exit_group"), 2, "to its end");
}

#[test]
fn a_command_that_fails_is_no_failure_of_the_tool() {
    let seen = Tool::start("syscount", &["-T", "1000", "--exec", "sh -c 'exit 3'"]).wait();
    assert_eq!(count(&seen, "exit_group"), 1);
}

#[test]
fn a_command_ends_with_the_tool() {
    let tool = Tool::start("syscount", &["--exec", "sleep 1009"]);
    let child = children(tool.pid());
    assert_eq!(child.len(), 1);
    let _ = tool.stop();
    let start = Instant::now();
    while fs::read_to_string(format!("/proc/{}/stat", child[0])).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(start.elapsed() < DEADLINE, "the command goes on");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The processes that a process has started, and that are still there.
fn children(of: u32) -> Vec<String> {
    let processes = fs::read_dir("/proc").expect("proc").filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_child = |pid: &String| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // Behind the name: state and parent.
        stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)) == Some(&of.to_string())
    };
    processes.filter(is_child).collect()
}

/// What the tool says, and the status that it ends with, where it does not come as far as to trace.
fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let _turn = turn();
    let output = Command::new(binary("syscount")).args(arguments).stdin(Stdio::null()).output().expect("a tool");
    loaded::assert_nothing_left("syscount");
    assert!(output.stdout.is_empty());
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn what_cannot_be_done_is_said() {
    let (status, text) = refused(&["--exec", "/nonexistent/program"]);
    assert_eq!(status, Some(1));
    assert!(text.contains("syscount: cannot execute /nonexistent/program: No such file"), "{text}");
    for wrong in [["--exec", "'a"], ["--exec", " "], ["--syscall", "nonsense"], ["-e", "ENONSENSE"], ["-e", "0"]] {
        let (status, text) = refused(&wrong);
        assert_eq!(status, Some(2), "{wrong:?}: {text}");
    }
}

/// Names that the kernel has for system calls by the functions which make them, and that are not their own.
const ALIASES: [&str; 4] = ["newstat", "newlstat", "newfstat", "newuname"];

#[test]
fn the_kernel_has_no_system_call_that_the_list_lacks() {
    let output = Command::new(binary("syscount")).arg("-l").output().expect("a tool");
    let text = String::from_utf8(output.stdout).expect("names");
    let known: BTreeSet<&str> = text.split_whitespace().collect();
    assert!(known.contains("read") && known.contains("waitpid"));

    let mut list = Command::new("ls");
    list.arg("/sys/kernel/tracing/events/syscalls");
    process::mount_tracefs(&mut list);
    let output = list.output().expect("ls");
    let text = String::from_utf8(output.stdout).expect("names");
    let kernel: Vec<&str> = text.split_whitespace().filter_map(|name| name.strip_prefix("sys_enter_")).collect();
    assert!(kernel.len() > 300, "{} tracepoints of system calls", kernel.len());
    let unknown: Vec<_> = kernel.iter().filter(|name| !known.contains(**name) && !ALIASES.contains(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// Reads from a pipe that others write to.
fn read_from(pipe: &std::io::PipeReader) -> isize {
    let mut byte = 0u8;
    // SAFETY: the pointer is to one byte.
    unsafe { libc::read(std::os::fd::AsRawFd::as_raw_fd(pipe), (&raw mut byte).cast(), 1) }
}

#[test]
fn calls_that_signals_interrupt_are_counted_once() {
    const TIMES: usize = 7;
    for restart in [false, true] {
        let me = std::process::id().to_string();
        let tool = Tool::start("syscount", &["-L", "-p", &me, "--syscall", "read"]);
        let (there, mut here) = std::io::pipe().expect("a pipe");
        let start = std::time::Instant::now();
        let reads = || {
            for _ in 0..if restart { 0 } else { TIMES } {
                assert_eq!(
                    (read_from(&there), std::io::Error::last_os_error().raw_os_error()),
                    (-1, Some(libc::EINTR))
                );
            }
            assert_eq!(read_from(&there), 1);
        };
        workload::interrupt(TIMES, restart, reads, || std::io::Write::write_all(&mut here, &[0]).expect("a pipe"));
        let took = u64::try_from(start.elapsed().as_nanos()).expect("not so long");
        let seen = tool.stop();
        // This thread looks at /proc meanwhile, whose files it reads to their ends: without errors, and in no time.
        let row = seen.rows_with("syscall", "read")[0];
        assert_eq!(row["errors"], if restart { 0 } else { TIMES }, "{row}");
        let total = row["total_ns"].as_u64().expect("a number");
        // The thread has slept for nearly all of the time.
        assert!(total > took / 2 && total < took + took / 2, "{total} of {took}: {row}");
        assert!(seen.rows_with("syscall", "restart_syscall").is_empty());
    }
}
