//! biostacks against disks whose requests are counted and timed, and made in functions that are known.

use std::fs::File;
use std::thread;
use std::time::{Duration, Instant};

use corescope_testing::run::Run;
use corescope_testing::tool::turn;
use corescope_testing::workload::stacks::{READ, WRITE, read_at, write_at};
use corescope_testing::workload::{Aligned, Disk, tid};
use corescope_testing::{Seen, Tool, number};
use serde_json::Value;

/// Prime numbers, so that no product of something else hits them by chance.
const READS: u64 = 11;
const WRITES: u64 = 7;
const DELAY: Duration = Duration::from_millis(20);

/// Who made requests, and how long that took.
struct Made {
    reader: i32,
    writer: i32,
    took: Duration,
}

/// Reads and writes in two threads and in functions of different names.
fn work(disk: &Disk) -> Made {
    let start = Instant::now();
    let read = || each(disk, READS, read_at);
    let write = || each(disk, WRITES, |file, memory, place| write_at(file, memory, place));
    let (reader, writer) = thread::scope(|scope| {
        let (reader, writer) = (scope.spawn(read), scope.spawn(write));
        (reader.join().expect("a reader"), writer.join().expect("a writer"))
    });
    Made { reader, writer, took: start.elapsed() * 2 }
}

/// Does something at one place of a disk after the other; gives the thread's id.
fn each(disk: &Disk, times: u64, act: impl Fn(&File, &mut [u8], usize)) -> i32 {
    let (file, mut memory) = (disk.open(), Aligned::new(4096));
    (0..times).zip((0..).step_by(1 << 16)).for_each(|(_, place)| act(&file, memory.bytes(), place));
    tid()
}

fn run(disk: &Disk, arguments: &[&str]) -> (Seen, Made) {
    let tool = Tool::start("biostacks", arguments);
    let made = work(disk);
    let seen = tool.stop();
    assert_eq!(seen.lost(), 0, "{}", seen.messages);
    (seen, made)
}

fn count(rows: &[&Value]) -> u64 {
    rows.iter().map(|row| number(row, "count")).sum()
}

/// Programs that the kernel skipped may have missed requests.
fn assert_count(rows: &[&Value], seen: &Seen, made: u64) {
    let count = count(rows);
    assert!(count <= made && count + seen.skipped() >= made, "{count} of {made}: {rows:?} {}", seen.messages);
}

/// Fails where two rows are of the same.
fn assert_distinct(rows: &[&Value]) {
    let keys = rows.iter().map(|row| ["tid", "kernel_stack", "user_stack"].map(|key| row[key].to_string()));
    let (mut keys, rows): (Vec<_>, _) = (keys.collect(), rows.len());
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), rows, "{keys:?}");
}

/// Names of a row's stack, the innermost function first.
fn names<'a>(row: &'a Value, stack: &str) -> Vec<&'a str> {
    let frames = row[stack].as_array().map(Vec::as_slice).unwrap_or_default();
    frames.iter().map(|frame| frame["symbol"].as_str().unwrap_or("?")).collect()
}

/// The rows whose user stack begins with these functions.
fn rows_in<'a>(seen: &'a Seen, functions: &[&str]) -> Vec<&'a Value> {
    seen.rows().filter(|row| names(row, "user_stack").starts_with(functions)).collect()
}

/// The lowest value that a histogram has seen, by its buckets, in their unit.
fn lowest(row: &Value) -> u64 {
    let buckets = row["buckets"].as_array().expect("a list");
    buckets.iter().find(|bucket| number(bucket, "count") > 0).map_or(0, |bucket| number(bucket, "low"))
}

#[test]
fn each_request_counts_where_it_is_made() {
    let disk = Disk::any(DELAY);
    for (arguments, bucket) in [(&["-L"][..], 16384), (&["-m"], 16)] {
        let before = disk.stat();
        let (seen, made) = run(&disk, arguments);
        let truth = disk.stat().since(before);
        assert_eq!((truth.reads, truth.writes), (READS, WRITES));
        let of_disk = seen.rows_with("disk", disk.name());
        assert_count(&of_disk, &seen, READS + WRITES);
        assert_distinct(&of_disk);
        for (functions, count, kernel, tid) in
            [(READ, READS, "vfs_read", made.reader), (WRITE, WRITES, "vfs_write", made.writer)]
        {
            let rows = rows_in(&seen, &functions);
            assert_count(&rows, &seen, count);
            let by_thread = arguments.contains(&"-L");
            for row in &rows {
                assert_eq!((&row["pid"], &row["disk"]), (&std::process::id().into(), &disk.name().into()));
                assert_eq!(row["tid"], if by_thread { tid.into() } else { Value::Null });
                let stack = names(row, "kernel_stack");
                assert!(stack.first() == Some(&"blk_mq_submit_bio") && stack.contains(&kernel), "{stack:?}");
            }
            let lowest = rows.iter().map(|row| lowest(row)).min();
            assert!(!disk.is_slow() || lowest == Some(bucket), "{rows:?}");
            let sum: u64 = rows.iter().map(|row| number(row, "sum_ns")).sum();
            let least = DELAY * u32::try_from(self::count(&rows)).expect("few");
            assert!(!disk.is_slow() || Duration::from_nanos(sum) >= least, "{sum}");
            assert!(Duration::from_nanos(sum) <= made.took, "{sum} {:?}", made.took);
        }
    }
}

/// The values of folded lines that begin with this thread's process and hold these functions.
fn folded(output: &[u8], functions: [&str; 2]) -> u64 {
    let output = String::from_utf8_lossy(output);
    let stack = format!(";{};{};", functions[1], functions[0]);
    let lines = output.lines().filter(|line| line.contains(&stack) && line.contains(";blk_mq_submit_bio "));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
}

#[test]
fn folded_lines_have_times_or_counts() {
    let disk = Disk::any(DELAY);
    let run = |arguments: &[&str]| {
        let _turn = turn();
        let run = Run::attached("biostacks", &[&["-v", "-f", "-d", disk.name()], arguments].concat());
        let took = work(&disk).took;
        let ended = run.stop();
        ended.well();
        let all = !ended.stderr.contains(": the kernel skipped ");
        (ended.stdout, took, all)
    };
    let (output, took, all) = run(&[]);
    for (functions, count) in [(READ, READS), (WRITE, WRITES)] {
        let time = Duration::from_micros(folded(&output, functions));
        let least = if disk.is_slow() { DELAY * u32::try_from(count).expect("few") } else { Duration::ZERO };
        assert!(time <= took && (time > least || !all), "{least:?} {time:?} {took:?}");
    }
    let (output, _, all) = run(&["--counts"]);
    for (functions, count) in [(READ, READS), (WRITE, WRITES)] {
        let seen = folded(&output, functions);
        assert!(seen == count || (seen < count && !all), "{seen} of {count}");
    }
    assert!(output.starts_with(b"folded_lines_ha") || output.starts_with(b"behaviour"), "{}", output.escape_ascii());
}

#[test]
fn other_processes_disks_and_cgroups_are_left_out() {
    let disk = Disk::any(Duration::ZERO);
    disk.filters(|filter, passes| {
        let (seen, _) = run(&disk, filter);
        assert_count(&seen.rows_with("disk", disk.name()), &seen, if passes { READS + WRITES } else { 0 });
    });
}

#[test]
fn each_side_can_be_left_out() {
    let disk = Disk::any(Duration::ZERO);
    for (side, without) in [("-U", "kernel_stack"), ("-K", "user_stack")] {
        let (seen, _) = run(&disk, &["-d", disk.name(), side]);
        let rows: Vec<&Value> = seen.rows().collect();
        assert_count(&rows, &seen, READS + WRITES);
        assert!(rows.iter().all(|row| row[without] == Value::Array(Vec::new())), "{rows:?}");
    }
}

#[test]
fn intervals_add_up() {
    let disk = Disk::any(DELAY);
    let tool = Tool::start("biostacks", &["-d", disk.name(), "0.2", "1000"]);
    work(&disk);
    thread::sleep(Duration::from_millis(300));
    work(&disk);
    let seen = tool.stop();
    let rows: Vec<&Value> = seen.rows().collect();
    assert_count(&rows, &seen, 2 * (READS + WRITES));
    let mut times: Vec<String> = rows.iter().map(|row| row["time"].to_string()).collect();
    times.dedup();
    assert!(times.len() >= 2, "{times:?}");
}

#[test]
fn what_finds_no_room_is_reported() {
    let disk = Disk::any(Duration::ZERO);
    let tool = Tool::start("biostacks", &["-d", disk.name(), "-K", "--stack-storage-size", "1"]);
    // One after the other: the row that there is has the stack that there is.
    each(&disk, READS, read_at);
    each(&disk, WRITES, |file, memory, place| write_at(file, memory, place));
    let seen = tool.stop();
    let rows: Vec<&Value> = seen.rows().collect();
    assert_eq!(rows.len(), 1, "{rows:?}");
    let known = count(&rows) + seen.lost();
    assert!(known <= READS + WRITES && known + seen.skipped() >= READS + WRITES, "{rows:?} {}", seen.messages);
    assert!(seen.lost() + seen.skipped() >= WRITES);
}
