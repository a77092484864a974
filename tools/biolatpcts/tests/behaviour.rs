//! biolatpcts against disks whose requests are counted and timed.

use std::time::Duration;

use corescope_testing::workload::{Cgroup, Disk};
use corescope_testing::{Seen, Tool, number};
use serde_json::{Value, json};

/// Prime numbers, so that no product of something else hits them by chance.
const READS: u64 = 11;
const WRITES: u64 = 7;
const DELAY: Duration = Duration::from_millis(20);

/// The requests of an operation, over all intervals.
fn count(seen: &Seen, disk: &Disk, operation: &str) -> u64 {
    let rows = seen.rows_with("disk", disk.name()).into_iter().filter(|row| row["operation"] == operation);
    rows.map(|row| number(row, "count")).sum()
}

fn run(disk: &Disk, arguments: &[&str]) -> Seen {
    let tool = Tool::start("biolatpcts", arguments);
    disk.read(READS, 4096);
    disk.write(WRITES, 64 << 10);
    let seen = tool.stop();
    assert_eq!(seen.lost(), 0, "{}", seen.messages);
    seen
}

#[test]
fn counts_are_the_kernels_and_percentiles_the_disks() {
    let disk = Disk::any(DELAY);
    for which in ["on-device", "after-rq-alloc"] {
        let before = disk.stat();
        let seen = run(&disk, &["-i", "1000", "-p", "0,50,99.9,100", "-w", which, disk.name()]);
        let truth = disk.stat().since(before);
        assert_eq!((count(&seen, &disk, "read"), count(&seen, &disk, "write")), (truth.reads, truth.writes), "{which}");
        assert_eq!((truth.reads, truth.writes), (READS, WRITES));
        for row in seen.rows() {
            let percentiles = row["percentiles"].as_array().expect("a list");
            let percents: Vec<&Value> = percentiles.iter().map(|one| &one["percent"]).collect();
            assert_eq!(percents, [&json!(0), &json!(50), &json!(99.9), &json!(100)]);
            let latencies: Vec<u64> = percentiles.iter().map(|one| number(one, "latency_ns")).collect();
            assert!(latencies.is_sorted(), "{row}");
            // Within 1 %.
            assert!(!disk.is_slow() || (latencies[0] >= 19_800_000 && latencies[3] < 400_000_000), "{row}");
        }
    }
}

#[test]
fn other_disks_and_cgroups_are_left_out() {
    let disk = Disk::any(Duration::ZERO);
    let (group, own_group) = (Cgroup::new("cs-biolatpcts"), Cgroup::of_this_process());
    for (arguments, expected) in [
        (vec![], READS),
        (vec![disk.name()], READS),
        (vec!["--cgroup", own_group.to_str().expect("ASCII")], READS),
        (vec!["--cgroup", group.path_str()], 0),
    ] {
        assert_eq!(count(&run(&disk, &arguments), &disk, "read"), expected, "{arguments:?}");
    }
}

#[test]
fn intervals_have_what_came_in_them() {
    let disk = Disk::any(Duration::ZERO);
    let tool = Tool::start("biolatpcts", &["-i", "0.5", disk.name()]);
    for _ in 0..3 {
        disk.read(READS, 4096);
        std::thread::sleep(Duration::from_millis(600));
    }
    let seen = tool.stop();
    assert_eq!(count(&seen, &disk, "read"), 3 * READS);
    assert!(seen.rows().count() >= 3, "{}", seen.messages);
}

#[test]
fn what_is_flushed_without_data_is_a_flush() {
    let disk = Disk::any(Duration::ZERO);
    // A disk without a cache of its own has nothing to flush.
    if disk.is_slow() {
        return;
    }
    let tool = Tool::start("biolatpcts", &["-i", "1000", disk.name()]);
    let file = std::fs::File::open(disk.path()).expect("a disk");
    for _ in 0..WRITES {
        file.sync_all().expect("a disk");
    }
    assert_eq!(count(&tool.stop(), &disk, "flush"), WRITES);
}
