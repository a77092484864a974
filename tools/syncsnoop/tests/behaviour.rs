//! syncsnoop against calls that are counted and timed.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use corescope::kernel::Types;
use corescope_testing::workload::uring::{By, Uring};
use corescope_testing::{Scratch, Seen, Tool, workload};
use serde_json::{Value, json};

/// Prime numbers, so that no product of something else hits them by chance. sync() waits for the whole machine.
const CALLS: [(&str, usize); 6] =
    [("sync", 3), ("fsync", 37), ("fdatasync", 41), ("syncfs", 5), ("msync", 43), ("sync_file_range", 47)];

const NO_FD: i32 = 9999;
const PAGE: usize = 4096;
const OFFSET: i64 = 0x1_0000_1000;
/// Of a request to a slow disk.
const DELAY: Duration = Duration::from_millis(20);

/// A call as it was made: in the words of the tool, and how long it took as the caller saw it.
struct Made {
    words: Value,
    took: Duration,
}

/// Writes to a file, calls, and takes the time.
fn make(call: &str, file: &File, mapped: &workload::Mapped, path: &Value) -> Made {
    let mut writer = file;
    writer.write_all(b"content").expect("a writable file");
    let flags = if call == "msync" { libc::MS_SYNC.cast_unsigned() } else { libc::SYNC_FILE_RANGE_WRITE };
    let fd = file.as_raw_fd();
    let start = Instant::now();
    let ret = match call {
        "msync" => mapped.sync(libc::MS_SYNC),
        _ => workload::sync(call, fd, OFFSET, 8192, flags),
    };
    let took = start.elapsed();
    assert_eq!(ret, 0, "{call}");
    let (memory, range) = (call == "msync", call == "sync_file_range");
    let words = json!({
        "syscall": call,
        "errno": 0,
        "fd": if memory || call == "sync" { Value::Null } else { json!(fd) },
        "start_address": if memory { json!(mapped.address()) } else { Value::Null },
        "offset_bytes": if range { json!(OFFSET) } else { Value::Null },
        "length_bytes": if memory { json!(PAGE) } else if range { json!(8192) } else { Value::Null },
        "flag_names": if memory { json!("MS_SYNC") } else if range { json!("SYNC_FILE_RANGE_WRITE") } else { Value::Null },
        "file": if call == "sync" || memory && !finds_mapped_files() { Value::Null } else { path.clone() },
    });
    Made { words, took }
}

/// Asked once: reading all types of a kernel takes half a second in an emulated machine.
fn finds_mapped_files() -> bool {
    static FINDS: OnceLock<bool> = OnceLock::new();
    *FINDS.get_or_init(|| Types::read(None).expect("the kernel's types").has_type("bpf_find_vma"))
}

/// What was seen of a thread, in the words of [`Made`].
fn words(row: &Value) -> Value {
    let keys = ["syscall", "errno", "fd", "start_address", "offset_bytes", "length_bytes", "flag_names", "file"];
    Value::Object(keys.iter().map(|key| ((*key).to_string(), row[*key].clone())).collect())
}

/// Runs it in a thread of its own, of which no other call is seen; gives that thread's id as well.
fn alone<Made: Send + 'static>(work: impl FnOnce() -> Made + Send + 'static) -> (i32, Made) {
    thread::spawn(|| (workload::tid(), work())).join().expect("a workload that does its work")
}

fn open(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).expect("a writable folder")
}

fn file_in(scratch: &Scratch, name: &str) -> PathBuf {
    let path = scratch.join(name);
    fs::write(&path, [0; PAGE]).expect("a writable folder");
    path.canonicalize().expect("a file")
}

fn latency(row: &Value) -> Duration {
    Duration::from_nanos(row["latency_ns"].as_u64().unwrap_or_else(|| panic!("no latency: {row}")))
}

#[test]
fn every_call_is_a_row_with_its_file_and_its_time() {
    let scratch = Scratch::new("sync");
    let path = file_in(&scratch, "file");
    let tool = Tool::start("syncsnoop", &[]);
    let (tid, made) = alone(move || {
        let (file, name) = (open(&path), json!(path));
        let mapped = workload::Mapped::new(&file, PAGE);
        let make_all = |(call, runs)| (0..runs).map(|_| make(call, &file, &mapped, &name)).collect::<Vec<_>>();
        CALLS.into_iter().flat_map(make_all).collect::<Vec<_>>()
    });
    let seen = tool.stop();
    assert_eq!(seen.lost(), 0);
    let rows = seen.rows_with("tid", tid);
    assert_eq!(rows.len(), made.len(), "{}", seen.messages);
    for (row, made) in rows.iter().zip(&made) {
        assert_eq!(words(row), made.words);
        assert_eq!(row["pid"], std::process::id());
        assert!(latency(row) > Duration::ZERO && latency(row) <= made.took, "{:?}: {row}", made.took);
        assert!(row["start_time"].as_str() < row["time"].as_str(), "{row}");
    }
}

#[test]
fn calls_that_fail_have_their_error_and_no_file() {
    let tool = Tool::start("syncsnoop", &[]);
    let (tid, ()) = alone(|| {
        for (call, runs) in CALLS.into_iter().filter(|(call, _)| !["sync", "msync"].contains(call)) {
            (0..runs).for_each(|_| assert_eq!(workload::sync(call, NO_FD, 0, 0, 0), -libc::EBADF));
        }
    });
    let seen = tool.stop();
    for (call, runs) in CALLS {
        let rows: Vec<_> = seen.rows_with("tid", tid).into_iter().filter(|row| row["syscall"] == call).collect();
        assert_eq!(rows.len(), if ["sync", "msync"].contains(&call) { 0 } else { runs }, "{call}: {}", seen.messages);
        assert!(rows.iter().all(|row| row["errno"] == libc::EBADF && row["fd"] == NO_FD && row["file"].is_null()));
    }
}

#[test]
fn other_processes_cgroups_and_quick_calls_are_left_out() {
    const RUNS: usize = 37;
    let scratch = Scratch::new("filter");
    let path = file_in(&scratch, "file");
    let (me, group) = (std::process::id().to_string(), workload::Cgroup::new("cs-syncsnoop"));
    let own_group = workload::Cgroup::of_this_process();
    for (arguments, expected) in [
        (["-p", &me], RUNS),
        (["-p", "1"], 0),
        (["--cgroup", own_group.to_str().expect("ASCII")], RUNS),
        (["--cgroup", group.path_str()], 0),
        (["--min-latency", "0"], RUNS),
        (["--min-latency", "600000"], 0),
    ] {
        let tool = Tool::start("syncsnoop", &arguments);
        let file = open(&path);
        let (tid, ()) = alone(move || {
            (0..RUNS).for_each(|_| assert_eq!(workload::sync("fdatasync", file.as_raw_fd(), 0, 0, 0), 0));
        });
        let seen = tool.stop();
        assert_eq!(seen.rows_with("tid", tid).len(), expected, "{arguments:?}: {}", seen.messages);
        assert!(expected > 0 || seen.rows_with("pid", std::process::id()).is_empty(), "{arguments:?}");
    }
}

#[test]
fn calls_of_rings_are_rows_where_the_kernel_tells() {
    const RUNS: usize = 11;
    if !Types::read(None).expect("the kernel's types").has_type("io_cmd_data") {
        return; // before 6.0, the manual page's "Limits"
    }
    let scratch = Scratch::new("rings");
    let path = file_in(&scratch, "file");
    let me = std::process::id().to_string();
    let calls = ["fsync", "fdatasync", "sync_file_range"];
    let make_all = |by: By| -> Vec<Duration> {
        let (file, mut ring) = (open(&path), Uring::new(by).expect("io_uring"));
        let mut make = |call| {
            let start = Instant::now();
            assert_eq!(ring.sync(call, file.as_raw_fd(), OFFSET.cast_unsigned(), 8192, 2), 0, "{call}");
            start.elapsed()
        };
        calls.iter().flat_map(|call| (0..RUNS).map(|_| make(*call)).collect::<Vec<_>>()).collect()
    };
    for by in [By::Caller, By::Worker, By::Poller] {
        let tool = Tool::start("syncsnoop", &["-p", &me]);
        let took = make_all(by);
        let seen = tool.stop();
        let rows: Vec<&Value> = seen.rows().filter(|row| row["io_uring"] == true).collect();
        assert_eq!(rows.len(), took.len(), "{by:?}: {}", seen.messages);
        for (index, (row, took)) in rows.iter().zip(took).enumerate() {
            let (call, is_range) = (calls[index / RUNS], index >= 2 * RUNS);
            assert_eq!(
                (&row["syscall"], &row["ret"], &row["pid"]),
                (&json!(call), &json!(0), &json!(std::process::id()))
            );
            assert_eq!(row["file"], json!(path), "{by:?}: {row}");
            assert_eq!(row["offset_bytes"], if is_range { json!(OFFSET) } else { Value::Null });
            assert_eq!(row["flag_names"], if is_range { json!("SYNC_FILE_RANGE_WRITE") } else { Value::Null });
            assert!(latency(row) > Duration::ZERO && latency(row) <= took, "{took:?}: {row}");
        }
    }
    for none in [["-p", "1"], ["--min-latency", "600000"]] {
        let tool = Tool::start("syncsnoop", &none);
        make_all(By::Caller);
        assert_eq!(tool.stop().rows().filter(|row| row["io_uring"] == true).count(), 0, "{none:?}");
    }
}

/// A disk that takes its time; none on a machine that has no such module, which the emulated ones have.
fn slow_disk(delay: Duration) -> Option<workload::NullBlock> {
    let disk = workload::NullBlock::new(delay);
    assert!(disk.is_some() || std::env::var_os("CORESCOPE_KERNEL").is_none(), "no null_blk");
    disk
}

fn write_and_sync(disk: &File) -> Duration {
    let mut writer = disk;
    writer.write_all(&[1; PAGE]).expect("a disk");
    let start = Instant::now();
    assert_eq!(workload::sync("fsync", disk.as_raw_fd(), 0, 0, 0), 0);
    start.elapsed()
}

#[test]
fn a_slow_disk_takes_as_long_as_it_was_told_to() {
    const RUNS: usize = 11;
    let Some(disk) = slow_disk(DELAY) else { return };
    let tool = Tool::start("syncsnoop", &["--min-latency", "20"]);
    let (tid, took) = alone(move || {
        let file = open(disk.path());
        (0..RUNS).map(|_| write_and_sync(&file)).collect::<Vec<_>>()
    });
    let seen = tool.stop();
    let rows = seen.rows_with("tid", tid);
    assert_eq!(rows.len(), RUNS, "{}", seen.messages);
    for (row, took) in rows.iter().zip(took) {
        assert!(latency(row) >= DELAY && latency(row) <= took, "{took:?}: {row}");
        assert_eq!(row["file"], "/dev/nullb0");
    }
}

/// The rows of `file` while calls of 300 ms are under way when the tool starts and until it has shown some.
fn seen_amid_calls() -> Option<Seen> {
    static DONE: AtomicBool = AtomicBool::new(false);
    let disk = slow_disk(Duration::from_millis(300))?;
    DONE.store(false, Ordering::Relaxed);
    let file = open(disk.path());
    let caller = thread::spawn(move || {
        while !DONE.load(Ordering::Relaxed) {
            write_and_sync(&file);
        }
    });
    let tool = Tool::start("syncsnoop", &[]);
    thread::sleep(Duration::from_secs(1));
    DONE.store(true, Ordering::Relaxed);
    caller.join().expect("a workload that does its work");
    Some(tool.stop())
}

#[test]
fn a_call_that_was_under_way_has_no_latency() {
    // The tool may start just between two calls.
    for _ in 0..3 {
        let Some(seen) = seen_amid_calls() else { return };
        let rows = seen.rows_with("file", "/dev/nullb0");
        assert!(rows.len() > 1, "{}", seen.messages);
        assert!(rows[1..].iter().all(|row| latency(row) >= Duration::from_millis(300)), "{rows:?}");
        if rows[0]["latency_ns"].is_null() && rows[0]["start_time"].is_null() {
            return;
        }
    }
    panic!("each call had a start");
}

#[test]
fn a_descriptor_that_became_another_file_is_not_mistaken() {
    let Some(disk) = slow_disk(Duration::from_millis(300)) else { return };
    let scratch = Scratch::new("replaced");
    let other = open(&file_in(&scratch, "other"));
    let tool = Tool::start("syncsnoop", &[]);
    let file = open(disk.path());
    let fd = file.as_raw_fd();
    let caller = thread::spawn(move || (workload::tid(), write_and_sync(&file)));
    thread::sleep(Duration::from_millis(150));
    // SAFETY: both are open; the descriptor's owner closes what is in its place then.
    assert_eq!(unsafe { libc::dup2(other.as_raw_fd(), fd) }, fd);
    let (tid, _) = caller.join().expect("a workload that does its work");
    let seen = tool.stop();
    let rows = seen.rows_with("tid", tid);
    assert_eq!(rows.len(), 1, "{}", seen.messages);
    assert!(rows[0]["fd"] == fd && rows[0]["file"].is_null(), "{}", rows[0]);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn calls_of_32_bit_programs_are_seen() {
    use corescope::syscalls::{Abi, number};
    let scratch = Scratch::new("compat");
    let path = file_in(&scratch, "file");
    let expected_file = json!(path);
    let tool = Tool::start("syncsnoop", &[]);
    let (tid, ()) = alone(move || {
        let file = open(&path);
        let mapped = workload::Mapped::new(&file, PAGE);
        let (fd, address) = (file.as_raw_fd().cast_unsigned(), u32::try_from(mapped.address()).expect("below 4 GiB"));
        for (call, runs) in CALLS {
            let number = number(Abi::Compat, call).expect("a call of i386");
            let arguments = match call {
                "msync" => [address, 4096, 4, 0, 0],
                // The halves of offset and length. The flags do not fit; the call may fail.
                "sync_file_range" => [fd, 0x1000, 1, 8192, 0],
                _ => [fd, 0, 0, 0, 0],
            };
            // SAFETY: the memory is mapped, and no other pointer is given.
            (0..runs).for_each(|_| _ = unsafe { workload::compat(number, arguments) });
        }
    });
    let seen = tool.stop();
    let rows = seen.rows_with("tid", tid);
    assert_eq!(rows.len(), CALLS.iter().map(|(_, runs)| runs).sum::<usize>(), "{}", seen.messages);
    let mut rest = &rows[..];
    for (call, runs) in CALLS {
        let (these, after) = rest.split_at(runs);
        rest = after;
        assert!(these.iter().all(|row| row["syscall"] == call), "{call}: {these:?}");
        assert!(call == "sync" || call == "msync" || these.iter().all(|row| row["file"] == expected_file), "{these:?}");
        let range = |row: &&Value| row["offset_bytes"] == OFFSET && row["length_bytes"] == 8192;
        assert!(call != "sync_file_range" || these.iter().all(range), "{these:?}");
    }
}

#[test]
fn at_full_speed_rows_and_losses_are_what_was_made() {
    const CALLS: usize = 10_007;
    let memory = Path::new("/dev/shm");
    let scratch = Scratch::new("speed");
    let folder = if memory.is_dir() { memory } else { scratch.path() };
    let path = folder.join(format!("cs-syncsnoop-{}", std::process::id()));
    let file = open(&path);
    fs::remove_file(&path).expect("a file of one's own");
    // Of this process alone, or the losses of others would be among those that are reported.
    let me = std::process::id().to_string();
    let tool = Tool::start("syncsnoop", &["-p", &me]);
    let (tid, ()) = alone(move || {
        (0..CALLS).for_each(|_| assert_eq!(workload::sync("fdatasync", file.as_raw_fd(), 0, 0, 0), 0));
    });
    let seen = tool.stop();
    let rows = seen.rows_with("tid", tid).len();
    seen.assert_all(rows, CALLS);
    assert!(rows > 1000, "{rows} rows");
}
