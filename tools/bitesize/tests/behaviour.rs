//! bitesize against disks whose requests have known sizes.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::thread;
use std::time::Duration;

use corescope_testing::run::Run;
use corescope_testing::workload::{Aligned, Cgroup, Disk, direct};
use corescope_testing::{Seen, Tool, number, tool};
use serde_json::{Value, json};

/// Prime numbers, so that no product of something else hits them by chance.
const READS: u64 = 11;
const WRITES: u64 = 7;

fn work(disk: &Disk) {
    disk.read(READS, 4096);
    disk.write(WRITES, 64 << 10);
}

/// Does something under a name of its own.
fn named(name: &str, work: impl FnOnce() + Send) {
    thread::scope(|scope| {
        thread::Builder::new().name(name.into()).spawn_scoped(scope, work).expect("a thread");
    });
}

fn count(rows: &[&Value]) -> u64 {
    rows.iter().map(|row| number(row, "count")).sum()
}

/// The buckets that have counted something: lowest and highest value, and count.
fn buckets(row: &Value) -> Vec<(u64, u64, u64)> {
    let all = row["buckets"].as_array().expect("a list").iter();
    let all = all.map(|bucket| (number(bucket, "low"), number(bucket, "high"), number(bucket, "count")));
    all.filter(|bucket| bucket.2 > 0).collect()
}

fn run(arguments: &[&str], work: impl FnOnce()) -> Seen {
    let tool = Tool::start("bitesize", arguments);
    work();
    let seen = tool.stop();
    assert_eq!(seen.lost(), 0, "{}", seen.messages);
    seen
}

#[test]
fn counts_and_bytes_are_the_kernels() {
    let disk = Disk::any(Duration::ZERO);
    let before = disk.stat();
    let seen = run(&["-d", disk.name()], || named("cs-sizes", || work(&disk)));
    let truth = disk.stat().since(before);
    assert_eq!((truth.reads, truth.writes), (READS, WRITES));
    let rows = seen.rows_with("comm", "cs-sizes");
    assert_eq!((rows.len(), seen.rows().count()), (1, 1), "{:?}", seen.rows().collect::<Vec<_>>());
    assert_eq!(number(rows[0], "sum_bytes"), truth.read_bytes + truth.written_bytes);
    assert_eq!((&rows[0]["unit"], &rows[0]["pid"], rows[0].get("sum_ns")), (&json!("KB"), &Value::Null, None));
    assert_eq!(buckets(rows[0]), [(4, 7, READS), (64, 127, WRITES)]);
}

#[test]
fn sizes_below_a_kilobyte_are_not_lost() {
    let disk = Disk::any(Duration::ZERO);
    let seen = run(&["-d", disk.name()], || disk.read(READS, 512));
    let rows: Vec<&Value> = seen.rows().collect();
    assert_eq!((buckets(rows[0]), number(rows[0], "sum_bytes")), (vec![(0, 1, READS)], READS * 512));
}

#[test]
fn each_process_has_its_own() {
    let disk = Disk::any(Duration::ZERO);
    let seen = run(&["--pids", "-d", disk.name()], || {
        work(&disk);
        let from = format!("if={}", disk.path().display());
        let copied = Command::new("dd").args([&from, "of=/dev/null", "bs=16k", "count=5", "iflag=direct"]).output();
        let copied = copied.expect("dd");
        assert!(copied.status.success(), "{copied:?}");
    });
    let own = seen.rows_with("pid", std::process::id());
    // A thread's name is that of the test.
    assert_eq!((count(&own), &own[0]["comm"]), (READS + WRITES, &json!("each_process_ha")));
    let others: Vec<&Value> = seen.rows().filter(|row| row["pid"] != std::process::id()).collect();
    assert_eq!((count(&others), &others[0]["comm"], buckets(others[0])), (5, &json!("dd"), vec![(16, 31, 5)]));
}

#[test]
fn other_names_processes_disks_and_cgroups_are_left_out() {
    let disk = Disk::any(Duration::ZERO);
    let own_group = Cgroup::of_this_process();
    let own_group = own_group.to_str().expect("ASCII");
    let look = |filter: &[&str], passes| {
        let seen = run(filter, || named("cs-sizes", || work(&disk)));
        assert_eq!(count(&seen.rows_with("comm", "cs-sizes")), if passes { READS + WRITES } else { 0 }, "{filter:?}");
    };
    disk.filters(look);
    look(&["-c", "cs-sizes"], true);
    look(&["-c", "cs-size"], false);
    look(&["-c", "cs-size", "--cgroup", own_group], false);
}

#[test]
fn who_wrote_is_known_where_another_task_issues() {
    // Two at a time, of a scheduler that keeps the others: these are issued where earlier ones complete.
    let Some(disk) = Disk::with(&["irqmode=2", "completion_nsec=5000000", "submit_queues=1", "hw_queue_depth=2"])
    else {
        return;
    };
    let _ = Command::new("modprobe").arg("mq-deadline").output();
    disk.set("scheduler", "mq-deadline");
    let seen = run(&["-d", disk.name()], || {
        thread::scope(|scope| {
            for place in 0..READS {
                let file = disk.open();
                let write = move || {
                    let mut memory = Aligned::new(4096);
                    file.write_all_at(memory.bytes(), place << 20).expect("a disk");
                };
                thread::Builder::new().name("cs-sizes".into()).spawn_scoped(scope, write).expect("a thread");
            }
        });
    });
    let counted = count(&seen.rows_with("comm", "cs-sizes"));
    // From 7.0 on the kernel may skip a program while another task is in it, which it counts.
    let (most, skipped) = (counted + seen.skipped(), seen.skipped());
    let all: Vec<&Value> = seen.rows().collect();
    assert!(counted <= READS && most >= READS, "{counted} of {READS}, {skipped} skipped: {all:?} {}", seen.messages);
    assert_eq!(seen.rows().count(), 1);
}

#[test]
fn writes_that_flush_count_once() {
    let disk = Disk::any(Duration::ZERO);
    // A loop device has a cache to flush by itself.
    disk.set("write_cache", "write back");
    let seen = run(&["-d", disk.name()], || {
        let (file, mut memory) = (direct(disk.path(), libc::O_DSYNC), Aligned::new(4096));
        for place in 0..WRITES {
            file.write_all_at(memory.bytes(), place * 4096).expect("a disk that can be written");
        }
    });
    let rows: Vec<&Value> = seen.rows().collect();
    assert_eq!((count(&rows), number(rows[0], "sum_bytes")), (WRITES, WRITES * 4096), "{rows:?}");
}

#[test]
fn merged_requests_are_one() {
    let disk = Disk::any(Duration::ZERO);
    let before = disk.stat();
    let seen = run(&["-d", disk.name()], || {
        // Pages of 4 KiB in the cache, which are written back in large requests.
        let file = File::options().write(true).open(disk.path()).expect("a disk");
        file.write_all_at(&vec![1; 1 << 20], 0).expect("a disk that can be written");
        file.sync_all().expect("a disk that can be written");
    });
    let truth = disk.stat().since(before);
    let rows: Vec<&Value> = seen.rows().collect();
    let bytes: u64 = rows.iter().map(|row| number(row, "sum_bytes")).sum();
    assert_eq!(bytes, truth.read_bytes + truth.written_bytes, "{rows:?}");
    assert!(count(&rows) < (1 << 20) / 4096, "{rows:?}");
}

#[test]
fn text_looks_as_in_bcc() {
    let disk = Disk::any(Duration::ZERO);
    let _turn = tool::turn();
    let run = Run::attached("bitesize", &["-d", disk.name()]);
    named("cs-sizes", || disk.read(READS, 4096));
    let text = String::from_utf8(run.stop().stdout).expect("text");
    let expected = "\n\nProcess Name = cs-sizes\n     Kbytes              : count     distribution\n";
    assert!(text.starts_with(expected), "{text}");
    assert!(
        text.contains("         4 -> 7          : 11       |****************************************|\n"),
        "{text}"
    );
}
