//! mdflush against arrays that are flushed so many times.

use std::fs;
use std::path::Path;
use std::process::{Command, id};
use std::thread;

use corescope_testing::tool::binary;
use corescope_testing::workload::{self, Array, Cgroup, LEVELS};
use corescope_testing::{Seen, Tool, kernels};
use serde_json::{Value, json};

/// A prime number, so that no product of something else hits it by chance.
const FLUSHES: usize = 37;
const TRACEFS: &str = "/sys/kernel/tracing";

/// Flushes from another thread of this process, which gives its id.
fn flush(array: &Array) -> i32 {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            array.flush(FLUSHES);
            workload::tid()
        });
        thread.join().expect("a thread that flushes")
    })
}

fn set(file: &str, value: &str) {
    fs::write(Path::new(TRACEFS).join(file), value).expect("a kernel with kprobes");
}

/// The kernel's own count of the calls of a function, by a probe of tracefs that has its name.
struct Calls(&'static str);

impl Calls {
    fn of(function: &'static str) -> Self {
        set("kprobe_events", &format!("p:cs/{function} {function}"));
        set(&format!("events/cs/{function}/enable"), "1");
        Self(function)
    }

    fn count(&self) -> usize {
        let text = fs::read_to_string(Path::new(TRACEFS).join("kprobe_profile")).expect("a list of probes");
        let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let fields = lines.find(|fields| fields[0] == self.0).expect("the probe");
        assert_eq!(fields[2], "0", "missed calls");
        fields[1].parse().expect("a number")
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        set(&format!("events/cs/{}/enable", self.0), "0");
        // What is opened to be written anew has no probes any more.
        set("kprobe_events", "");
    }
}

/// How many of these were made and may be missing where the kernel skips programs that it preempts.
fn assert_flushes(rows: &[&Value], made: usize, seen: &Seen) {
    let skipped = usize::try_from(seen.skipped()).expect("a small number");
    assert!(rows.len() <= made && rows.len() + skipped >= made, "{} of {made}: {}", rows.len(), seen.messages);
    assert_eq!(seen.lost(), 0);
}

#[test]
fn flushes_of_arrays_of_every_level() {
    // Arrays have names of three kinds.
    let names = ["md90", "md_d3", "md_cs-1", "md_cs-4", "md_cs-5", "md_cs-6", "md_cs-10"];
    // There are none outside of emulated machines, and the oldest level has left the newer kernels.
    let Some(first) = Array::new("md91", "raid0") else {
        assert!(kernels::series().is_none(), "an emulated machine has md");
        return;
    };
    drop(first);
    let (tool, calls) = (Tool::start("mdflush", &[]), Calls::of("md_flush_request"));
    let mut made = Vec::new();
    for (name, (level, _)) in names.into_iter().zip(LEVELS) {
        let Some(array) = Array::new(name, level) else {
            assert_eq!(level, "linear");
            continue;
        };
        let before = calls.count();
        let tid = flush(&array);
        assert_eq!(calls.count() - before, FLUSHES, "{level}");
        made.push((name, tid));
    }
    let seen = tool.stop();
    assert!(made.len() >= LEVELS.len() - 1);
    assert_flushes(&seen.rows().collect::<Vec<_>>(), calls.count(), &seen);
    for (name, tid) in made {
        let rows = seen.rows_with("disk", name);
        assert_flushes(&rows, FLUSHES, &seen);
        for row in rows {
            assert_eq!((&row["pid"], &row["tid"], &row["bytes"]), (&json!(id()), &json!(tid), &json!(0)), "{row}");
        }
    }
}

#[test]
fn other_processes_cgroups_and_arrays_are_left_out() {
    let Some(array) = Array::new("md92", "raid1") else { return };
    let (own, other) = (Cgroup::of_this_process(), Cgroup::new("cs-mdflush"));
    let me = id().to_string();
    let path = array.path();
    let filters = [
        (["-p", &me], FLUSHES),
        (["-p", "1"], 0),
        (["-d", array.name()], FLUSHES),
        (["-d", path.to_str().expect("ASCII")], FLUSHES),
        (["--cgroup", own.to_str().expect("ASCII")], FLUSHES),
        (["--cgroup", other.path_str()], 0),
    ];
    for (arguments, expected) in filters {
        let tool = Tool::start("mdflush", &arguments);
        flush(&array);
        let seen = tool.stop();
        assert_flushes(&seen.rows().collect::<Vec<_>>(), expected, &seen);
    }
    // Another one below the same name, of another number.
    let number = fs::read_to_string("/sys/block/md92/dev").expect("its number");
    drop(array);
    let Some(array) = Array::new("md93", "raid1") else { return };
    let tool = Tool::start("mdflush", &["-d", "md93"]);
    flush(&array);
    let seen = tool.stop();
    assert_ne!(fs::read_to_string("/sys/block/md93/dev").expect("its number"), number);
    assert_flushes(&seen.rows_with("disk", "md93"), FLUSHES, &seen);
}

#[test]
fn what_is_no_array_is_refused() {
    let output = Command::new(binary("mdflush")).args(["-d", "no-such-array"]).output().expect("the tool starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && stderr.contains("no such disk"), "{stderr}");
    if Array::new("md94", "raid0").is_none() {
        let output = Command::new(binary("mdflush")).output().expect("the tool starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && stderr.contains("this kernel has no md"), "{stderr}");
        return;
    }
    let output = Command::new(binary("mdflush")).args(["-d", "ram0"]).output().expect("the tool starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && stderr.contains("this is no md array"), "{stderr}");
}
