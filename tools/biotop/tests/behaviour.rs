//! biotop against disks whose requests are counted and timed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio, id};
use std::time::Duration;

use corescope_testing::tool::binary;
use corescope_testing::workload::{Aligned, Cgroup, Disk, direct};
use corescope_testing::{Seen, Tool, number};
use serde_json::{Value, json};

/// Longer than any test: all rows come at the end.
const ONE_INTERVAL: &str = "600";
/// Prime numbers, so that no product of something else hits them by chance.
const READS: u64 = 11;
const WRITES: u64 = 7;
const FLUSHES: u64 = 5;
const DELAY: Duration = Duration::from_millis(20);

fn sum(rows: &[&Value], key: &str) -> u64 {
    rows.iter().map(|row| number(row, key)).sum()
}

fn run(disk: &Disk, arguments: &[&str], work: impl Fn(&Disk)) -> Seen {
    let tool = Tool::start("biotop", &[arguments, &[ONE_INTERVAL]].concat());
    work(disk);
    let seen = tool.stop();
    assert_eq!(seen.lost(), 0, "{}", seen.messages);
    seen
}

fn work(disk: &Disk) {
    disk.read(READS, 4096);
    disk.write(WRITES, 64 << 10);
}

/// The rows of a disk and of one operation.
fn rows_of<'a>(seen: &'a Seen, disk: &Disk, operation: &str) -> Vec<&'a Value> {
    seen.rows_with("disk", disk.name()).into_iter().filter(|row| row["operation"] == operation).collect()
}

/// A field of /sys/block/DISK/stat.
fn kernel_counts(disk: &Disk, field: usize) -> u64 {
    let text = fs::read_to_string(format!("/sys/block/{}/stat", disk.name())).expect("a disk");
    text.split_whitespace().nth(field).map_or(0, |field| field.parse().expect("a number"))
}

#[test]
fn counts_are_the_kernels_and_times_the_disks() {
    let disk = Disk::any(DELAY);
    let before = disk.stat();
    let seen = run(&disk, &[], work);
    let truth = disk.stat().since(before);
    let (reads, writes) = (rows_of(&seen, &disk, "read"), rows_of(&seen, &disk, "write"));
    assert_eq!((sum(&reads, "count"), sum(&reads, "bytes")), (truth.reads, truth.read_bytes), "{reads:?}");
    assert_eq!((sum(&writes, "count"), sum(&writes, "bytes")), (truth.writes, truth.written_bytes), "{writes:?}");
    assert_eq!((truth.reads, truth.writes), (READS, WRITES));
    let number_of_disk = fs::read_to_string(format!("/sys/block/{}/dev", disk.name())).expect("a disk");
    for row in [reads, writes].concat() {
        // The process that asked, and not whom the completion interrupts. A thread's name is that of the test.
        assert_eq!((&row["pid"], &row["comm"]), (&json!(id()), &json!("counts_are_the_")));
        assert_eq!(format!("{}:{}", row["major"], row["minor"]), number_of_disk.trim());
        assert_eq!(number(row, "average_ns"), number(row, "total_ns") / number(row, "count"));
        if disk.is_slow() {
            let average = Duration::from_nanos(number(row, "average_ns"));
            assert!(average >= DELAY && average < 20 * DELAY, "{average:?}");
        }
    }
}

#[test]
fn flushes_and_writes_in_steps_count_once() {
    let parameters = ["irqmode=0", "memory_backed=1", "cache_size=4", "discard=1"];
    let disk = Disk::with(&parameters).unwrap_or_else(|| Disk::any(Duration::ZERO));
    disk.set("write_cache", "write back");
    // What the disk keeps in its cache must be flushed: each of the writes is done in steps, of which one has the data.
    let work = |disk: &Disk| {
        let file = direct(disk.path(), libc::O_DSYNC);
        let mut memory = Aligned::new(8192);
        (0..WRITES).for_each(|place| file.write_all_at(memory.bytes(), place * 8192).expect("a disk"));
        (0..FLUSHES).for_each(|_| file.sync_all().expect("a disk"));
    };
    let (before, discards, flushes) = (disk.stat(), kernel_counts(&disk, 11), kernel_counts(&disk, 15));
    let discards_too = |disk: &Disk| {
        work(disk);
        // Not every disk can.
        let _ = Command::new("blkdiscard")
            .args(["-o", "0", "-l", "1048576"])
            .arg(disk.path())
            .output()
            .expect("blkdiscard");
    };
    let seen = run(&disk, &["-d", disk.name()], discards_too);
    let truth = disk.stat().since(before);
    let of = |operation| rows_of(&seen, &disk, operation);
    assert_eq!((sum(&of("write"), "count"), sum(&of("write"), "bytes")), (WRITES, WRITES * 8192), "{:?}", of("write"));
    // The kernel counts a flush as a write of nothing, apart from those that it sends to the disk.
    assert_eq!(sum(&of("write"), "count") + sum(&of("flush"), "count"), truth.writes);
    assert_eq!((sum(&of("write"), "bytes"), sum(&of("flush"), "bytes")), (truth.written_bytes, 0));
    let has_cache = kernel_counts(&disk, 15) > flushes;
    // O_DSYNC writes in steps, and then asks once more.
    assert_eq!(sum(&of("flush"), "count"), if has_cache { WRITES + FLUSHES } else { 0 });
    assert_eq!(sum(&of("discard"), "count"), kernel_counts(&disk, 11) - discards);
}

#[test]
fn other_processes_disks_and_cgroups_are_left_out() {
    let disk = Disk::any(DELAY);
    disk.filters(|filter, passes| {
        let seen = run(&disk, filter, work);
        let expected = if passes { READS + WRITES } else { 0 };
        assert_eq!(sum(&seen.rows_with("disk", disk.name()), "count"), expected, "{filter:?}");
    });
}

#[test]
fn a_process_that_ends_keeps_its_row_and_its_cgroup() {
    let disk = Disk::any(Duration::ZERO);
    let group = Cgroup::new("cs-biotop");
    let tool = Tool::start("biotop", &["-d", disk.name(), "0.1"]);
    // Several rounds, so that keys of processes that have ended are taken out of the map in between.
    for _ in 0..3 {
        let mut command = Command::new("dd");
        command
            .args(["of=/dev/null", "bs=64k", "count=13", "iflag=direct"])
            .arg(format!("if={}", disk.path().display()));
        Cgroup::join_before_exec(&mut command, group.path());
        assert!(command.output().expect("dd").status.success());
        std::thread::sleep(Duration::from_millis(400));
    }
    let seen = tool.stop();
    let rows = seen.rows_with("comm", "dd");
    assert_eq!((sum(&rows, "count"), sum(&rows, "bytes")), (3 * 13, (3 * 13) << 16), "{rows:?}");
    let mut pids: Vec<u64> = rows.iter().map(|row| number(row, "pid")).collect();
    pids.dedup();
    assert_eq!(pids.len(), 3);
    let below = group.path().file_name().expect("a name").to_str().expect("ASCII");
    for row in rows {
        assert!(row["cgroup"].as_str().is_some_and(|path| path.ends_with(below)), "{row}");
    }
}

#[test]
fn requests_that_nothing_is_kept_of_count_all_the_same() {
    let Some(disk) = Disk::slow(DELAY) else { return };
    disk.set("iostats", "0");
    let seen = run(&disk, &["-d", disk.name()], work);
    let rows: Vec<&Value> = seen.rows().collect();
    assert_eq!(sum(&rows, "count"), READS + WRITES);
    assert!(rows.iter().all(|row| row["pid"] == id()), "{rows:?}");
    assert!(rows.iter().all(|row| number(row, "average_ns") >= 20_000_000), "{rows:?}");
}

#[test]
fn text_is_bccs_and_without_io_there_are_no_rows() {
    let disk = Disk::any(Duration::ZERO);
    let _turn = corescope_testing::tool::turn();
    let screens = |arguments: &[&str]| {
        let mut command = Command::new(binary("biotop"));
        command.args(["-C", "-v", "-d", disk.name()]).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("biotop");
        let mut messages = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
        assert!(messages.any(|line| line.contains(": attached ")));
        work(&disk);
        String::from_utf8(child.wait_with_output().expect("biotop").stdout).expect("text")
    };
    let text = screens(&["--sort", "io", "2", "2"]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].is_empty() && lines[1].contains(" loadavg: ") && lines[2].is_empty(), "{text}");
    assert_eq!(lines[3], "PID     COMM             D MAJ MIN DISK       I/O  Kbytes  AVGms");
    let words: Vec<Vec<&str>> = lines[4..6].iter().map(|line| line.split_whitespace().collect()).collect();
    let (pid, reads, writes) = (id().to_string(), READS.to_string(), WRITES.to_string());
    for (row, (operation, count, kbytes)) in words.iter().zip([("R", &reads, "44"), ("W", &writes, "448")]) {
        assert_eq!(
            (row[0], row[2], row[5], row[6].to_string(), row[7]),
            (&*pid, operation, disk.name(), count.clone(), kbytes)
        );
    }
    // In the second interval there is nothing but the header.
    assert!(
        lines[6].is_empty() && lines[7].contains(" loadavg: ") && lines[9] == lines[3] && lines.len() == 10,
        "{text}"
    );
    // By bytes as in BCC, and no more rows than are asked for.
    let text = screens(&["-S", "--maxrows", "1", "2", "1"]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() == 3 && lines[2].split_whitespace().nth(2) == Some("W"), "{text}");
}
