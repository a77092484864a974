//! mountsnoop against calls whose arguments and results are known.

use std::env;
use std::ffi::CString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use corescope_testing::workload::mounts::Argument::{self, Bytes, Number, Text};
use corescope_testing::workload::{Cgroup, PinnedIds, mounts};
use corescope_testing::{Scratch, Seen, Tool, tool};
use serde_json::{Value, json};

/// A prime number, so that no product of something else hits it by chance.
const RUNS: usize = 37;
const AT_FDCWD: i64 = -100;
const MARK: &str = "made: ";
const MISSING: &std::ffi::CStr = c"/corescope/mountsnoop";

/// Fails to unmount, as often as that.
fn unmount(times: usize) {
    for _ in 0..times {
        assert_eq!(mounts::call("umount2", &[Text(MISSING), Number(2)]), -2);
    }
}

fn mine(seen: &Seen) -> Vec<&Value> {
    seen.rows_with("pid", std::process::id())
}

/// This test again as another process; gives its process id and what it says that it made.
fn helper(name: &str, arrange: impl FnOnce(&mut Command)) -> (u32, Vec<Value>) {
    let mut command = Command::new("/proc/self/exe");
    command.args(["--ignored", "--exact", "--nocapture", name]).stdout(Stdio::piped());
    arrange(&mut command);
    let mut child = command.spawn().expect("this test again");
    let mut text = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut text).expect("text");
    assert!(child.wait().expect("a child").success(), "{text}");
    // The first line may follow what the test harness says.
    let lines = text.lines().filter_map(|line| Some(line.split_once(MARK)?.1));
    (child.id(), lines.map(|line| serde_json::from_str(line).expect("JSON")).collect())
}

#[test]
fn every_call_is_a_row_with_its_arguments() {
    let scratch = Scratch::new("calls");
    let tool = Tool::start("mountsnoop", &[]);
    let (pid, made) = helper("helper_calls", |command| _ = command.env("CS_FOLDER", scratch.path()));
    let seen = tool.stop();
    let rows = seen.rows_with("pid", pid);
    assert_eq!(rows.len(), made.len(), "{}", seen.messages);
    assert_eq!(seen.lost(), 0);
    for (row, expected) in rows.iter().zip(&made) {
        for (key, value) in expected.as_object().expect("an object") {
            assert_eq!(row.get(key), Some(value), "{key} of {row}, made: {expected}");
        }
        assert_eq!(row["ppid"], std::process::id());
        assert_eq!(row["latency_ns"], Value::Null);
        // What a call does not have is null.
        if row["syscall"] == "umount2" {
            assert!(["source", "fs_type", "data", "fd", "attr_set"].iter().all(|key| row[key].is_null()), "{row}");
        }
    }
    assert!(made.iter().filter(|made| made["ret"].as_i64() >= Some(0)).count() > 10, "{made:?}");
}

#[test]
#[ignore = "runs as a child of another test"]
#[allow(clippy::too_many_lines, reason = "one call after the other")]
fn helper_calls() {
    let Some(folder) = env::var_os("CS_FOLDER") else { return };
    let folder = Path::new(&folder);
    let path = |name: &str| {
        let path = folder.join(name);
        fs::create_dir_all(&path).expect("a folder of one's own");
        (CString::new(path.to_str().expect("ASCII")).expect("no NUL"), path)
    };
    let ((a, at_a), (b, at_b)) = (path("a"), path("b"));
    mounts::own_mounts();
    let thread = fs::metadata("/proc/thread-self/ns/mnt").expect("a namespace").ino();
    let make = |name: &str, arguments: &[Argument<'_>], mut expected: Value| {
        let ret = mounts::call(name, arguments);
        expected["syscall"] = json!(name);
        expected["ret"] = json!(ret);
        expected["mntns"] = json!(thread);
        println!("{MARK}{expected}");
        ret
    };
    println!("{MARK}{}", json!({"syscall": "mount", "target": "/", "flag_names": "MS_REC|MS_PRIVATE", "ret": 0}));

    // A source with a newline, escape sequences, quotes and bytes that are no text; options.
    make(
        "mount",
        &[Text(c"a\n\x1b[31m\"\\\xff"), Text(&a), Text(c"tmpfs"), Number(8), Text(c"size=1m,mode=700")],
        json!({"source_bytes": b"a\n\x1b[31m\"\\\xff", "target": at_a, "fs_type": "tmpfs", "flags": 8,
            "flag_names": "MS_NOEXEC", "data": "size=1m,mode=700", "error": null, "args_cut": false}),
    );
    make(
        "mount",
        &[Text(&a), Text(&b), Number(0), Number(0x1000), Number(0)],
        json!({"source": at_a, "target": at_b, "target_path": at_b, "fs_type": null, "flag_names": "MS_BIND", "data": null}),
    );
    make(
        "mount",
        &[Text(c""), Text(&b), Number(0), Number(0xc0ed_1021), Number(0)],
        json!({"source": "", "flags": 0xc0ed_1021u32, "flag_names": "MS_MGC_VAL|MS_RDONLY|MS_REMOUNT|MS_BIND"}),
    );
    make(
        "mount",
        &[Text(c"x"), Text(&a), Text(c"corescope-filesystem"), Number(0x1000_0001), Text(c"a=b")],
        json!({"fs_type": "corescope-filesystem", "error": "ENODEV", "flag_names": "MS_RDONLY|MS_NOSEC"}),
    );
    make("mount", &[Text(c"x"), Text(MISSING), Text(c"tmpfs")], json!({"error": "ENOENT", "flags": 0}));
    make("mount", &[Text(c"x"), Number(8), Text(c"tmpfs")], json!({"error": "EFAULT", "target": null}));
    // As long as a path may be, and longer.
    for (length, errno, shown) in [(4095, "ENOENT", 4095), (4096, "ENAMETOOLONG", 4096), (5000, "ENAMETOOLONG", 4096)] {
        let mut long = "/x".repeat(length / 2 + 1);
        long.truncate(length);
        let text = CString::new(long.clone()).expect("no NUL");
        long.truncate(shown);
        make("umount2", &[Text(&text), Number(0)], json!({"target": long, "error": errno, "args_cut": length > 4095}));
    }
    make("umount2", &[Text(&b), Number(2)], json!({"target": at_b, "flags": 2, "flag_names": "MNT_DETACH"}));
    make("umount2", &[Text(&b), Number(0x48)], json!({"flag_names": "UMOUNT_NOFOLLOW|0x40", "error": "EINVAL"}));

    // The calls of Linux 5.2.
    make("fsopen", &[Text(c"corescope-filesystem"), Number(0)], json!({"fs_type": "corescope-filesystem", "ret": -19}));
    let fs = make("fsopen", &[Text(c"tmpfs"), Number(1)], json!({"fs_type": "tmpfs", "flag_names": "FSOPEN_CLOEXEC"}));
    let config = |command: i64, name: &str, key: Argument<'_>, value: Argument<'_>, aux: i64, expected: Value| {
        let mut expected = expected;
        expected["fd"] = json!(fs);
        expected["command"] = json!(name);
        expected["aux"] = json!(aux);
        make("fsconfig", &[Number(fs), Number(command), key, value, Number(aux)], expected)
    };
    let null = Number(0);
    config(0, "FSCONFIG_SET_FLAG", Text(c"ro"), null, 0, json!({"key": "ro", "value": null}));
    config(1, "FSCONFIG_SET_STRING", Text(c"size"), Text(c"1m"), 0, json!({"key": "size", "value": "1m"}));
    let bytes = [1, 0, 0xff];
    config(2, "FSCONFIG_SET_BINARY", Text(c"blob"), Bytes(&bytes), 3, json!({"key": "blob", "value_bytes": bytes}));
    let large = vec![b'x'; 5000];
    let shown = "x".repeat(4096);
    config(2, "FSCONFIG_SET_BINARY", Text(c"l"), Bytes(&large), 5000, json!({"value": shown, "args_cut": true}));
    config(3, "FSCONFIG_SET_PATH", Text(c"dir"), Text(&a), AT_FDCWD, json!({"key": "dir", "value": at_a}));
    config(4, "FSCONFIG_SET_PATH_EMPTY", Text(c"dir"), Text(c""), fs, json!({"key": "dir", "value": ""}));
    config(5, "FSCONFIG_SET_FD", Text(c"fd"), null, fs, json!({"key": "fd", "value": null}));
    config(8, "FSCONFIG_CMD_CREATE_EXCL", Text(c"no"), null, 0, json!({"key": "no"}));
    config(77, "77", null, null, 0, json!({"key": null, "value": null, "error": "EOPNOTSUPP"}));
    config(6, "FSCONFIG_CMD_CREATE", null, null, 0, json!({"key": null, "value": null, "error": null}));
    let mount = make(
        "fsmount",
        &[Number(fs), Number(1), Number(0x18)],
        json!({"fd": fs, "flag_names": "FSMOUNT_CLOEXEC", "attr_set": 0x18,
            "attr_set_names": "MOUNT_ATTR_NOEXEC|MOUNT_ATTR_NOATIME"}),
    );
    make(
        "move_mount",
        &[Number(mount), Text(c""), Number(AT_FDCWD), Text(&b), Number(4)],
        json!({"source_fd": mount, "source": "", "target_fd": AT_FDCWD, "target": at_b,
            "flag_names": "MOVE_MOUNT_F_EMPTY_PATH", "error": null}),
    );
    let pick = make(
        "fspick",
        &[Number(AT_FDCWD), Text(&b), Number(3)],
        json!({"target_fd": AT_FDCWD, "target": at_b, "flag_names": "FSPICK_CLOEXEC|FSPICK_SYMLINK_NOFOLLOW"}),
    );
    make(
        "fsconfig",
        &[Number(pick), Number(7), null, null, Number(0)],
        json!({"fd": pick, "command": "FSCONFIG_CMD_RECONFIGURE"}),
    );
    make(
        "open_tree",
        &[Number(AT_FDCWD), Text(&b), Number(0x8_8001)],
        json!({"source_fd": AT_FDCWD, "source": at_b,
            "flag_names": "OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_RECURSIVE"}),
    );

    // 5.12 and 6.15: older kernels say that they do not know them, and that is a row as well.
    let attributes = |fields: [u64; 4]| fields.map(u64::to_ne_bytes).concat();
    make(
        "mount_setattr",
        &[Number(AT_FDCWD), Text(&b), Number(0x8000), Bytes(&attributes([0x11, 0x70, 1 << 18, 0])), Number(32)],
        json!({"target_fd": AT_FDCWD, "target": at_b, "flag_names": "AT_RECURSIVE", "attr_bytes": 32,
            "attr_set": 0x11, "attr_set_names": "MOUNT_ATTR_RDONLY|MOUNT_ATTR_NOATIME", "attr_clr": 0x70,
            "attr_clr_names": "MOUNT_ATTR__ATIME", "propagation": 1 << 18, "propagation_names": "MS_PRIVATE",
            "userns_fd": 0}),
    );
    make(
        "mount_setattr",
        &[Number(AT_FDCWD), Text(&b), Number(0), Bytes(&attributes([1 << 40, 0, 0, 0])), Number(8)],
        json!({"attr_set_names": "0x10000000000", "attr_clr": null, "userns_fd": null, "attr_bytes": 8}),
    );
    make(
        "open_tree_attr",
        &[Number(AT_FDCWD), Text(&b), Number(1), Bytes(&attributes([1, 0, 0, 0])), Number(32)],
        json!({"source": at_b, "flag_names": "OPEN_TREE_CLONE", "attr_set_names": "MOUNT_ATTR_RDONLY"}),
    );

    // Targets that do not start at the root: the current folder, what a descriptor stands for, and what lies below.
    let (_, at_c) = path("a/c");
    env::set_current_dir(folder).expect("a folder");
    let opened = fs::File::open(&at_a).expect("a folder");
    let number = i64::from(opened.as_raw_fd());
    for (target, at) in [
        ("b".into(), &at_b),
        (format!("/proc/self/fd/{number}"), &at_a),
        (format!("/proc/thread-self/fd/{number}/c"), &at_c),
        (format!("/dev/fd/{number}"), &at_a),
    ] {
        let text = CString::new(target.clone()).expect("no NUL");
        let expected = json!({"target": target, "target_path": at});
        make("mount", &[Text(c""), Text(&text), Number(0), Number(0x40000), Number(0)], expected);
    }
    make("umount2", &[Text(c""), Number(0)], json!({"target": "", "target_path": null, "error": "ENOENT"}));
    make(
        "mount_setattr",
        &[Number(number), Text(c""), Number(0x1000), Bytes(&attributes([0; 4])), Number(32)],
        json!({"target": "", "target_fd": number, "target_path": at_a}),
    );

    // A new root must be a mount, as `a` is; from the first root file system of a machine the kernel refuses.
    let (old, at_old) = path("a/old");
    make("pivot_root", &[Text(&a), Text(&old)], json!({"source": at_a, "target": at_old}));
}

#[test]
fn failing_calls_at_full_speed_are_rows_or_losses() {
    const CALLS: usize = 10_007;
    let tool = Tool::start("mountsnoop", &[]);
    unmount(CALLS);
    let seen = tool.stop();
    let rows = seen.rows_with("target", json!(MISSING.to_str().expect("ASCII")));
    seen.assert_all(rows.len(), CALLS);
    assert!(rows.len() > 1000 && rows.iter().all(|row| row["ret"] == -2 && row["syscall"] == "umount2"));
}

#[test]
fn threads_are_told_apart() {
    let tool = Tool::start("mountsnoop", &[]);
    let tid = std::thread::spawn(|| {
        mounts::own_mounts();
        unmount(1);
        (corescope_testing::workload::tid(), fs::metadata("/proc/thread-self/ns/mnt").expect("a namespace").ino())
    });
    let (tid, namespace) = tid.join().expect("a thread");
    let seen = tool.stop();
    let rows = mine(&seen);
    assert_eq!(rows.len(), 2, "{}", seen.messages);
    assert!(rows.iter().all(|row| row["tid"] == tid && row["mntns"] == namespace), "{rows:?}");
    assert_ne!(namespace, fs::metadata("/proc/self/ns/mnt").expect("a namespace").ino());
}

#[test]
fn other_processes_and_other_cgroups_are_left_out() {
    let me = std::process::id().to_string();
    let group = Cgroup::new("cs-mountsnoop");
    for (arguments, expected) in [(["-p", &me], RUNS), (["-p", "1"], 0), (["--cgroup", group.path_str()], 0)] {
        let tool = Tool::start("mountsnoop", &arguments);
        unmount(RUNS);
        assert_eq!(mine(&tool.stop()).len(), expected, "{arguments:?}");
    }
    let tool = Tool::start("mountsnoop", &["--cgroup", group.path_str()]);
    unmount(RUNS);
    let (pid, _) = helper("helper_unmount", |command| Cgroup::join_before_exec(command, group.path()));
    let seen = tool.stop();
    assert_eq!((seen.rows().count(), seen.rows_with("pid", pid).len()), (RUNS, RUNS));
}

#[test]
fn maps_of_ids_that_the_user_pinned() {
    let namespace = fs::metadata("/proc/self/ns/mnt").expect("a namespace").ino();
    let cgroup = fs::metadata(Cgroup::of_this_process()).expect("a cgroup").ino();
    for (option, own) in [("--mntnsmap", namespace), ("--cgroupmap", cgroup)] {
        for (ids, expected) in [([own, own + 1000], RUNS), ([own + 1000, own + 1001], 0)] {
            let ids = PinnedIds::new(&ids);
            let tool = Tool::start("mountsnoop", &[option, ids.path().to_str().expect("an ASCII path")]);
            unmount(RUNS);
            assert_eq!(mine(&tool.stop()).len(), expected, "{option}");
        }
    }
}

#[test]
#[ignore = "runs as a child of another test"]
fn helper_unmount() {
    unmount(RUNS);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn calls_of_32_bit_programs() {
    let tool = Tool::start("mountsnoop", &[]);
    let arguments = [Text(c"source"), Text(MISSING), Text(c"tmpfs"), Number(0x8000_0001), Text(c"a=b")];
    assert_eq!(mounts::call_compat("mount", &arguments), -2);
    assert_eq!(mounts::call_compat("umount2", &[Text(MISSING), Number(2)]), -2);
    assert_eq!(mounts::call_compat("umount", &[Text(MISSING), Number(2)]), -2);
    let fs = mounts::call_compat("fsopen", &[Text(c"tmpfs"), Number(1)]);
    let seen = tool.stop();
    let expected = [
        json!({"syscall": "mount", "source": "source", "target": "/corescope/mountsnoop", "fs_type": "tmpfs",
            "flags": 0x8000_0001u32, "data": "a=b", "ret": -2}),
        json!({"syscall": "umount2", "target": "/corescope/mountsnoop", "flags": 2, "error": "ENOENT"}),
        json!({"syscall": "umount", "target": "/corescope/mountsnoop", "flags": null, "error": "ENOENT"}),
        json!({"syscall": "fsopen", "fs_type": "tmpfs", "flags": 1, "ret": fs}),
    ];
    let rows = mine(&seen);
    assert_eq!(rows.len(), expected.len(), "{}", seen.messages);
    for (row, expected) in rows.iter().zip(&expected) {
        let keys = expected.as_object().expect("an object");
        assert!(keys.iter().all(|(key, value)| &row[key] == value), "{row}, made: {expected}");
    }
}

#[test]
fn latencies_are_measured_when_asked_for() {
    let tool = Tool::start("mountsnoop", &["--detailed"]);
    let start = std::time::Instant::now();
    unmount(RUNS);
    let took = start.elapsed();
    let seen = tool.stop();
    let latencies: Vec<u64> = mine(&seen).iter().filter_map(|row| row["latency_ns"].as_u64()).collect();
    assert_eq!(latencies.len(), RUNS, "{}", seen.messages);
    assert!(latencies.iter().all(|latency| *latency > 0));
    assert!(u128::from(latencies.iter().sum::<u64>()) <= took.as_nanos());
}

#[test]
fn text_is_one_line_a_call_or_one_an_argument() {
    let pid = std::process::id();
    let line = format!("{pid:<7} ");
    let cases: [(&[&str], &[&str]); 3] = [
        (&[], &[&line, r#" mount("a\n\"", "/corescope/mountsnoop", NULL, MS_RDONLY, NULL) = -ENOENT"#]),
        (&["-P"], &["PCOMM", "PPID", "umount(\"/corescope/mountsnoop\", MNT_DETACH) = -ENOENT"]),
        (&["-d"], &["OP:          umount\nRET:         -ENOENT\nLAT(us):     ", "\nFLAGS:       MNT_DETACH\n\n"]),
    ];
    for (arguments, expected) in cases {
        let _turn = tool::turn();
        let mut command = Command::new(tool::binary("mountsnoop"));
        command.args(arguments).args(["--verbose", "-p", &pid.to_string()]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the tool");
        let mut messages = BufReader::new(child.stderr.take().expect("piped")).lines();
        assert!(messages.any(|line| line.expect("text").contains(": attached ")));
        let _ = mounts::call("mount", &[Text(c"a\n\""), Text(MISSING), Number(0), Number(1)]);
        unmount(1);
        tool::send(child.id(), libc::SIGTERM);
        let mut text = String::new();
        child.stdout.take().expect("piped").read_to_string(&mut text).expect("text");
        assert!(child.wait().expect("a child").success());
        assert!(expected.iter().all(|part| text.contains(part)), "{arguments:?}: {text}");
    }
}
