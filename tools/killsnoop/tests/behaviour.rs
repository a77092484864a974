//! killsnoop against calls whose answers are known.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::thread;

use corescope_testing::workload::signal::{
    Waiting, become_user, kill, pidfd, pidfd_send, queue, queue_to_thread, tgkill, tkill,
};
use corescope_testing::{Seen, Tool, workload};
use serde_json::{Value, json};

/// A prime number, so that no product of something else hits it by chance.
const RUNS: usize = 37;
/// No process has it: PID_MAX_LIMIT is 4194304.
const MISSING: i32 = 99_999_999;
const NOBODY: u32 = 65534;

fn me() -> i32 {
    i32::try_from(std::process::id()).expect("a process id")
}

/// The rows of what this process called; what ends the tool is none of it.
fn own(seen: &Seen) -> Vec<&Value> {
    let ends_the_tool = |row: &&Value| row["signal"] == libc::SIGTERM && row["tcomm"] == "killsnoop";
    seen.rows_with("pid", me()).into_iter().filter(|row| !ends_the_tool(row)).collect()
}

#[test]
fn every_call_is_a_row_with_its_target() {
    let child = Waiting::start();
    let (pid, comm) = (child.pid(), child.comm());
    let fd = pidfd(pid);
    let folder = File::open(format!("/proc/{pid}")).expect("a process");
    let tool = Tool::start("killsnoop", &[]);
    for _ in 0..RUNS {
        assert_eq!(kill(pid, 0), 0);
        assert_eq!(tkill(pid, 0), 0);
        assert_eq!(tgkill(pid, pid, 0), 0);
        assert_eq!(pidfd_send(fd.as_raw_fd(), 0), 0);
        assert_eq!(pidfd_send(folder.as_raw_fd(), 0), 0);
        assert_eq!(queue(pid, 0, libc::SI_QUEUE), 0);
        assert_eq!(queue_to_thread(pid, pid, 0, libc::SI_QUEUE), 0);
    }
    let seen = tool.stop();

    assert_eq!(own(&seen).len(), 7 * RUNS, "{}", seen.messages);
    assert_eq!(seen.lost(), 0);
    let calls = [
        ("kill", RUNS, Value::Null),
        ("tkill", RUNS, json!(pid)),
        ("tgkill", RUNS, json!(pid)),
        ("pidfd_send_signal", 2 * RUNS, Value::Null),
        ("rt_sigqueueinfo", RUNS, Value::Null),
        ("rt_tgsigqueueinfo", RUNS, json!(pid)),
    ];
    for (call, count, ttid) in calls {
        let rows: Vec<&Value> = own(&seen).into_iter().filter(|row| row["syscall"] == call).collect();
        assert_eq!(rows.len(), count, "{call}");
        for row in rows {
            assert_eq!(row["tid"], workload::tid());
            assert_eq!(row["tpid"], pid, "{row}");
            assert_eq!(row["ttid"], ttid, "{row}");
            assert_eq!(row["tcomm"], comm.as_str(), "{row}");
            assert_eq!((&row["signal"], &row["signal_name"], &row["ret"]), (&json!(0), &Value::Null, &json!(0)));
        }
    }
}

#[test]
fn signals_that_end_their_targets() {
    let tool = Tool::start("killsnoop", &[]);
    let mut sent = Vec::new();
    for signal in [libc::SIGUSR1, libc::SIGTERM, libc::SIGKILL, libc::SIGRTMIN() + 3] {
        let mut child = Waiting::start();
        assert_eq!(kill(child.pid(), signal), 0);
        assert_eq!(child.0.wait().expect("a child").signal(), Some(signal));
        sent.push((child.pid(), signal));
    }
    let seen = tool.stop();
    let rows = own(&seen);
    assert_eq!(rows.len(), sent.len(), "{}", seen.messages);
    for ((pid, signal), row) in sent.iter().zip(&rows) {
        assert_eq!((&row["tpid"], &row["signal"], &row["ret"]), (&json!(pid), &json!(signal), &json!(0)));
    }
    let names: Vec<&Value> = rows.iter().map(|row| &row["signal_name"]).collect();
    assert_eq!(names, ["USR1", "TERM", "KILL", "RTMIN+3"]);
}

/// Calls that fail, each `RUNS` times: the call's target and the result.
fn fail() -> Vec<(i32, i32)> {
    let mut child = Waiting::start();
    let gone = pidfd(child.pid());
    child.0.kill().expect("a child");
    child.0.wait().expect("a child");
    let mut failed = Vec::new();
    for _ in 0..RUNS {
        failed.push((MISSING, kill(MISSING, libc::SIGTERM)));
        failed.push((me(), kill(me(), 65)));
        // A thread of another process than the call says.
        failed.push((me(), tgkill(me(), 1, 0)));
        failed.push((child.pid(), pidfd_send(gone.as_raw_fd(), libc::SIGTERM)));
    }
    let denied = thread::spawn(|| {
        become_user(NOBODY);
        (0..RUNS).map(|_| (1, kill(1, libc::SIGTERM))).collect::<Vec<_>>()
    });
    failed.extend(denied.join().expect("no panic"));
    failed
}

#[test]
fn calls_that_fail() {
    let tool = Tool::start("killsnoop", &["-x"]);
    let failed = fail();
    for _ in 0..RUNS {
        kill(me(), 0);
    }
    let seen = tool.stop();
    for result in [-libc::ESRCH, -libc::EINVAL, -libc::EPERM] {
        assert!(failed.iter().filter(|(_, found)| *found == result).count() >= RUNS, "{failed:?}");
    }
    let rows: Vec<(i64, i64)> = own(&seen)
        .iter()
        .map(|row| (row["tpid"].as_i64().expect("a target"), row["ret"].as_i64().expect("a result")))
        .collect();
    let failed: Vec<(i64, i64)> = failed.into_iter().map(|(pid, result)| (pid.into(), result.into())).collect();
    assert_eq!(rows, failed, "{}", seen.messages);
}

#[test]
fn who_calls_to_whom_and_what() {
    let child = Waiting::start();
    let (own_pid, target) = (me().to_string(), child.pid().to_string());
    let filters: &[(&[&str], usize)] = &[
        // The thread that calls is not the first one of its process.
        (&["-p", &own_pid], 2 * RUNS),
        (&["-p", "1"], 0),
        (&["-T", &target], RUNS),
        (&["-T", &own_pid], RUNS),
        (&["-s", "WINCH"], RUNS),
        (&["-s", "28,0"], 2 * RUNS),
        (&["-s", "9,15"], 0),
        (&["-p", &own_pid, "-T", &target, "-s", "28"], 0),
    ];
    for (arguments, expected) in filters {
        let tool = Tool::start("killsnoop", arguments);
        let pid = child.pid();
        let tid = thread::spawn(move || {
            let tid = workload::tid();
            for _ in 0..RUNS {
                assert_eq!(kill(pid, 0), 0);
                // For a thread; the filter asks for its process.
                assert_eq!(tkill(tid, libc::SIGWINCH), 0);
            }
            tid
        });
        let tid = tid.join().expect("no panic");
        let seen = tool.stop();
        let rows = own(&seen);
        assert_eq!(rows.len(), *expected, "{arguments:?} {}", seen.messages);
        assert!(tid != me() && rows.iter().all(|row| row["tid"] == tid));
        for row in rows.iter().filter(|row| row["syscall"] == "tkill") {
            assert_eq!((&row["tpid"], &row["ttid"]), (&json!(me()), &json!(tid)));
        }
    }
}

#[test]
fn other_cgroups_are_left_out() {
    let group = workload::Cgroup::new("cs-killsnoop");
    let tool = Tool::start("killsnoop", &["--cgroup", group.path_str()]);
    for _ in 0..RUNS {
        kill(me(), 0);
    }
    let mut inside = Command::new("sh");
    workload::Cgroup::join_before_exec(inside.args(["-c", "kill -0 $$"]), group.path());
    assert!(inside.status().expect("sh").success());
    let seen = tool.stop();
    assert_eq!(seen.rows().count(), 1, "{seen:?}");
}

#[test]
fn groups_are_shown_as_given() {
    let tool = Tool::start("killsnoop", &["-p", &me().to_string()]);
    let group = -std::os::unix::process::parent_id().cast_signed();
    for _ in 0..RUNS {
        for target in [0, -1, -MISSING, group] {
            kill(target, 0);
        }
    }
    let seen = tool.stop();
    for target in [0, -1, -MISSING, group] {
        let rows = seen.rows_with("tpid", target);
        assert_eq!(rows.len(), RUNS, "{target} {}", seen.messages);
        assert!(rows.iter().all(|row| row["tcomm"].is_null()));
    }
    let tool = Tool::start("killsnoop", &["-T", "-1"]);
    kill(-1, 0);
    kill(0, 0);
    assert_eq!(own(&tool.stop()).len(), 1);
}

#[test]
fn descriptors_that_are_none() {
    let file = File::open("/proc/self/stat").expect("a file");
    let tool = Tool::start("killsnoop", &[]);
    for _ in 0..RUNS {
        assert_eq!(pidfd_send(-1, 0), -libc::EBADF);
        assert_eq!(pidfd_send(1_000_000, 0), -libc::EBADF);
        assert_eq!(pidfd_send(file.as_raw_fd(), 0), -libc::EBADF);
    }
    let seen = tool.stop();
    let rows = own(&seen);
    assert_eq!(rows.len(), 3 * RUNS, "{}", seen.messages);
    for row in rows {
        assert_eq!((&row["tpid"], &row["tcomm"], &row["ret"]), (&Value::Null, &Value::Null, &json!(-libc::EBADF)));
    }
}

/// In a namespace of its own the first process is 1, for the machine it is another one.
#[test]
fn targets_by_the_numbers_of_the_machine() {
    let tool = Tool::start("killsnoop", &["-s", "WINCH"]);
    let output = Command::new("unshare").args(["-p", "-f", "sh", "-c", "kill -WINCH 1"]).output().expect("unshare");
    assert!(output.status.success(), "{output:?}");
    let seen = tool.stop();
    let rows: Vec<&Value> = seen.rows().filter(|row| row["comm"] == "sh" && row["pid"] == row["tpid"]).collect();
    assert_eq!(rows.len(), 1, "{seen:?}");
    assert_ne!(rows[0]["tpid"], 1);
    assert_eq!(rows[0]["tcomm"], "sh");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn programs_of_32_bits_call_as_well() {
    const KILL: u32 = 37;
    const TKILL: u32 = 238;
    const TGKILL: u32 = 270;
    let child = Waiting::start();
    let pid = child.pid().unsigned_abs();
    let call = |number, arguments| {
        // SAFETY: these calls take no pointers.
        unsafe { workload::compat(number, arguments) }
    };
    let tool = Tool::start("killsnoop", &[]);
    for _ in 0..RUNS {
        assert_eq!(call(KILL, [pid, 28, 0, 0, 0]), 0);
        assert_eq!(call(TKILL, [pid, 28, 0, 0, 0]), 0);
        assert_eq!(call(TGKILL, [pid, pid, 28, 0, 0]), 0);
        assert_eq!(call(KILL, [MISSING.unsigned_abs(), 28, 0, 0, 0]), -libc::ESRCH);
        // Through a negative number of 32 bits.
        assert_eq!(call(KILL, [MISSING.wrapping_neg().cast_unsigned(), 28, 0, 0, 0]), -libc::ESRCH);
    }
    let seen = tool.stop();
    for name in ["kill", "tkill", "tgkill"] {
        let rows: Vec<&Value> =
            seen.rows_with("tpid", pid).into_iter().filter(|row| row["syscall"] == name && row["ret"] == 0).collect();
        assert_eq!(rows.len(), RUNS, "{name} {}", seen.messages);
        assert!(rows.iter().all(|row| row["signal_name"] == "WINCH"));
    }
    assert_eq!(seen.rows_with("tpid", MISSING).len(), RUNS);
    assert_eq!(seen.rows_with("tpid", -MISSING).len(), RUNS);
}

#[test]
fn at_full_speed_rows_and_losses_are_what_was_made() {
    const CALLS: usize = 10_007;
    // The filter keeps out what others lose, and what ends the tool.
    let tool = Tool::start("killsnoop", &["-p", &me().to_string(), "-s", "0"]);
    let threads: Vec<_> = (0..2)
        .map(|_| {
            thread::spawn(|| {
                for _ in 0..CALLS {
                    tgkill(me(), workload::tid(), 0);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
    let seen = tool.stop();
    let rows = own(&seen).len();
    seen.assert_all(rows, 2 * CALLS);
    assert!(rows > 1000, "{rows} rows");
}
