//! biosnoop against disks whose requests are counted and timed.

use std::fs::OpenOptions;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::Duration;

use corescope_testing::workload::uring::{By, Uring};
use corescope_testing::workload::{self, Aligned, BadDisk, Disk};
use corescope_testing::{Seen, Tool, number};
use serde_json::{Value, json};

/// Prime numbers, so that no product of something else hits them by chance.
const READS: u64 = 11;
const WRITES: u64 = 7;
const DELAY: Duration = Duration::from_millis(20);

fn run(disk: &Disk, arguments: &[&str]) -> Seen {
    let tool = Tool::start("biosnoop", arguments);
    disk.read(READS, 4096);
    disk.write(WRITES, 64 << 10);
    let seen = tool.stop();
    assert_eq!(seen.lost(), 0, "{}", seen.messages);
    seen
}

#[test]
fn each_request_is_a_row_with_its_place_size_time_and_process() {
    let disk = Disk::any(DELAY);
    let before = disk.stat();
    let seen = run(&disk, &["-d", disk.name()]);
    let truth = disk.stat().since(before);
    let rows: Vec<&Value> = seen.rows().collect();
    assert_eq!(rows.len() as u64, truth.reads + truth.writes, "{}", seen.messages);
    for (kind, operation, count, size, bytes) in
        [("reads", "read", READS, 4096, truth.read_bytes), ("writes", "write", WRITES, 64 << 10, truth.written_bytes)]
    {
        let rows: Vec<&&Value> = rows.iter().filter(|row| row["operation"] == operation).collect();
        assert_eq!(rows.len() as u64, count, "{kind}");
        assert_eq!(rows.iter().map(|row| number(row, "bytes")).sum::<u64>(), bytes, "{kind}");
        for (place, row) in (0..).zip(&rows) {
            assert_eq!((number(row, "sector"), number(row, "bytes")), (place * size / 512, size), "{row}");
            // Each follows the one before it.
            assert_eq!(row["sequential"], if place == 0 { Value::Null } else { json!(true) }, "{row}");
            assert_eq!((&row["pid"], &row["tid"]), (&json!(std::process::id()), &json!(workload::tid())), "{row}");
            assert_eq!((&row["errno"], &row["error"]), (&json!(0), &Value::Null));
            if disk.is_slow() {
                let latency = Duration::from_nanos(number(row, "latency_ns"));
                assert!(latency >= DELAY && latency < DELAY * 20, "{row}");
                assert!(number(row, "queued_ns") < 400_000_000, "{row}");
            }
        }
    }
}

#[test]
fn other_processes_disks_cgroups_and_quick_requests_are_left_out() {
    let disk = Disk::any(Duration::ZERO);
    let rows = |arguments: &[&str]| run(&disk, arguments).rows_with("disk", disk.name()).len() as u64;
    disk.filters(|filter, passes| {
        assert_eq!(rows(filter), if passes { READS + WRITES } else { 0 }, "{filter:?}");
    });
    assert_eq!(rows(&["-m", "60000"]), 0);
    assert_eq!(rows(&["-x"]), 0);
}

#[test]
fn two_requests_for_one_sector_are_two_rows() {
    let Some(disk) = Disk::slow(DELAY) else { return };
    let tool = Tool::start("biosnoop", &["-d", disk.name()]);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| disk.read(1, 4096));
        }
    });
    let seen = tool.stop();
    let rows: Vec<&Value> = seen.rows().collect();
    assert_eq!(rows.len(), 2, "{}", seen.messages);
    assert!(rows.iter().all(|row| number(row, "sector") == 0 && number(row, "latency_ns") >= 20_000_000), "{rows:?}");
    assert_ne!(rows[0]["tid"], rows[1]["tid"]);
}

#[test]
fn what_is_written_in_pieces_and_flushed_is_counted_as_the_kernel_does() {
    let disk = Disk::any(Duration::ZERO);
    // Larger than a request may be, through the cache, and flushed.
    disk.set("max_sectors_kb", "64");
    let before = disk.stat();
    let tool = Tool::start("biosnoop", &["-d", disk.name()]);
    let file = OpenOptions::new().write(true).open(disk.path()).expect("a disk");
    file.write_all_at(&vec![7; 1 << 20], 0).expect("a disk");
    file.sync_all().expect("a disk");
    disk.write(1, 1 << 20);
    let seen = tool.stop();
    let truth = disk.stat().since(before);
    let writes: Vec<&Value> = seen.rows().filter(|row| row["operation"] == "write").collect();
    assert_eq!(writes.len() as u64, truth.writes, "{}", seen.messages);
    assert_eq!(writes.iter().map(|row| number(row, "bytes")).sum::<u64>(), truth.written_bytes);
    assert!(truth.written_bytes >= 2 << 20 && truth.writes >= 2, "{truth:?}");
}

#[test]
fn requests_of_rings_belong_to_their_process() {
    // Before 5.12 a ring's own threads are the kernel's.
    if std::env::var("CORESCOPE_KERNEL").is_ok_and(|series| series == "5.10") {
        return;
    }
    let disk = Disk::any(Duration::ZERO);
    let me = std::process::id().to_string();
    let tool = Tool::start("biosnoop", &["-d", disk.name(), "-p", &me]);
    for by in [By::Caller, By::Worker, By::Poller] {
        let mut ring = Uring::new(by).expect("io_uring");
        let (file, mut memory) = (disk.open(), Aligned::new(4096));
        for place in 0..READS {
            assert_eq!(ring.read(file.as_raw_fd(), memory.bytes(), place * 4096), 4096);
        }
    }
    let seen = tool.stop();
    assert_eq!(seen.rows().count() as u64, 3 * READS, "{}", seen.messages);
}

#[test]
fn what_the_kernel_merges_is_one_row_of_several_bios() {
    const PARTS: usize = 7;
    let disk = Disk::any(Duration::ZERO);
    let mut ring = Uring::new(By::Caller).expect("io_uring");
    let (file, mut memory) = (disk.open(), Aligned::new(PARTS * 4096));
    let tool = Tool::start("biosnoop", &["-d", disk.name()]);
    let before = disk.stat();
    assert_eq!(ring.read_all(file.as_raw_fd(), memory.bytes(), 4096), PARTS);
    let truth = disk.stat().since(before);
    let seen = tool.stop();
    let rows: Vec<&Value> = seen.rows().collect();
    assert!(truth.merged > 0, "nothing was merged: {truth:?}");
    assert_eq!(rows.len() as u64, truth.reads, "{}", seen.messages);
    assert_eq!(rows.iter().map(|row| number(row, "bios")).sum::<u64>(), PARTS as u64, "{rows:?}");
    assert_eq!(rows.iter().map(|row| number(row, "bios") - 1).sum::<u64>(), truth.merged, "{rows:?}");
}

#[test]
fn a_request_that_fails_in_the_middle_is_one_row_with_its_error() {
    let Some(disk) = BadDisk::new() else { return };
    let tool = Tool::start("biosnoop", &["-d", disk.name(), "-p", &std::process::id().to_string()]);
    let (file, mut memory) = (disk.open(), Aligned::new(64 << 10));
    let error = file.read_exact_at(memory.bytes(), 0x1220 * 512).expect_err("a sector that cannot be read");
    file.read_exact_at(memory.bytes(), 0).expect("others can be");
    let seen = tool.stop();
    assert!([Some(libc::EIO), Some(libc::ENODATA)].contains(&error.raw_os_error()), "{error}");
    let rows: Vec<&Value> = seen.rows().collect();
    assert_eq!(rows.len(), 2, "{rows:?} {}", seen.messages);
    assert_eq!((&rows[0]["error"], number(rows[0], "sector")), (&json!("ENODATA"), 0x1220), "{}", rows[0]);
    assert_eq!((&rows[1]["errno"], number(rows[1], "bytes")), (&json!(0), 64 << 10));
}

#[test]
fn at_full_speed_rows_and_losses_are_what_was_made() {
    let disk = Disk::any(Duration::ZERO);
    let tool = Tool::start("biosnoop", &["-d", disk.name(), "--buffer", "64K"]);
    let before = disk.stat();
    disk.read(1009, 4096);
    let seen = tool.stop();
    assert_eq!(disk.stat().since(before).reads, 1009);
    assert_eq!(seen.rows().count() as u64 + seen.lost(), 1009, "{}", seen.messages);
}
