//! exitsnoop against processes whose ends wait(2) tells.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};
use std::{fs, process, thread};

use corescope_testing::workload::{Cgroup, Forked, exit_process, exit_thread, short_lives, tid, tiny_program};
use corescope_testing::{Scratch, Seen, Tool};
use serde_json::{Value, json};

/// A prime number, so that no product of something else hits it by chance.
const RUNS: usize = 13;
const THREADS: i32 = 7;

/// Runs a shell script in a folder where a core dump may lie; gives its process id and how it ended.
fn shell(folder: &Scratch, script: &str) -> (u32, ExitStatus) {
    let mut child = Command::new("sh").args(["-c", script]).current_dir(folder.path()).spawn().expect("a shell");
    (child.id(), child.wait().expect("a child"))
}

/// The one row of a process.
fn row(seen: &Seen, pid: u32) -> &Value {
    let rows = seen.rows_with("pid", pid);
    assert_eq!(rows.len(), 1, "{rows:?} {}", seen.messages);
    rows[0]
}

fn assert_status(row: &Value, status: ExitStatus) {
    assert_eq!(row["exit_code"], json!(status.code()), "{row}");
    assert_eq!(row["signal"], json!(status.signal()), "{row}");
    assert_eq!(row["core_dumped"], status.core_dumped(), "{row}");
}

/// Whether this kernel still has the arguments at the end (6.16).
fn keeps_arguments() -> bool {
    let types = fs::read("/sys/kernel/btf/vmlinux").expect("a kernel with BTF");
    let name = b"\0trace_event_raw_sched_process_exit\0";
    types.windows(name.len()).any(|window| window == name)
}

/// In a new process: threads that do `work` at the same moment, as the first thread does.
fn all_at_once(work: impl Fn(i32) + Clone + Send + 'static) -> Forked {
    Forked::new(move || {
        let barrier = Arc::new(Barrier::new(1 + THREADS.unsigned_abs() as usize));
        for number in 1..=THREADS {
            let (barrier, work) = (Arc::clone(&barrier), work.clone());
            thread::spawn(move || {
                barrier.wait();
                work(number);
            });
        }
        barrier.wait();
        work(0);
    })
}

#[test]
fn every_end_is_a_row_with_its_status() {
    let scratch = Scratch::new("exitsnoop");
    let scripts = ["exit 0", "exit 7", "exit 255", "kill -9 $$", "kill -TERM $$", "ulimit -c unlimited; kill -SEGV $$"];
    let names = [None, None, None, Some("KILL"), Some("TERM"), Some("SEGV")];
    let tool = Tool::start("exitsnoop", &[]);
    let ends: Vec<Vec<(u32, ExitStatus)>> =
        (0..RUNS).map(|_| scripts.iter().map(|script| shell(&scratch, script)).collect()).collect();
    let seen = tool.stop();

    assert_eq!(seen.lost(), 0);
    let keeps_arguments = keeps_arguments();
    for (index, (pid, status)) in ends.into_iter().flatten().enumerate() {
        let (row, kind) = (row(&seen, pid), index % scripts.len());
        assert_status(row, status);
        assert_eq!(row["signal_name"], json!(names[kind]));
        assert_eq!(row["comm"], "sh");
        assert_eq!(row["tid"], pid);
        assert_eq!(row["ppid"], process::id());
        assert_eq!(row["label"], json!(null));
        assert_eq!(row["args"], if keeps_arguments { json!(["sh", "-c", scripts[kind]]) } else { json!(null) });
        assert_eq!(row["args_cut"], false);
    }
}

#[test]
fn the_age_is_the_time_that_it_lived() {
    const LIFE: Duration = Duration::from_millis(300);
    let tool = Tool::start("exitsnoop", &["--label"]);
    let start = Instant::now();
    let child = Forked::new(|| thread::sleep(LIFE));
    let pid = child.pid();
    assert!(child.wait().success());
    let most = start.elapsed();
    let seen = tool.stop();
    let row = row(&seen, pid);
    let age = Duration::from_nanos(row["age_ns"].as_u64().expect("a number"));
    assert!((LIFE..=most).contains(&age), "{age:?} of {most:?}");
    assert_eq!(row["label"], "exit");
}

#[test]
fn a_process_ends_with_its_last_thread() {
    const LIFE: Duration = Duration::from_millis(200);
    let tool = Tool::start("exitsnoop", &[]);
    let ends: Vec<(u32, ExitStatus)> = [exit_thread as fn(i32) -> !, exit_process, |_| process::abort()]
        .into_iter()
        .map(|end| {
            let child = Forked::new(|| {
                fs::write("/proc/thread-self/comm", "cs-first").expect("a name");
                let last = move || {
                    thread::sleep(LIFE);
                    end(11)
                };
                let _ = thread::Builder::new().name("cs-last".into()).spawn(last).expect("a thread");
                exit_thread(3)
            });
            (child.pid(), child.wait())
        })
        .collect();
    let seen = tool.stop();
    for (pid, status) in ends {
        let row = row(&seen, pid);
        assert_status(row, status);
        assert_eq!(row["comm"], "cs-first");
        assert_eq!(row["tid"], pid);
        assert!(Duration::from_nanos(row["age_ns"].as_u64().expect("a number")) >= LIFE, "{row}");
    }
}

#[test]
fn threads_that_end_at_the_same_moment_are_one_end() {
    const PROCESSES: usize = 101;
    let tool = Tool::start("exitsnoop", &[]);
    let ends: Vec<(u32, ExitStatus)> = (0..PROCESSES)
        .map(|index| {
            let child = if index % 3 == 0 { all_at_once(|_| exit_process(5)) } else { all_at_once(|_| exit_thread(5)) };
            (child.pid(), child.wait())
        })
        .collect();
    let seen = tool.stop();
    seen.assert_all(seen.rows_with("ppid", process::id()).len(), PROCESSES);
    for (pid, status) in ends {
        assert_eq!(status.code(), Some(5));
        assert_status(row(&seen, pid), status);
    }
}

#[test]
fn each_thread_is_a_row_when_asked_for() {
    let tool = Tool::start("exitsnoop", &["--per-thread"]);
    let child = all_at_once(|number| {
        fs::write("/proc/thread-self/comm", tid().to_string()).expect("a name");
        exit_thread(number)
    });
    let pid = child.pid();
    assert_eq!(child.wait().signal(), None);
    let seen = tool.stop();
    let rows = seen.rows_with("pid", pid);
    let mut codes: Vec<i64> = rows.iter().filter_map(|row| row["exit_code"].as_i64()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), rows.len());
    seen.assert_all(rows.len(), 1 + THREADS.unsigned_abs() as usize);
    for row in &rows {
        assert_eq!(row["comm"], row["tid"].to_string());
        assert_eq!(row["ppid"], process::id());
        assert_eq!(row["tid"] == pid, row["exit_code"] == 0, "the first thread has the number 0");
    }
}

#[test]
fn what_exited_with_zero_can_be_left_out() {
    let scratch = Scratch::new("failed");
    let tool = Tool::start("exitsnoop", &["-x"]);
    let ends: Vec<(u32, ExitStatus)> = ["exit 0", "exit 1", "kill -9 $$"]
        .iter()
        .cycle()
        .take(3 * RUNS)
        .map(|script| shell(&scratch, script))
        .collect();
    let seen = tool.stop();
    seen.assert_all(seen.rows_with("ppid", process::id()).len(), 2 * RUNS);
    for (pid, status) in ends {
        if status.success() {
            assert!(seen.rows_with("pid", pid).is_empty());
        } else {
            assert_status(row(&seen, pid), status);
        }
    }
}

#[test]
fn one_process_and_no_other() {
    let scratch = Scratch::new("pid");
    let others = || (0..RUNS).for_each(|_| assert!(shell(&scratch, "exit 0").1.success()));
    let mut command = Command::new("sh");
    let mut child = command.args(["-c", "read line; exit 9"]).stdin(Stdio::piped()).spawn().expect("a shell");
    let tool = Tool::start("exitsnoop", &["-p", &child.id().to_string()]);
    others();
    drop(child.stdin.take());
    let status = child.wait().expect("a child");
    // It ends with the process.
    let seen = tool.wait();
    assert_eq!(seen.rows().count(), 1, "{}", seen.messages);
    assert_status(row(&seen, child.id()), status);

    let tool = Tool::start("exitsnoop", &["-p", "1"]);
    others();
    assert_eq!(tool.stop().rows().count(), 0);
}

#[test]
fn a_cgroup_and_what_is_below_it() {
    let scratch = Scratch::new("cgroup");
    let path = scratch.join("cs-cgroup");
    tiny_program(&path);
    let group = Cgroup::new("cs-exitsnoop");
    let below = group.child("below");
    let tool = Tool::start("exitsnoop", &["-c", group.path_str()]);
    for _ in 0..RUNS {
        assert!(Command::new(&path).status().expect("a program").success());
        let mut inside = Command::new(&path);
        Cgroup::join_before_exec(&mut inside, below.path());
        assert!(inside.status().expect("a program").success());
    }
    let seen = tool.stop();
    seen.assert_all(seen.rows_with("comm", "cs-cgroup").len(), RUNS);
    assert!(seen.rows().all(|row| row["comm"] == "cs-cgroup"), "only those within");
}

#[test]
fn long_arguments_are_cut_and_marked() {
    let scratch = Scratch::new("long");
    let tool = Tool::start("exitsnoop", &[]);
    let (pid, _) = shell(&scratch, &format!("exit 0 {}", "#".repeat(5000)));
    let seen = tool.stop();
    let row = row(&seen, pid);
    assert_eq!(row["args_cut"], keeps_arguments());
    let bytes = row["args"].as_array().map(|args| args.iter().map(|arg| arg.as_str().map_or(0, str::len) + 1).sum());
    assert_eq!(bytes, keeps_arguments().then_some(4097), "{row}");
}

#[test]
fn at_full_speed_rows_and_losses_are_what_was_made() {
    const ENDS: usize = 4_001;
    let tool = Tool::start("exitsnoop", &[]);
    short_lives(ENDS);
    let seen = tool.stop();
    let rows = seen.rows_with("ppid", process::id()).len();
    seen.assert_all(rows, ENDS);
    assert!(rows > 1000, "{rows} rows");
}
