//! capable against checks whose number, capability and answer are known.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use corescope_testing::tool::{binary, send, turn};
use corescope_testing::workload::privileges::{InNamespace, NOBODY, as_nobody, as_user, chroot, see_limits, set_user};
use corescope_testing::workload::stacks::CALL;
use corescope_testing::workload::{Cgroup, PinnedIds, exit_process, tid};
use corescope_testing::{Seen, Tool};
use serde_json::{Value, json};

/// Prime numbers, so that no product of something else hits them by chance.
const ALLOWED: usize = 37;
const DENIED: usize = 41;
const SETS: usize = 13;

/// Asks for the right to chroot as root and, in a thread of the id that it gives, as nobody.
fn roots() -> i32 {
    for _ in 0..ALLOWED {
        assert_eq!(chroot(), 0);
    }
    as_nobody(|| {
        for _ in 0..DENIED {
            assert_eq!(chroot(), -i64::from(libc::EPERM));
        }
        tid()
    })
}

/// The rows of this process's own checks for a capability.
fn own<'a>(seen: &'a Seen, name: &str) -> Vec<&'a Value> {
    seen.rows_with("pid", std::process::id()).into_iter().filter(|row| row["cap_name"] == name).collect()
}

fn count(rows: &[&Value], key: &str, value: impl Into<Value>) -> usize {
    let value = value.into();
    rows.iter().filter(|row| row[key] == value).count()
}

/// Whether the tool knows of each check if it is for the audit log: in emulated machines always.
fn knows_audit(row: &Value) -> bool {
    let known = !row["audit"].is_null();
    assert_eq!(known, !row["insetid"].is_null());
    assert!(known || env::var_os("CORESCOPE_KERNEL").is_none(), "{row}");
    known
}

fn assert_roots(seen: &Seen, nobody: i32) {
    let rows = own(seen, "CAP_SYS_CHROOT");
    let (allowed, denied): (Vec<&Value>, Vec<&Value>) = rows.into_iter().partition(|row| row["verdict"] == "allow");
    assert_eq!(seen.lost(), 0, "{}", seen.messages);
    seen.assert_all(allowed.len(), ALLOWED);
    seen.assert_all(denied.len(), DENIED);
    assert_eq!(count(&allowed, "uid", 0), allowed.len());
    assert_eq!(count(&allowed, "tid", tid()), allowed.len());
    assert_eq!(count(&denied, "uid", NOBODY), denied.len());
    assert_eq!(count(&denied, "tid", nobody), denied.len());
    assert_eq!(count(&denied, "verdict", "deny"), denied.len());
    let namespace = fs::metadata("/proc/self/ns/user").expect("a namespace").ino();
    let comm = fs::read_to_string("/proc/thread-self/comm").expect("a name");
    for row in allowed {
        assert_eq!(row["cap"], 18);
        assert_eq!(row["userns"], namespace);
        assert_eq!(row["comm"], comm.trim_end());
    }
}

#[test]
fn every_check_is_a_row_with_its_answer() {
    let tool = Tool::start("capable", &[]);
    let nobody = roots();
    let seen = tool.stop();
    assert_roots(&seen, nobody);
    for row in own(&seen, "CAP_SYS_CHROOT") {
        if knows_audit(row) {
            assert_eq!((&row["audit"], &row["insetid"]), (&json!(true), &json!(false)));
        }
        assert_eq!((&row["kernel_stack"], &row["user_stack"]), (&json!([]), &json!([])));
    }
}

/// Each hook that the kernel has sees the same; of one that it does not have the tool says so.
#[test]
fn each_hook_sees_the_same() {
    let types = fs::read("/sys/kernel/btf/vmlinux").expect("a kernel with BTF");
    let tracepoint = b"\0btf_trace_cap_capable\0";
    let has_tracepoint = types.windows(tracepoint.len()).any(|bytes| bytes == tracepoint);
    for hook in ["fexit", "tracepoint", "kprobe"] {
        let (code, said) = run(&["--hook", hook]);
        if code == 1 {
            let sentences = ["this kernel has no ", "refused permission", "the kernel refused"];
            assert!(sentences.iter().any(|sentence| said.contains(sentence)), "{hook}: {said}");
            let certain = env::var_os("CORESCOPE_KERNEL").is_some() || hook == "tracepoint";
            assert!(!certain || (hook == "tracepoint" && !has_tracepoint), "{hook}: {said}");
            continue;
        }
        assert_eq!((code, said.contains("AUDIT is not known")), (0, hook == "tracepoint"), "{said}");
        let tool = Tool::start("capable", &["--hook", hook, "-K", "-U"]);
        let nobody = roots();
        let seen = tool.stop();
        assert_roots(&seen, nobody);
        for row in own(&seen, "CAP_SYS_CHROOT") {
            assert_eq!(row["audit"].is_null(), hook == "tracepoint");
            assert_stacks(row);
        }
    }
}

/// The hooks that work here.
fn hooks() -> impl Iterator<Item = &'static str> {
    ["fexit", "kprobe", "tracepoint"].into_iter().filter(|hook| run(&["--hook", hook]).0 == 0)
}

/// In the namespace itself, from above and from below: what a task may do in a user namespace depends on where both are, and
/// on who owns it.
#[test]
fn answers_hold_across_user_namespaces() {
    for hook in hooks() {
        let tool = Tool::start("capable", &["--hook", hook]);
        let asks = |pid, times, answer| (0..times).for_each(|_| assert_eq!(see_limits(pid), answer));
        let refused = -i64::from(libc::EPERM);
        let inside = InNamespace::start(move || (0..2).all(|_| see_limits(1) == refused));
        let pid = inside.pid();
        // Not every machine's root has all capabilities.
        let root = see_limits(pid);
        asks(pid, 2, root);
        as_user(NOBODY, || asks(pid, 5, 0));
        as_user(NOBODY - 1, || asks(pid, 7, refused));
        let namespace = fs::metadata(format!("/proc/{pid}/ns/user")).expect("a namespace").ino();
        drop(inside);
        let seen = tool.stop();
        let count = |asker: u32, uid: u32, namespace: u64, verdict: &str| {
            let rows = seen.rows_with("cap_name", "CAP_SYS_RESOURCE").into_iter();
            let alike = |row: &&Value| row["pid"] == asker && row["uid"] == uid && row["userns"] == namespace;
            rows.filter(alike).filter(|row| row["verdict"] == verdict).count()
        };
        let own = std::process::id();
        let outer = fs::metadata("/proc/self/ns/user").expect("a namespace").ino();
        let counts = [
            count(pid, NOBODY - 2, outer, "deny"),
            count(own, 0, namespace, if root == 0 { "allow" } else { "deny" }),
            count(own, NOBODY, namespace, "allow"),
            count(own, NOBODY - 1, namespace, "deny"),
        ];
        assert_eq!(counts, [2, 3, 5, 7], "{hook}");
        assert_eq!(seen.rows_with("cap_name", "CAP_SYS_RESOURCE").len(), 17, "{hook}");
    }
}

/// The tool with text for its output, until it is attached: its exit code and what it said on standard error.
fn run(arguments: &[&str]) -> (i32, String) {
    let _turn = turn();
    let mut command = Command::new(binary("capable"));
    command.args(arguments).arg("--verbose").stderr(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    let mut said = String::new();
    for line in BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok) {
        if line.contains(": attached ") {
            send(child.id(), libc::SIGTERM);
        }
        said.push_str(&line);
    }
    (child.wait().expect("a child").code().expect("no signal ends it"), said)
}

/// Names of a row's stack, the innermost function first.
fn names<'a>(row: &'a Value, stack: &str) -> Vec<&'a str> {
    let frames = row[stack].as_array().expect("a list of frames");
    frames.iter().map(|frame| frame["symbol"].as_str().unwrap_or("?")).collect()
}

/// Checks that the stacks are those of [`chroot`].
fn assert_stacks(row: &Value) {
    assert_kernel_stack(row);
    assert!(names(row, "user_stack").starts_with(&CALL), "{row}");
}

fn assert_kernel_stack(row: &Value) {
    let kernel = names(row, "kernel_stack");
    assert!(["cap_capable", "security_capable", "ns_capable"].contains(&kernel[0]), "{kernel:?}");
    assert!(kernel.iter().any(|name| name.contains("sys_chroot")), "{kernel:?}");
}

#[test]
fn stacks_are_shown_where_they_are_asked_for() {
    for (option, other, shown) in [("-K", "user_stack", "kernel_stack"), ("--user-stack", "kernel_stack", "user_stack")]
    {
        let tool = Tool::start("capable", &[option, "--perf-max-stack-depth", "7"]);
        roots();
        let pid = tool.pid();
        let seen = tool.stop();
        let rows = own(&seen, "CAP_SYS_CHROOT");
        seen.assert_all(rows.len(), ALLOWED + DENIED);
        for row in rows {
            assert_eq!(row[other], json!([]));
            assert!((2..=7).contains(&names(row, shown).len()), "{row}");
        }
        // What it asks for itself, to name functions, is left out.
        assert!(seen.rows_with("pid", pid).is_empty());
    }
}

#[test]
fn checks_that_set_ids_are_marked() {
    let tool = Tool::start("capable", &["-x"]);
    as_nobody(|| {
        for _ in 0..SETS {
            assert_eq!(set_user(NOBODY - 1), -i64::from(libc::EPERM));
        }
    });
    let seen = tool.stop();
    let rows: Vec<&Value> = own(&seen, "CAP_SETUID").into_iter().filter(|row| row["verdict"] == "deny").collect();
    seen.assert_all(rows.len(), SETS);
    for row in rows {
        assert!(!knows_audit(row) || row["insetid"] == true, "{row}");
    }
}

/// A look at another user's process asks whether more of it may be shown, and that is no case for the audit log.
#[test]
fn checks_that_are_not_audited_are_shown_when_asked_for() {
    let mut roots = Command::new("sleep").arg("1000").spawn().expect("sleep");
    let stat = format!("/proc/{}/stat", roots.id());
    for (arguments, asked) in [(&["-v"][..], true), (&[], false)] {
        let tool = Tool::start("capable", arguments);
        as_nobody(|| {
            for _ in 0..DENIED {
                let mut text = [0; 4096];
                let length = fs::File::open(&stat).and_then(|mut file| file.read(&mut text));
                assert!(length.expect("a readable file") > 0);
            }
        });
        assert_eq!(chroot(), 0);
        let seen = tool.stop();
        let known = knows_audit(own(&seen, "CAP_SYS_CHROOT")[0]);
        let rows = own(&seen, "CAP_SYS_PTRACE");
        let rows: Vec<&Value> = rows.into_iter().filter(|row| row["uid"] == NOBODY).collect();
        seen.assert_all(rows.len(), if asked || !known { DENIED } else { 0 });
        assert_eq!(count(&rows, "verdict", "deny"), rows.len());
        assert_eq!(count(&rows, "audit", if known { json!(false) } else { Value::Null }), rows.len());
    }
    roots.kill().expect("a child");
    roots.wait().expect("a child");
}

#[test]
fn other_processes_and_cgroups_are_left_out() {
    let me = std::process::id().to_string();
    let group = Cgroup::new("cs-capable");
    let of_this = Cgroup::of_this_process();
    let of_this = of_this.to_str().expect("an ASCII path");
    let all = ALLOWED + DENIED;
    for (arguments, expected) in [
        (["-p", "1"], 0),
        (["--pid", &me], all),
        (["--cgroup", group.path_str()], 0),
        (["-c", of_this], all),
        (["--cap", "sys_admin,CAP_SETUID"], 0),
        (["--cap=cap_sys_chroot,21", "--denied"], DENIED),
    ] {
        let tool = Tool::start("capable", &arguments);
        roots();
        let seen = tool.stop();
        let rows = own(&seen, "CAP_SYS_CHROOT");
        seen.assert_all(rows.len(), expected);
        assert!(arguments[1] != "--denied" || count(&rows, "verdict", "deny") == rows.len());
        assert!(expected == 0 || arguments[0] != "--pid" || seen.rows().all(|row| row["pid"] == std::process::id()));
    }
}

#[test]
fn maps_of_ids_that_the_user_pinned() {
    let namespace = fs::metadata("/proc/self/ns/mnt").expect("a namespace").ino();
    let cgroup = fs::metadata(Cgroup::of_this_process()).expect("a cgroup").ino();
    for (option, own_id) in [("--mntnsmap", namespace), ("--cgroupmap", cgroup)] {
        for (id, expected) in [(own_id, ALLOWED + DENIED), (own_id + 1000, 0)] {
            let ids = PinnedIds::new(&[id]);
            let tool = Tool::start("capable", &[option, ids.path().to_str().expect("an ASCII path")]);
            roots();
            let seen = tool.stop();
            seen.assert_all(own(&seen, "CAP_SYS_CHROOT").len(), expected);
        }
    }
}

/// Two processes of a cgroup of their own do the same several times, as root and as nobody.
fn unique(arguments: &[&str], expected: usize) {
    let group = Cgroup::new("cs-unique");
    let tool = Tool::start("capable", &[&["--cgroup", group.path_str()], arguments].concat());
    for _ in 0..2 {
        let mut child = Command::new("/proc/self/exe");
        child.args(["--ignored", "--exact", "helper_in_cgroup"]).env("CS_CGROUP", group.path());
        let output = child.output().expect("this test again");
        assert!(output.status.success(), "{output:?}");
    }
    let seen = tool.stop();
    assert_eq!(seen.lost(), 0, "{}", seen.messages);
    seen.assert_all(seen.rows_with("cap_name", "CAP_SYS_CHROOT").len(), expected);
}

#[test]
fn what_was_seen_before_is_left_out_when_asked_for() {
    // Each process, or the cgroup, was allowed something and denied it.
    for (arguments, expected) in [
        (&["--unique", "off"][..], 2 * (ALLOWED + DENIED)),
        (&["--unique"], 4),
        (&["-u", "pid", "-K", "-U"], 4),
        (&["-u", "cgroup", "-K"], 2),
    ] {
        unique(arguments, expected);
    }
}

#[test]
fn by_a_map_of_cgroups_unique_is_by_cgroup() {
    let cgroup = fs::metadata(Cgroup::of_this_process()).expect("a cgroup").ino();
    let ids = PinnedIds::new(&[cgroup]);
    let tool = Tool::start("capable", &["--unique", "--cgroupmap", ids.path().to_str().expect("an ASCII path")]);
    roots();
    roots();
    assert_eq!(own(&tool.stop(), "CAP_SYS_CHROOT").len(), 2);
}

/// What a process of its own makes at full speed, so that nothing else of it is lost: rows and losses are all checks.
fn at_full_speed(checks: usize, arguments: &[&str]) -> Seen {
    let mut child = Command::new("/proc/self/exe");
    child.args(["--ignored", "--exact", "helper_at_full_speed", "--nocapture"]).env("CS_CHECKS", checks.to_string());
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("this test again");
    let pid = child.id().to_string();
    let tool = Tool::start("capable", &[&["-p", &pid], arguments].concat());
    drop(child.stdin.take());
    assert!(child.wait().expect("a child").success());
    // The rows take a while to print and to read, and at its end the tool waits just for a moment.
    thread::sleep(Duration::from_secs(1));
    let seen = tool.stop();
    seen.assert_all(seen.rows_with("cap_name", "CAP_SYS_CHROOT").len(), THREADS * checks);
    seen
}

const THREADS: usize = 2;

#[test]
fn at_full_speed_rows_and_losses_are_what_was_made() {
    let seen = at_full_speed(5_003, &[]);
    let rows = seen.rows().count();
    assert!(rows > 1000, "{rows} rows");
}

#[test]
fn full_buffers_of_stacks_are_counted() {
    let seen = at_full_speed(251, &["-K", "-U", "--buffer", "16K"]);
    let rows = seen.rows_with("cap_name", "CAP_SYS_CHROOT");
    assert!(!rows.is_empty());
    rows.into_iter().for_each(assert_kernel_stack);
}

#[test]
fn the_kernel_has_no_capability_without_a_name() {
    let last = fs::read_to_string("/proc/sys/kernel/cap_last_cap").expect("a kernel with capabilities");
    assert_eq!(last.trim(), "40", "the list in names.rs ends with 40");
}

#[test]
fn more_frames_than_the_kernel_keeps_are_refused() {
    let output = Command::new(binary("capable")).args(["-K", "--perf-max-stack-depth", "1000000"]).output();
    let output = output.expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("the kernel keeps at most"), "{said}");
}

#[test]
#[ignore = "runs as a child of another test"]
fn helper_in_cgroup() {
    let Some(group) = env::var_os("CS_CGROUP") else { return };
    Cgroup::join(Path::new(&group));
    roots();
}

#[test]
#[ignore = "runs as a child of another test"]
fn helper_at_full_speed() {
    let Some(checks) = env::var("CS_CHECKS").ok().and_then(|checks| checks.parse::<usize>().ok()) else { return };
    let begin = Barrier::new(THREADS + 1);
    let end = Barrier::new(THREADS + 1);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                begin.wait();
                (0..checks).for_each(|_| assert_eq!(chroot(), 0));
                end.wait();
            });
        }
        // Until the tool is attached.
        let _ = std::io::stdin().read(&mut [0]);
        begin.wait();
        end.wait();
        // At once: any memory that is asked for takes a check as well.
        exit_process(0);
    });
}
