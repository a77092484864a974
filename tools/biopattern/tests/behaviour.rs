//! biopattern against disks that are read and written in a known order.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use corescope_testing::workload::{Aligned, BadDisk, Cgroup, Disk, direct, pin};
use corescope_testing::{Seen, Tool, number};
use serde_json::Value;

/// Prime numbers, so that no product of something else hits them by chance.
const READS: u64 = 11;
const WRITES: u64 = 7;
const BLOCK: usize = 4096;

fn numbers<const N: usize>(row: &Value, keys: [&str; N]) -> [u64; N] {
    keys.map(|key| number(row, key))
}

fn run(arguments: &[&str], work: impl FnOnce()) -> Seen {
    let tool = Tool::start("biopattern", arguments);
    work();
    let seen = tool.stop();
    assert_eq!(seen.lost(), 0, "{}", seen.messages);
    seen
}

/// The row of a disk in an output that has one of it.
fn row(disk: &Disk, work: impl FnOnce()) -> Value {
    let seen = run(&["-d", disk.name()], work);
    let rows = seen.rows_with("disk", disk.name());
    assert_eq!((rows.len(), seen.rows().count()), (1, 1), "{}", seen.messages);
    let percents = numbers(rows[0], ["random_percent", "sequential_percent"]);
    assert_eq!(percents.iter().sum::<u64>(), 100, "{}", rows[0]);
    rows[0].clone()
}

/// Writes a block at each of these places, counted in blocks.
fn write(file: &File, places: impl IntoIterator<Item = u64>) {
    let mut memory = Aligned::new(BLOCK);
    for place in places {
        file.write_all_at(memory.bytes(), place * BLOCK as u64).expect("a disk that can be written");
    }
}

#[test]
fn counts_and_bytes_are_the_kernels() {
    let disk = Disk::any(Duration::ZERO);
    let before = disk.stat();
    let row = row(&disk, || {
        disk.read(READS, BLOCK);
        disk.write(WRITES, 64 << 10);
    });
    let truth = disk.stat().since(before);
    assert_eq!((truth.reads, truth.writes), (READS, WRITES));
    assert_eq!(numbers(&row, ["count", "bytes"]), [READS + WRITES, truth.read_bytes + truth.written_bytes]);
    assert_eq!(numbers(&row, ["read_random", "read_sequential", "read_bytes"]), [1, READS - 1, truth.read_bytes]);
    assert_eq!(
        numbers(&row, ["write_random", "write_sequential", "write_bytes"]),
        [1, WRITES - 1, truth.written_bytes]
    );
}

#[test]
fn three_of_ten_are_random() {
    let disk = Disk::any(Duration::ZERO);
    let row = row(&disk, || write(&disk.open(), [0, 1, 2, 3, 40, 41, 42, 20, 21, 22]));
    assert_eq!(numbers(&row, ["random_percent", "sequential_percent", "count"]), [30, 70, 10], "{row}");
}

#[test]
fn percentages_sum_to_100_where_they_have_fractions() {
    let disk = Disk::any(Duration::ZERO);
    let row = row(&disk, || write(&disk.open(), [5, 6, 9]));
    assert_eq!(numbers(&row, ["random_percent", "sequential_percent"]), [67, 33], "{row}");
}

#[test]
fn reads_between_writes_leave_both_sequential() {
    let disk = Disk::any(Duration::ZERO);
    let row = row(&disk, || {
        let (file, mut memory) = (disk.open(), Aligned::new(BLOCK));
        for place in 0..READS {
            file.read_exact_at(memory.bytes(), place * BLOCK as u64).expect("a disk that can be read");
            write(&file, [1000 + place]);
        }
    });
    assert_eq!(numbers(&row, ["read_random", "read_sequential"]), [1, READS - 1], "{row}");
    assert_eq!(numbers(&row, ["write_random", "write_sequential"]), [1, READS - 1], "{row}");
}

#[test]
fn an_interval_goes_on_where_the_one_before_ended() {
    let disk = Disk::any(Duration::ZERO);
    let seen = run(&["-d", disk.name(), "0.5"], || {
        let file = disk.open();
        for place in 0..READS {
            write(&file, [place]);
            thread::sleep(Duration::from_millis(200));
        }
    });
    let rows = seen.rows_with("disk", disk.name());
    assert!(rows.len() > 2, "{}", seen.messages);
    let sum = |key: &str| rows.iter().map(|row| number(row, key)).sum::<u64>();
    assert_eq!((sum("write_random"), sum("write_sequential")), (1, READS - 1), "{rows:?}");
}

#[test]
fn writes_that_flush_count_once() {
    let disk = Disk::any(Duration::ZERO);
    // A loop device has a cache to flush by itself.
    disk.set("write_cache", "write back");
    let row = row(&disk, || {
        write(&direct(disk.path(), libc::O_DSYNC), 0..WRITES);
    });
    assert_eq!(numbers(&row, ["count", "write_random", "bytes"]), [WRITES, 1, WRITES * BLOCK as u64], "{row}");
}

#[test]
fn other_disks_and_cgroups_are_left_out() {
    let disk = Disk::any(Duration::ZERO);
    let (group, own_group) = (Cgroup::new("cs-biopattern"), Cgroup::of_this_process());
    let other = ["loop3", "loop4"].into_iter().find(|name| std::path::Path::new("/sys/block").join(name).exists());
    let mut filters = vec![
        (["--cgroup", own_group.to_str().expect("ASCII")], READS + WRITES),
        (["--cgroup", group.path_str()], 0),
        (["-d", disk.name()], READS + WRITES),
    ];
    filters.extend(other.map(|name| (["-d", name], 0)));
    for (arguments, expected) in filters {
        let seen = run(&arguments, || {
            disk.read(READS, BLOCK);
            disk.write(WRITES, BLOCK);
        });
        let rows = seen.rows_with("disk", disk.name());
        assert_eq!(rows.iter().map(|row| number(row, "count")).sum::<u64>(), expected, "{arguments:?}");
    }
}

#[test]
fn requests_that_complete_at_once_all_count() {
    let disk = Disk::any(Duration::ZERO);
    // The first ones of a disk are those that make its entry.
    for _ in 0..7 {
        let (barrier, before) = (Barrier::new(2), disk.stat());
        let row = row(&disk, || {
            thread::scope(|scope| {
                for cpu in 0..2 {
                    let (disk, barrier) = (&disk, &barrier);
                    scope.spawn(move || {
                        pin(cpu);
                        let file = disk.open();
                        barrier.wait();
                        write(&file, 0..READS);
                    });
                }
            });
        });
        // Two that follow each other may become one before they are issued.
        let truth = disk.stat().since(before);
        assert_eq!(numbers(&row, ["count", "bytes"]), [truth.writes, 2 * READS * BLOCK as u64], "{row}");
    }
}

#[test]
fn a_request_that_completes_in_parts_counts_once() {
    let Some(disk) = BadDisk::new() else { return };
    let seen = run(&["-d", disk.name()], || {
        let (file, mut memory) = (disk.open(), Aligned::new(64 << 10));
        // The second one fails in its middle, and the third one follows it.
        let (length, middle) = (64 << 10, BadDisk::BAD_SECTOR * 512 / (64 << 10));
        let results = [middle - 1, middle, middle + 1].map(|place| file.read_at(memory.bytes(), place * length).ok());
        assert_eq!(results[0].zip(results[2]), Some((64 << 10, 64 << 10)));
        assert_ne!(results[1], Some(64 << 10));
    });
    let rows = seen.rows_with("disk", disk.name());
    assert_eq!(numbers(rows[0], ["read_random", "read_sequential", "bytes"]), [1, 2, 3 * (64 << 10)], "{}", rows[0]);
}
