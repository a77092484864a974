//! statsnoop against questions of which the answers are known.

use std::env;
use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::chroot;
use std::path::Path;
use std::thread;

use corescope_testing::{Scratch, Seen, Tool, workload};
use serde_json::{Value, json};

/// Prime numbers, so that no product of something else hits them by chance.
const RUNS: usize = 37;
const NATIVE: [(&str, usize); 7] =
    [("stat", 11), ("lstat", 13), ("fstat", 17), ("newfstatat", 19), ("statx", 23), ("statfs", 29), ("fstatfs", 31)];

const NO_FD: i32 = 9999;
const NOFOLLOW: i32 = libc::AT_SYMLINK_NOFOLLOW;
const EMPTY: i32 = libc::AT_EMPTY_PATH;

/// A call as it was made, with what it returned, in the words of the tool.
fn made(call: &str, fd: i32, path: Value, flags: &str, ret: i32) -> Value {
    let at = ["newfstatat", "statx", "fstatat64"].contains(&call);
    let itself = call.contains("fstat") && !at;
    json!({
        "syscall": call,
        "ret": ret,
        "errno": -ret,
        "fd": if itself { json!(fd) } else { Value::Null },
        "dirfd": if at { json!(fd) } else { Value::Null },
        "flag_names": if at { json!(flags) } else { Value::Null },
        "path": if itself { Value::Null } else { path },
    })
}

/// What was seen of a thread, in the words of [`made`] and in the order of the rows.
fn seen_of(seen: &Seen, tid: i32) -> Vec<Value> {
    let keys = ["syscall", "ret", "errno", "fd", "dirfd", "flag_names", "path"];
    let pick = |row: &Value| keys.iter().map(|key| ((*key).to_string(), row[*key].clone())).collect();
    seen.rows_with("tid", tid).into_iter().map(|row| Value::Object(pick(row))).collect()
}

/// Runs it in a thread of its own, of which no other call is seen; gives that thread's id as well.
fn alone<Made: Send + 'static>(work: impl FnOnce() -> Made + Send + 'static) -> (i32, Made) {
    thread::spawn(|| (workload::tid(), work())).join().expect("a workload that does its work")
}

fn c_string(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("no NUL in a path")
}

/// Every native call, each as often as its number says, about a file that is there and one that is not.
fn ask_all(present: &Path) -> Vec<Value> {
    let file = File::open(present).expect("a file");
    let (present, missing) = (c_string(present), c_string(&present.with_extension("missing")));
    let mut all = Vec::new();
    for (call, runs) in NATIVE {
        if cfg!(not(target_arch = "x86_64")) && ["stat", "lstat"].contains(&call) {
            continue;
        }
        for _ in 0..runs {
            for (path, there, error) in [(&present, file.as_raw_fd(), libc::ENOENT), (&missing, NO_FD, libc::EBADF)] {
                let itself = call.starts_with('f');
                let fd = if itself { there } else { libc::AT_FDCWD };
                let expected = match there {
                    NO_FD if itself => -error,
                    NO_FD => -libc::ENOENT,
                    _ => 0,
                };
                let ret = workload::stat(call, fd, Some(path), NOFOLLOW);
                assert_eq!(ret, expected, "{call}");
                all.push(made(call, fd, json!(path.to_str().expect("ASCII")), "AT_SYMLINK_NOFOLLOW", ret));
            }
        }
    }
    all
}

fn file_in(scratch: &Scratch, name: &str) -> std::path::PathBuf {
    let path = scratch.join(name);
    fs::write(&path, "content").expect("a writable folder");
    path.canonicalize().expect("a file")
}

#[test]
fn every_call_is_a_row_with_its_path_and_its_error() {
    let scratch = Scratch::new("stat");
    let path = file_in(&scratch, "present");
    let tool = Tool::start("statsnoop", &[]);
    let asked = path.clone();
    let (tid, made) = alone(move || ask_all(&asked));
    let seen = tool.stop();
    assert_eq!(seen.lost(), 0);
    assert_eq!(seen_of(&seen, tid), made, "{}", seen.messages);
    for row in seen.rows_with("tid", tid) {
        assert_eq!(row["pid"], std::process::id());
        // Of an open file the path is always shown, of others it was not asked for.
        let open = row["fd"].as_i64().is_some_and(|fd| fd != i64::from(NO_FD));
        assert_eq!(row["file"], if open { json!(path) } else { Value::Null }, "{row}");
    }
}

#[test]
fn failed_ones_only() {
    let scratch = Scratch::new("failed");
    let path = file_in(&scratch, "present");
    let tool = Tool::start("statsnoop", &["-x"]);
    let (tid, mut made) = alone(move || ask_all(&path));
    let seen = tool.stop();
    made.retain(|call| call["ret"] != 0);
    assert_eq!(seen_of(&seen, tid), made, "{}", seen.messages);
}

#[test]
fn other_processes_and_cgroups_are_left_out() {
    let scratch = Scratch::new("filter");
    let path = file_in(&scratch, "present");
    let (me, group) = (std::process::id().to_string(), workload::Cgroup::new("cs-statsnoop"));
    let own_group = workload::Cgroup::of_this_process();
    let own_group = own_group.to_str().expect("ASCII");
    for (arguments, expected) in [
        (["--pid", &me], true),
        (["--pid", "1"], false),
        (["--cgroup", own_group], true),
        (["--cgroup", group.path_str()], false),
    ] {
        let tool = Tool::start("statsnoop", &arguments);
        let path = path.clone();
        let (tid, made) = alone(move || ask_all(&path));
        let seen = tool.stop();
        assert_eq!(seen_of(&seen, tid).len(), if expected { made.len() } else { 0 }, "{arguments:?}");
        assert!(expected || seen.rows_with("pid", std::process::id()).is_empty(), "{arguments:?}");
    }
}

#[test]
fn descriptors_instead_of_paths_are_the_open_file() {
    let scratch = Scratch::new("itself");
    let path = file_in(&scratch, "open");
    let tool = Tool::start("statsnoop", &[]);
    let open = path.clone();
    let (tid, made) = alone(move || {
        let file = File::open(&open).expect("a file");
        let mut all = Vec::new();
        for (call, given) in [("newfstatat", Some(c"")), ("statx", Some(c"")), ("statx", None)] {
            for _ in 0..RUNS {
                let ret = workload::stat(call, file.as_raw_fd(), given, EMPTY);
                all.push(made(
                    call,
                    file.as_raw_fd(),
                    json!(given.map(CStr::to_bytes).map(|_| "")),
                    "AT_EMPTY_PATH",
                    ret,
                ));
            }
        }
        // An empty path is an error where the flag does not allow it.
        assert_eq!(workload::stat("newfstatat", file.as_raw_fd(), Some(c""), 0), -libc::ENOENT);
        all.push(made("newfstatat", file.as_raw_fd(), json!(""), "0", -libc::ENOENT));
        all
    });
    let seen = tool.stop();
    assert_eq!(seen_of(&seen, tid), made, "{}", seen.messages);
    for row in seen.rows_with("tid", tid) {
        assert_eq!(row["file"], if row["ret"] == 0 { json!(path) } else { Value::Null }, "{row}");
    }
}

#[test]
fn paths_without_end_and_paths_that_cannot_be_read() {
    // PATH_MAX with its NUL; one byte more is refused.
    let longest = CString::new(format!("/{}tmp", "./".repeat(2045) + "/")).expect("no NUL");
    let longer = CString::new(format!("/{}tmp", "./".repeat(2046))).expect("no NUL");
    assert_eq!((longest.as_bytes().len(), longer.as_bytes().len()), (4095, 4096));
    let (expected, tool) =
        (longest.to_str().expect("ASCII").to_string(), Tool::start("statsnoop", &["-F", "--buffer", "1M"]));
    let (tid, ()) = alone(move || {
        for _ in 0..RUNS {
            assert_eq!(workload::stat("statx", libc::AT_FDCWD, Some(&longest), 0), 0);
            assert_eq!(workload::stat("statx", libc::AT_FDCWD, Some(&longer), 0), -libc::ENAMETOOLONG);
            // SAFETY: the kernel answers a bad address with an error.
            let bad = unsafe { libc::syscall(libc::SYS_statfs, 8, 8) };
            assert_eq!(bad, -1);
        }
    });
    let seen = tool.stop();
    let rows = seen.rows_with("tid", tid);
    assert_eq!(rows.len(), 3 * RUNS, "{}", seen.messages);
    for rows in rows.chunks(3) {
        assert_eq!((&rows[0]["path"], &rows[0]["file"]), (&json!(expected), &json!(expected)));
        assert_eq!(rows[1]["errno"], libc::ENAMETOOLONG);
        assert_eq!(rows[1]["path"].as_str().map(str::len), Some(4095));
        assert_eq!((&rows[2]["errno"], &rows[2]["path"]), (&json!(libc::EFAULT), &Value::Null));
    }
}

#[test]
fn full_paths_start_at_the_root_of_the_process() {
    let scratch = Scratch::new("full");
    let root = scratch.path().canonicalize().expect("a folder");
    for folder in ["outside/deep", "mounted", "sub"] {
        fs::create_dir_all(root.join(folder)).expect("a writable folder");
    }
    let tool = Tool::start("statsnoop", &["-F"]);
    let home = root.clone();
    let (tid, fd) = alone(move || {
        let ask = |call, fd, path| {
            (0..RUNS).for_each(|_| assert_eq!(workload::stat(call, fd, Some(path), 0), -libc::ENOENT));
        };
        workload::own_folders();
        // What is mounted elsewhere has the path that it has there.
        workload::bind_folder(&home.join("outside"), &home.join("mounted"));
        env::set_current_dir(home.join("mounted/deep")).expect("a folder");
        ask("newfstatat", libc::AT_FDCWD, c"current");
        ask("statfs", 0, c"../above");
        let folder = File::open(home.join("sub")).expect("a folder");
        ask("statx", folder.as_raw_fd(), c"by/descriptor");
        ask("newfstatat", folder.as_raw_fd(), c"/absolute");
        ask("newfstatat", folder.as_raw_fd(), c"");
        chroot(&home).expect("a privileged test");
        ask("newfstatat", libc::AT_FDCWD, c"in root");
        env::set_current_dir("/").expect("a root");
        ask("newfstatat", libc::AT_FDCWD, c"of root");
        folder.as_raw_fd()
    });
    let seen = tool.stop();
    let rows = seen.rows_with("tid", tid);
    let asked: Vec<_> = rows.iter().filter(|row| row["errno"] == libc::ENOENT).collect();
    let root = root.to_str().expect("ASCII");
    let expected = [
        ("current", json!(format!("{root}/mounted/deep/current")), -100),
        ("../above", json!(format!("{root}/mounted/deep/../above")), 0),
        ("by/descriptor", json!(format!("{root}/sub/by/descriptor")), fd),
        ("/absolute", json!("/absolute"), fd),
        ("", Value::Null, fd),
        ("in root", json!("/mounted/deep/in root"), -100),
        ("of root", json!("/of root"), -100),
    ];
    assert_eq!(asked.len(), expected.len() * RUNS, "{}", seen.messages);
    for (rows, (path, full_path, dirfd)) in asked.chunks(RUNS).zip(expected) {
        for row in rows {
            assert_eq!((&row["path"], &row["file"]), (&json!(path), &full_path));
            assert!(row["syscall"] == "statfs" || row["dirfd"] == dirfd, "{row}");
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn calls_of_32_bit_programs_are_seen() {
    use corescope::syscalls::{Abi, number};
    const CALLS: [&str; 16] = [
        "oldstat",
        "oldlstat",
        "oldfstat",
        "stat",
        "lstat",
        "fstat",
        "stat64",
        "lstat64",
        "fstat64",
        "fstatat64",
        "statx",
        "statfs",
        "fstatfs",
        "statfs64",
        "fstatfs64",
        "stat",
    ];
    let scratch = Scratch::new("compat");
    let path = file_in(&scratch, "present");
    let tool = Tool::start("statsnoop", &[]);
    let (tid, made) = alone(move || {
        let file = File::open(&path).expect("a file");
        let mut all = Vec::new();
        for path in [c_string(&path), c_string(&path.with_extension("missing"))] {
            for call in CALLS {
                let number = number(Abi::Compat, call).expect("a call of i386");
                let fd = if call.contains("fstat") && call != "fstatat64" { file.as_raw_fd() } else { libc::AT_FDCWD };
                for _ in 0..RUNS {
                    let ret = workload::stat_compat(call, number, fd, &path, NOFOLLOW);
                    all.push(made(call, fd, json!(path.to_str().expect("ASCII")), "AT_SYMLINK_NOFOLLOW", ret));
                }
            }
        }
        all
    });
    assert!(made.iter().any(|call| call["syscall"] == "stat64" && call["ret"] == 0), "{made:?}");
    let seen = tool.stop();
    assert_eq!(seen_of(&seen, tid), made, "{}", seen.messages);
}

#[test]
fn at_full_speed_rows_and_losses_are_what_was_made() {
    const CALLS: [(&str, usize); 2] = [("statx", 20_011), ("fstat", 20_021)];
    let scratch = Scratch::new("speed");
    let path = file_in(&scratch, "speed");
    // Of this process alone, or the losses of others would be among those that are reported.
    let me = std::process::id().to_string();
    let tool = Tool::start("statsnoop", &["-F", "-p", &me]);
    let threads = CALLS.map(|(call, runs)| {
        let path = path.clone();
        thread::spawn(move || {
            let (file, name) = (File::open(&path).expect("a file"), c_string(&path));
            let fd = if call == "fstat" { file.as_raw_fd() } else { libc::AT_FDCWD };
            (0..runs).for_each(|_| assert_eq!(workload::stat(call, fd, Some(&name), 0), 0));
        })
    });
    for thread in threads {
        thread.join().expect("a workload that does its work");
    }
    let seen = tool.stop();
    let rows = seen.rows_with("file", json!(path)).len();
    seen.assert_all(rows, CALLS.iter().map(|(_, runs)| runs).sum());
    assert!(rows > 1000, "{rows} rows");
}
