//! Outputs that take nothing, and names that would do harm there.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use corescope_testing::actions::everything_in;
use corescope_testing::loaded::assert_nothing_left;
use corescope_testing::tool::{all, binary, turn};
use corescope_testing::workload::Cgroup;

use crate::{each_tool, tried};
use corescope_testing::run::Run;

fn full() -> File {
    File::options().write(true).open("/dev/full").expect("it")
}

#[test]
fn closed_pipe() {
    each_tool(|name| {
        let mut run = Run::start(name, |command| _ = command.stdout(Stdio::piped()));
        run.must_attach();
        drop(run.child.stdout.take());
        // Nothing else happens: it notices by itself that nobody reads.
        let ended = run.end();
        ended.well();
        assert!(ended.complaints().is_empty(), "{}", ended.stderr);
    });
}

#[test]
fn full_disk() {
    each_tool(|name| {
        let mut run = Run::start(name, |command| _ = command.stdout(full()));
        if run.attaches() {
            // Summaries are written at the end; what has ended by then is not there to be signalled.
            thread::sleep(Duration::from_millis(300));
            if run.child.try_wait().expect("a child").is_none() {
                run.signal(libc::SIGTERM);
            }
        }
        run.end().refused("cannot write to standard output");
    });
}

/// A name that clears the screen, turns the reading direction, forges a line and is no UTF-8.
const HOSTILE: &[u8] = b"\x1b[2J\n\xe2\x80\xae\xff\\x";

#[test]
fn hostile_names_and_arguments() {
    let _turn = turn();
    let group = Cgroup::new("cs-hostile");
    let mut runs: Vec<(Run, bool)> = Vec::new();
    for name in &tried() {
        runs.push((Run::start(name, |_| {}), false));
        runs.push((Run::start(name, |command| _ = command.arg("--json")), true));
    }
    for (run, _) in &mut runs {
        run.must_attach();
    }
    everything_in(group.path(), OsStr::from_bytes(HOSTILE), 28);
    for (run, _) in &runs {
        run.signal(libc::SIGTERM);
    }
    for (run, json) in runs {
        let ended = run.end();
        ended.well();
        let name = &ended.name;
        let text = str::from_utf8(&ended.stdout).unwrap_or_else(|_| panic!("{name} prints what is no UTF-8"));
        let harmless = |c: char| c == '\n' || (!c.is_control() && !('\u{200b}'..='\u{202e}').contains(&c));
        for line in text.lines() {
            assert!(line.chars().all(harmless), "{name}: {line:?}");
            assert!(!json || serde_json::from_str::<serde_json::Value>(line).is_ok(), "{name}: {line}");
        }
    }
    for name in &tried() {
        assert_nothing_left(name);
    }
}

#[test]
fn help_and_version_to_a_full_disk() {
    for name in all() {
        for option in ["--help", "-h", "--version"] {
            let output = Command::new(binary(&name)).arg(option).stdout(full()).output().expect("the tool starts");
            assert_eq!(output.status.code(), Some(1), "{name} {option}");
            let mode = fs::metadata(binary(&name)).expect("it ran").permissions().mode();
            assert_eq!(mode & 0o111, 0o111, "{name}");
        }
    }
}
