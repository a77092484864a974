//! biolatency against disks whose requests are counted and timed.

use std::thread;
use std::time::Duration;

use corescope_testing::workload::Disk;
use corescope_testing::{Seen, Tool, number};
use serde_json::{Value, json};

/// Prime numbers, so that no product of something else hits them by chance.
const READS: u64 = 11;
const WRITES: u64 = 7;
const DELAY: Duration = Duration::from_millis(20);

fn work(disk: &Disk) {
    disk.read(READS, 4096);
    disk.write(WRITES, 64 << 10);
}

fn count(rows: &[&Value]) -> u64 {
    rows.iter().map(|row| number(row, "count")).sum()
}

/// The lowest and the highest value that a histogram has seen, by its buckets, in their unit.
fn span(row: &Value) -> (u64, u64) {
    let buckets = row["buckets"].as_array().expect("a list");
    let used: Vec<&Value> = buckets.iter().filter(|bucket| number(bucket, "count") > 0).collect();
    (number(used[0], "low"), number(used[used.len() - 1], "high"))
}

fn run(disk: &Disk, arguments: &[&str]) -> Seen {
    let tool = Tool::start("biolatency", arguments);
    work(disk);
    let seen = tool.stop();
    assert_eq!(seen.lost(), 0, "{}", seen.messages);
    seen
}

#[test]
fn counts_are_the_kernels_and_times_the_disks() {
    let disk = Disk::any(DELAY);
    for arguments in [&["-D"][..], &["-D", "-Q"], &["-D", "-m"]] {
        let before = disk.stat();
        let seen = run(&disk, arguments);
        let truth = disk.stat().since(before);
        assert_eq!((truth.reads, truth.writes), (READS, WRITES));
        let rows = seen.rows_with("disk", disk.name());
        assert_eq!(rows.len(), 1, "{arguments:?}: {}", seen.messages);
        assert_eq!(count(&rows), READS + WRITES, "{arguments:?}");
        if disk.is_slow() {
            let (low, high) = span(rows[0]);
            // The bucket of 20 ms, and no earlier one.
            assert_eq!(low, if arguments.contains(&"-m") { 16 } else { 16384 }, "{}", rows[0]);
            assert!(high < 20 * low, "{}", rows[0]);
            let sum = Duration::from_nanos(number(rows[0], "sum_ns"));
            assert!(sum >= DELAY * u32::try_from(READS + WRITES).expect("few"), "{sum:?}");
        }
    }
}

#[test]
fn each_set_of_flags_and_each_process_has_its_own() {
    let disk = Disk::any(Duration::ZERO);
    let seen = run(&disk, &["-F", "-d", disk.name()]);
    let of = |operation: &str| {
        let is = |row: &&Value| {
            row["flag_names"].as_str().is_some_and(|names| names.split('-').next_back() == Some(operation))
        };
        count(&seen.rows().filter(is).collect::<Vec<_>>())
    };
    assert_eq!((of("Read"), of("Write")), (READS, WRITES), "{:?}", seen.rows().collect::<Vec<_>>());
    assert_eq!(count(&seen.rows_with("flag_names", "Sync-Idle-Write")), WRITES);

    let seen = run(&disk, &["-P", "-d", disk.name()]);
    let rows = seen.rows_with("pid", std::process::id());
    assert_eq!(rows.len(), 1, "{:?}", seen.rows().collect::<Vec<_>>());
    // A thread's name is that of the test.
    assert_eq!((count(&rows), &rows[0]["comm"]), (READS + WRITES, &json!("each_set_of_fla")));
}

#[test]
fn other_processes_disks_and_cgroups_are_left_out() {
    let disk = Disk::any(Duration::ZERO);
    disk.filters(|filter, passes| {
        let seen = run(&disk, &[&["-D"], filter].concat());
        let expected = if passes { READS + WRITES } else { 0 };
        assert_eq!(count(&seen.rows_with("disk", disk.name())), expected, "{filter:?}");
    });
}

#[test]
fn requests_that_wait_for_their_turn_take_longer_with_the_queue() {
    // Two at a time, of a scheduler that keeps the others.
    let Some(disk) = Disk::with(&["irqmode=2", "completion_nsec=20000000", "submit_queues=1", "hw_queue_depth=2"])
    else {
        return;
    };
    let _ = std::process::Command::new("modprobe").arg("mq-deadline").output();
    disk.set("scheduler", "mq-deadline");
    let all_at_once = || {
        let writers: Vec<_> = (0..8u64)
            .map(|place| {
                let file = disk.open();
                thread::spawn(move || {
                    use std::os::unix::fs::FileExt;
                    let mut memory = corescope_testing::workload::Aligned::new(4096);
                    file.write_all_at(memory.bytes(), place << 20).expect("a disk");
                })
            })
            .collect();
        for writer in writers {
            writer.join().expect("a writer");
        }
    };
    let seen = |arguments: &[&str]| {
        let tool = Tool::start("biolatency", &[&["-d", disk.name()], arguments].concat());
        all_at_once();
        tool.stop().rows().next().expect("a histogram").clone()
    };
    let (alone, queued) = (seen(&[]), seen(&["-Q"]));
    assert_eq!((number(&alone, "count"), number(&queued, "count")), (8, 8));
    // Of four that the scheduler has, two wait for the two others.
    assert!(number(&queued, "sum_ns") > number(&alone, "sum_ns") * 3 / 2, "{alone} {queued}");
}

#[test]
fn requests_that_keep_no_times_are_timed_all_the_same() {
    let Some(disk) = Disk::slow(DELAY) else { return };
    // No statistics for anybody: the kernel keeps no issue time, and then not even when a request was made.
    disk.set("wbt_lat_usec", "0");
    for iostats in ["1", "0"] {
        disk.set("iostats", iostats);
        let seen = run(&disk, &["-d", disk.name()]);
        let rows: Vec<&Value> = seen.rows().collect();
        assert_eq!(count(&rows), READS + WRITES, "{iostats}: {}", seen.messages);
        assert_eq!(span(rows[0]).0, 16384, "{iostats}: {}", rows[0]);
    }
}

#[test]
fn the_first_request_of_each_cpu_counts() {
    let disk = Disk::any(Duration::ZERO);
    for _ in 0..5 {
        let tool = Tool::start("biolatency", &["-D", "-F", "-d", disk.name()]);
        thread::scope(|scope| {
            for cpu in 0..2 {
                let disk = &disk;
                scope.spawn(move || {
                    corescope_testing::workload::pin(cpu);
                    disk.write(1, 4096);
                });
            }
        });
        let seen = tool.stop();
        assert_eq!(count(&seen.rows().collect::<Vec<_>>()), 2);
    }
}
