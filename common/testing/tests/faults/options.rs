//! Each option of each tool, set once, has the kernel take the programs: options are constants of the BPF object, and what they
//! remove was never verified. What they do is for the tools' own tests.

use std::process::Command;
use std::time::Duration;

use corescope_testing::run::Run;
use corescope_testing::tool::binary;
use corescope_testing::workload::{Array, Cgroup, Disk, PinnedIds};

use crate::each_tool;
use crate::ids::Idle;

/// What changes nothing in the programs, or has tests of its own with a terminal.
const NO_MATTER: [&str; 6] = ["--help", "--version", "--verbose", "--btf", "--json", "--tui"];

struct Choice {
    written: String,
    value: String,
    values: Vec<String>,
}

fn options(name: &str) -> Vec<Choice> {
    let output = Command::new(binary(name)).args(["--generate", "options"]).output().expect("the tool starts");
    assert!(output.status.success(), "{name} --generate options");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let option = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [written, _whose, value, values] = fields[..] else { panic!("{name}: {line}") };
        let values = values.split_whitespace().map(String::from).collect();
        Choice { written: written.into(), value: value.into(), values }
    };
    text.lines().map(option).collect()
}

/// A value by what the manual calls it.
fn example(option: &Choice, idle: &Idle, disk: Option<&Disk>, array: Option<&Array>) -> String {
    let id = idle.id();
    let value = match option.value.as_str() {
        "PID" | "TID" => &id,
        "USER" => "root",
        "SECONDS" | "INTERVAL" | "DURATION" => "1000",
        "PAGES" => "64",
        "SIZE" => "1M",
        "CMD" => "sleep 1000",
        "NAME" | "LINE" | "LABEL" | "COMM" => "read",
        "FLAG" => "O_CREAT",
        "SIGNALS" => "KILL",
        "ERRNO" => "ENOENT",
        "US" | "MS" | "MASK" => "1",
        "COUNT" | "N" => "8",
        "CAPABILITY" => "sys_admin",
        "PCTS" => "50,99.9",
        "PORT" => "80",
        "ADDRESS" => "127.0.0.1",
        "INODE" => "4026531840",
        "DEVICE" => "lo",
        "DISK" => disk.map_or("", Disk::name),
        "ARRAY" => array.map_or("", Array::name),
        other => panic!("{}: there is no example of {other}", option.written),
    };
    value.into()
}

#[test]
fn every_option_loads_and_attaches() {
    each_tool(|name| {
        let (idle, pinned, cgroup) = (Idle::start(), PinnedIds::new(&[1]), Cgroup::of_this_process());
        let options = options(name);
        let disk = options.iter().any(|option| option.value == "DISK").then(|| Disk::any(Duration::ZERO));
        let has_array = options.iter().any(|option| option.value == "ARRAY");
        let array = if has_array { Array::new("md78", "raid0") } else { None };
        for option in options {
            let written = &option.written;
            if NO_MATTER.contains(&written.as_str()) {
                continue;
            }
            // Of alternatives, such as the way to hook a function, a kernel may lack some.
            let works = match option.value.as_str() {
                "" => works(name, written),
                _ if !option.values.is_empty() => {
                    let each = option.values.iter().map(|value| works(name, &format!("{written}={value}")));
                    each.filter(|works| *works).count() > 0
                }
                "PATH" if written.ends_with("map") => works(name, &format!("{written}={}", pinned.path().display())),
                "PATH" => works(name, &format!("{written}={}", cgroup.display())),
                _ => works(name, &format!("{written}={}", example(&option, &idle, disk.as_ref(), array.as_ref()))),
            };
            assert!(works, "{name} does not work with {written}");
        }
    });
}

/// Whether it attaches with this argument, or does at once all that it asks for. If not, it says why.
fn works(name: &str, argument: &str) -> bool {
    let mut run = Run::start(name, |command| _ = command.arg(argument));
    let attached = run.attaches();
    let ended = if attached { run.stop() } else { run.end() };
    if ended.status.success() {
        return true;
    }
    eprintln!("{name} {argument}: {}", ended.stderr);
    ended.refused("");
    false
}
