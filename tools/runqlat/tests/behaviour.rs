//! runqlat against the scheduler's own account, /proc/PID/schedstat.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use corescope_testing::{Seen, Tool, workload};

/// The kernel's sum of this thread's waits, in ns: the second number of schedstat.
fn run_delay() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("CONFIG_SCHED_INFO");
    text.split(' ').nth(1).and_then(|number| number.parse().ok()).expect("three numbers")
}

/// Threads that compute for a second, on the CPU that they are told if any; gives each one's id and its waits.
fn busy(count: usize, cpu: Option<usize>) -> Vec<(i32, u64)> {
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..count)
        .map(|_| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                if let Some(cpu) = cpu {
                    workload::pin(cpu);
                }
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
                (workload::tid(), run_delay())
            })
        })
        .collect();
    thread::sleep(Duration::from_millis(1009));
    stop.store(true, Ordering::Relaxed);
    threads.into_iter().map(|thread| thread.join().expect("a thread that only counts")).collect()
}

fn sum(seen: &Seen, key: &str, id: i64) -> u64 {
    seen.rows_with(key, id).iter().map(|row| row["sum_ns"].as_u64().expect("a number")).sum()
}

/// What is waited between the reading of schedstat and the thread's end, and before its first run, is in one only.
fn assert_close(seen: u64, truth: u64) {
    let slack = truth / 50 + 20_000_000;
    assert!(seen.abs_diff(truth) <= slack, "{seen} ns of waits, {truth} ns by schedstat");
}

#[test]
fn sums_of_threads_are_those_of_schedstat() {
    let tool = Tool::start("runqlat", &["-L"]);
    let threads = busy(3, Some(0));
    let seen = tool.stop();
    for (tid, truth) in threads {
        assert!(truth > 100_000_000, "three threads on one CPU wait for each other");
        assert_close(sum(&seen, "tid", tid.into()), truth);
    }
}

#[test]
fn waits_go_on_when_a_task_is_moved() {
    let tool = Tool::start("runqlat", &["-L"]);
    let threads = busy(5, None);
    let seen = tool.stop();
    let truth: u64 = threads.iter().map(|(_, truth)| truth).sum();
    let sums: u64 = threads.iter().map(|(tid, _)| sum(&seen, "tid", (*tid).into())).sum();
    if seen.messages.contains("lacks CONFIG_SCHEDSTATS") {
        // What is not known is said, and never made up.
        assert!(sums <= truth + 20_000_000, "{sums} ns of waits, {truth} ns by schedstat");
    } else {
        assert_close(sums, truth);
    }
}

#[test]
fn one_process_and_no_other() {
    let me = std::process::id();
    let tool = Tool::start("runqlat", &["-P", "-p", &me.to_string()]);
    let truth: u64 = busy(3, Some(0)).iter().map(|(_, truth)| truth).sum();
    let seen = tool.stop();
    assert!(seen.rows().all(|row| row["pid"] == me), "{:?}", seen.rows().collect::<Vec<_>>());
    let waited = sum(&seen, "pid", me.into());
    assert!(waited + waited / 50 + 20_000_000 > truth, "{waited} ns of waits, {truth} ns by schedstat");

    // Process 1 of the machine has no part in this test.
    let tool = Tool::start("runqlat", &["-P", "-p", "1"]);
    busy(3, Some(0));
    assert!(tool.stop().rows_with("pid", me).is_empty());
}

#[test]
fn as_many_as_the_user_has_room_for() {
    let me = std::process::id().to_string();
    let tool = Tool::start("runqlat", &["-L", "-p", &me, "--max-entries", "2"]);
    busy(5, Some(0));
    let seen = tool.stop();
    assert_eq!(seen.rows().filter(|row| row["tid"].is_number()).count(), 2);
    assert!(seen.lost() > 0, "{}", seen.messages);
}

#[test]
fn one_cgroup_and_no_other() {
    let group = workload::Cgroup::new("cs-runqlat");
    let tool = Tool::start("runqlat", &["-P", "--cgroup", group.path_str()]);
    busy(3, Some(0));
    assert_eq!(tool.stop().rows().count(), 0);
}

#[test]
fn buckets_hold_what_is_counted() {
    let tool = Tool::start("runqlat", &["1", "2"]);
    busy(3, Some(0));
    let seen = tool.wait();
    let rows: Vec<_> = seen.rows().collect();
    assert_eq!(rows.len(), 2, "{}", seen.messages);
    for row in rows {
        let buckets = row["buckets"].as_array().expect("a list");
        let count: u64 = buckets.iter().map(|bucket| bucket["count"].as_u64().expect("a number")).sum();
        assert_eq!(row["count"], count);
        assert_eq!(row["unit"], "us");
        let least: u64 =
            buckets.iter().map(|b| b["low"].as_u64().expect("a number") * b["count"].as_u64().expect("a number")).sum();
        let sum = row["sum_ns"].as_u64().expect("a number");
        assert!(least * 1000 <= sum, "{least} us at least, {sum} ns in all");
        // Each range begins where the one before ends.
        for pair in buckets.windows(2) {
            assert_eq!(pair[0]["high"].as_u64().map(|high| high + 1), pair[1]["low"].as_u64());
        }
    }
}

#[test]
fn namespaces_and_milliseconds() {
    let tool = Tool::start("runqlat", &["--pidnss", "-m"]);
    busy(3, Some(0));
    let seen = tool.stop();
    let link = fs::read_link("/proc/self/ns/pid").expect("a namespace");
    let inode: i64 =
        link.to_string_lossy().trim_start_matches("pid:[").trim_end_matches(']').parse().expect("a number");
    let rows = seen.rows_with("pidns", inode);
    assert_eq!(rows.len(), 1, "{:?}", seen.rows().collect::<Vec<_>>());
    assert_eq!(rows[0]["unit"], "ms");
    // Time slices are some milliseconds long, and so are the waits for them.
    let longest = rows[0]["buckets"].as_array().expect("a list").len();
    assert!((1..14).contains(&longest), "{:?}", rows[0]);
}
