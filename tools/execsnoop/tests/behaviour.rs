//! execsnoop against programs whose command lines are known.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::thread;

use corescope_testing::{Scratch, Seen, Tool, workload};
use serde_json::{Value, json};

/// A prime number, so that no product of something else hits it by chance.
const RUNS: usize = 37;

/// A copy of a program under a name that nothing else has.
fn program(scratch: &Scratch, name: &str) -> std::path::PathBuf {
    let path = scratch.join(name);
    workload::tiny_program(&path);
    path
}

fn run(path: &Path, arguments: &[&OsStr]) -> u32 {
    let mut child = Command::new(path).args(arguments).spawn().expect("an executable file");
    let pid = child.id();
    assert!(child.wait().expect("a child").success());
    pid
}

/// The one row of a program.
fn row<'a>(seen: &'a Seen, comm: &str) -> &'a Value {
    let rows = seen.rows_with("comm", comm);
    assert_eq!(rows.len(), 1, "{rows:?} {}", seen.messages);
    rows[0]
}

#[test]
fn every_exec_is_a_row_with_its_exact_arguments() {
    let scratch = Scratch::new("argv");
    let path = program(&scratch, "cs-argv");
    let arguments = ["a b", "", "line\nbreak", "\u{1b}[31m", "\"'\\", "é"].map(OsStr::new);
    let tool = Tool::start("execsnoop", &[]);
    let pids: Vec<u32> = (0..RUNS).map(|_| run(&path, &arguments)).collect();
    let seen = tool.stop();

    let rows = seen.rows_with("comm", "cs-argv");
    assert_eq!(rows.len(), RUNS, "{}", seen.messages);
    assert_eq!(seen.lost(), 0);
    for (row, pid) in rows.iter().zip(pids) {
        assert_eq!(row["pid"], pid);
        assert_eq!(row["ppid"], std::process::id());
        assert_eq!(row["uid"], 0);
        assert_eq!(row["ret"], 0);
        assert_eq!(row["path"], json!(path));
        assert_eq!(row["args"], json!([path, "a b", "", "line\nbreak", "\u{1b}[31m", "\"'\\", "é"]));
        assert_eq!(row["args_cut"], false);
    }
}

#[test]
fn bytes_that_are_no_text_are_kept() {
    let scratch = Scratch::new("bytes");
    let path = program(&scratch, "cs-bytes");
    let tool = Tool::start("execsnoop", &[]);
    run(&path, &[OsStr::from_bytes(b"\xff\xfe")]);
    assert_eq!(row(&tool.stop(), "cs-bytes")["args_bytes"][1], json!([255, 254]));
}

#[test]
fn other_users_other_parents_and_other_names_are_left_out() {
    let scratch = Scratch::new("filter");
    let path = program(&scratch, "cs-filtered-program");
    let me = std::process::id().to_string();
    let filters: &[(&[&str], usize)] = &[
        (&["-u", "65534"], 0),
        (&["-u", "root"], RUNS),
        (&["-P", "1"], 0),
        (&["-P", &me], RUNS),
        (&["-n", "^nothing$"], 0),
        (&["-n", "^cs-fi"], RUNS),
        (&["-n", "^cs-filtered-program$"], RUNS),
        (&["-l", "^/.*/cs-filtered-program -x 1$"], RUNS),
        (&["-l", "not said"], 0),
        (&["-l", "-x 1"], RUNS),
    ];
    for (arguments, expected) in filters {
        let tool = Tool::start("execsnoop", arguments);
        for _ in 0..RUNS {
            run(&path, &["-x", "1"].map(OsStr::new));
        }
        let seen = tool.stop();
        assert_eq!(seen.rows_with("comm", "cs-filtered-pro").len(), *expected, "{arguments:?}");
    }
}

#[test]
fn a_cgroup_and_what_is_below_it() {
    let scratch = Scratch::new("cgroup");
    let path = program(&scratch, "cs-cgroup");
    let group = workload::Cgroup::new("cs-execsnoop");
    let below = group.child("below");
    let tool = Tool::start("execsnoop", &["--cgroup", group.path_str()]);
    for _ in 0..RUNS {
        run(&path, &[]);
        let mut inside = Command::new("/proc/self/exe");
        inside.args(["--ignored", "--exact", "helper_exec_in_cgroup"]);
        inside.env("CS_CGROUP", below.path()).env("CS_PROGRAM", &path);
        assert!(inside.output().expect("this test again").status.success());
    }
    let seen = tool.stop();
    assert_eq!(seen.rows_with("comm", "cs-cgroup").len(), RUNS, "only those within: {}", seen.messages);
}

#[test]
fn maps_of_ids_that_the_user_pinned() {
    let scratch = Scratch::new("maps");
    let path = program(&scratch, "cs-maps");
    let namespace = fs::metadata("/proc/self/ns/mnt").expect("a namespace").ino();
    let cgroup = fs::metadata(workload::Cgroup::of_this_process()).expect("a cgroup").ino();
    for (option, own) in [("--mntnsmap", namespace), ("--cgroupmap", cgroup)] {
        for (ids, expected) in [([own, own + 1000], RUNS), ([own + 1000, own + 1001], 0)] {
            let ids = workload::PinnedIds::new(&ids);
            let tool = Tool::start("execsnoop", &[option, ids.path().to_str().expect("an ASCII path")]);
            for _ in 0..RUNS {
                run(&path, &[]);
            }
            assert_eq!(tool.stop().rows_with("comm", "cs-maps").len(), expected, "{option}");
        }
    }
}

#[test]
fn failed_execs_are_seen_when_asked_for() {
    let tool = Tool::start("execsnoop", &["-x"]);
    for _ in 0..RUNS {
        let error = workload::execve("/corescope/missing".as_ref(), &["zero", "", "a b"].map(OsStr::new));
        assert_eq!(error.raw_os_error(), Some(2));
    }
    let present = env::current_exe().expect("this test");
    assert_eq!(workload::execve_unreadable(present.as_os_str()).raw_os_error(), Some(14));
    let seen = tool.stop();
    let rows = seen.rows_with("path", "/corescope/missing");
    assert_eq!(rows.len(), RUNS, "{}", seen.messages);
    for row in rows {
        assert_eq!(row["ret"], -2);
        assert_eq!(row["pid"], std::process::id());
        assert_eq!(row["args"], json!(["zero", "", "a b"]));
        assert_eq!(row["args_cut"], false);
    }
    let unreadable = seen.rows_with("path", json!(present));
    assert_eq!(unreadable.len(), 1, "{}", seen.messages);
    assert_eq!(unreadable[0]["ret"], -14);
    assert_eq!(unreadable[0]["args_cut"], true);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn failed_execs_of_32_bit_callers_are_seen() {
    use corescope_testing::workload::{LowMemory, compat};
    let mut memory = LowMemory::new();
    let path = memory.put_string(c"/corescope/missing-32");
    let words = [c"zero", c"", c"a b"].map(|word| memory.put_string(word).to_le_bytes());
    let argv = memory.put(&[words[0], words[1], words[2], [0; 4]].concat());
    let tool = Tool::start("execsnoop", &["-x"]);
    for _ in 0..RUNS {
        // execve and execveat (of AT_FDCWD) of i386.
        // SAFETY: the strings end in NUL, and the list in a null pointer.
        let results = unsafe {
            [compat(11, [path, argv, 0, 0, 0]), compat(358, [libc::AT_FDCWD.cast_unsigned(), path, argv, 0, 0])]
        };
        assert_eq!(results, [-libc::ENOENT; 2]);
    }
    let seen = tool.stop();
    let rows = seen.rows_with("path", "/corescope/missing-32");
    assert_eq!(rows.len(), 2 * RUNS, "{}", seen.messages);
    assert!(rows.iter().all(|row| row["ret"] == -2 && row["args"] == json!(["zero", "", "a b"])), "{rows:?}");
}

#[test]
fn failed_execs_are_not_seen_otherwise() {
    let tool = Tool::start("execsnoop", &[]);
    workload::execve("/corescope/missing".as_ref(), &[OsStr::new("zero")]);
    assert!(tool.stop().rows_with("path", "/corescope/missing").is_empty());
}

#[test]
fn execveat_and_threads_that_do_not_lead() {
    let scratch = Scratch::new("kinds");
    let tool = Tool::start("execsnoop", &[]);
    for helper in ["helper_execveat", "helper_exec_in_thread"] {
        let path = program(&scratch, helper.split_at(7).1);
        let mut child = Command::new("/proc/self/exe");
        child.args(["--ignored", "--exact", helper]).env("CS_PROGRAM", &path);
        let output = child.output().expect("this test again");
        assert!(output.status.success(), "{output:?}");
    }
    let seen = tool.stop();
    let thread = row(&seen, "exec_in_thread");
    assert_eq!(thread["args"], json!([scratch.join("exec_in_thread"), "from a thread"]));
    // The new program has the process id of the old one, whichever thread called.
    assert_eq!(thread["ppid"], std::process::id());
    let at: Vec<&Value> = seen.rows().filter(|row| row["args"] == json!(["by descriptor"])).collect();
    assert_eq!(at.len(), 1, "{}", seen.messages);
    assert!(at[0]["path"].as_str().expect("text").starts_with("/dev/fd/"));
    let file = json!(scratch.join("execveat"));
    assert_eq!((&at[0]["file"], &at[0]["exe"], &at[0]["exe_deleted"]), (&file, &file, &json!(false)));
}

#[test]
fn what_is_executed_has_its_file_and_folder() {
    let scratch = Scratch::new("files");
    let interpreter = program(&scratch, "cs-files");
    let script = scratch.join("a script");
    fs::write(&script, format!("#!{}\n", interpreter.display())).expect("a writable folder");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("a file of one's own");
    let deleted = program(&scratch, "deleted");
    let tool = Tool::start("execsnoop", &[]);
    for (how, path) in [("memory", &interpreter), ("deleted", &deleted), ("open", &script), ("folder", &script)] {
        let mut child = Command::new("/proc/self/exe");
        child.args(["--ignored", "--exact", "helper_by_descriptor"]).current_dir(scratch.path());
        let output = child.env("CS_PROGRAM", path).env("CS_HOW", how).output().expect("this test again");
        assert!(output.status.success(), "{output:?}");
    }
    let seen = tool.stop();
    let rows = |how: &str| -> Vec<&Value> {
        seen.rows().filter(|row| row["args"].as_array().is_some_and(|args| args.last() == Some(&json!(how)))).collect()
    };
    for (how, file, exe, is_deleted) in [
        ("memory", json!("tmpfs:memfd:cs-memfd"), json!("tmpfs:memfd:cs-memfd"), true),
        ("deleted", json!(deleted), json!(deleted), true),
        ("open", json!(script), json!(interpreter), false),
        ("folder", json!(script), json!(interpreter), false),
    ] {
        let [row] = rows(how)[..] else { panic!("{how}: {:?} {}", rows(how), seen.messages) };
        assert_eq!((&row["file"], &row["exe"], &row["exe_deleted"]), (&file, &exe, &json!(is_deleted)), "{row}");
        assert_eq!(row["cwd"], json!(scratch.path()), "{row}");
    }
}

#[test]
fn scripts_show_what_was_called() {
    let scratch = Scratch::new("script");
    let interpreter = program(&scratch, "cs-interp");
    let script = scratch.join("cs-script");
    fs::write(&script, format!("#!{} -option\n", interpreter.display())).expect("a writable folder");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("a file of one's own");
    let tool = Tool::start("execsnoop", &[]);
    run(&script, &[OsStr::new("argument")]);
    let seen = tool.stop();
    let row = row(&seen, "cs-script");
    assert_eq!(row["path"], json!(script));
    assert_eq!(row["args"], json!([interpreter, "-option", script, "argument"]));
}

#[test]
fn long_command_lines_are_whole_or_marked() {
    let scratch = Scratch::new("long");
    let path = program(&scratch, "cs-long");
    let long = "x".repeat(100_000);
    let many: Vec<String> = (0..5000).map(|number| format!("argument {number}")).collect();
    let many: Vec<&OsStr> = many.iter().map(OsStr::new).collect();

    let tool = Tool::start("execsnoop", &["--max-bytes", "2M", "--max-args", "100000"]);
    run(&path, &[OsStr::new(&long)]);
    run(&path, &many);
    let seen = tool.stop();
    let rows = seen.rows_with("comm", "cs-long");
    assert_eq!(rows.len(), 2, "{}", seen.messages);
    assert_eq!(rows[0]["args"][1], json!(long));
    assert_eq!(rows[1]["args"].as_array().map(Vec::len), Some(5001));
    assert_eq!(rows[1]["args"][5000], "argument 4999");
    assert!(rows.iter().all(|row| row["args_cut"] == false));

    let tool = Tool::start("execsnoop", &[]);
    run(&path, &[OsStr::new(&long)]);
    run(&path, &many);
    run(&path, &many[..19]);
    run(&path, &many[..20]);
    let seen = tool.stop();
    let rows = seen.rows_with("comm", "cs-long");
    let cut: Vec<bool> = rows.iter().map(|row| row["args_cut"] == true).collect();
    // 20 arguments, the first one included, are the default.
    assert_eq!(cut, [true, true, false, true]);
    assert_eq!(rows[1]["args"].as_array().map(Vec::len), Some(20));
}

#[test]
fn at_full_speed_rows_and_losses_are_what_was_made() {
    const EXECS: usize = 701;
    const FAILED: usize = 1009;
    let scratch = Scratch::new("speed");
    let path = program(&scratch, "cs-speed");
    let tool = Tool::start("execsnoop", &["-x"]);
    let failing = thread::spawn(|| {
        for _ in 0..FAILED {
            workload::execve("/corescope/speed".as_ref(), &[OsStr::new("zero")]);
        }
    });
    for _ in 0..EXECS {
        run(&path, &[]);
    }
    failing.join().expect("failing is what it does");
    let seen = tool.stop();
    let rows = seen.rows_with("comm", "cs-speed").len() + seen.rows_with("path", "/corescope/speed").len();
    seen.assert_all(rows, EXECS + FAILED);
    assert!(rows > 500, "{rows} rows");
}

#[test]
#[ignore = "runs as a child of another test"]
fn helper_exec_in_thread() {
    let Some(path) = env::var_os("CS_PROGRAM") else { return };
    let thread = thread::spawn(move || Command::new(path).arg("from a thread").exec());
    panic!("{:?}", thread.join());
}

#[test]
#[ignore = "runs as a child of another test"]
fn helper_execveat() {
    let Some(path) = env::var_os("CS_PROGRAM") else { return };
    panic!("{}", workload::execveat(Path::new(&path), &[OsStr::new("by descriptor")]));
}

#[test]
#[ignore = "runs as a child of another test"]
fn helper_by_descriptor() {
    let (Some(path), Ok(how)) = (env::var_os("CS_PROGRAM"), env::var("CS_HOW")) else { return };
    let path = Path::new(&path);
    let (name, opened) = if how == "folder" { ("a script", path.parent().expect("a folder")) } else { ("", path) };
    let file = if how == "memory" { workload::in_memory(path) } else { fs::File::open(opened).expect("a program") };
    if how == "deleted" {
        fs::remove_file(path).expect("a file of one's own");
    }
    workload::keep_open(&file);
    panic!("{}", workload::execveat_open(&file, name, &[OsStr::new("name"), OsStr::new(&how)]));
}

#[test]
#[ignore = "runs as a child of another test"]
fn helper_exec_in_cgroup() {
    let (Some(group), Some(path)) = (env::var_os("CS_CGROUP"), env::var_os("CS_PROGRAM")) else { return };
    workload::Cgroup::join(Path::new(&group));
    panic!("{}", Command::new(path).exec());
}
