//! Processes that are asked for by id: they are there at the start, and a tool ends with the last of them.

use std::process::{Child, Command};
use std::thread;

use corescope_testing::run::{Run, refuses};
use corescope_testing::workload::tid;

use crate::{each_tool, help};

/// More than the kernel ever gives.
const NOBODY: &str = "4194304";

/// A process that does nothing.
pub(crate) struct Idle(Child);

impl Idle {
    pub(crate) fn start() -> Self {
        Self(Command::new("sleep").arg("1000").spawn().expect("sleep"))
    }

    pub(crate) fn id(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn processes_by_id() {
    each_tool(|name| {
        if !help(name).contains("--pid <") {
            return;
        }
        refuses(name, &format!("there is no process {NOBODY}"), |command| _ = command.args(["--pid", NOBODY]));
        let thread = thread::spawn(tid_of_a_thread).join().expect("a thread");
        let (thread, done) = thread;
        refuses(name, "is a thread of process", |command| _ = command.args(["--pid", &thread]));
        drop(done);
        let (first, second) = (Idle::start(), Idle::start());
        // One that is gone already does not disturb the others.
        let ids = format!("{},{NOBODY}", first.id());
        let run = Run::attached(name, &["--pid", &ids, "--pid", &second.id()]);
        drop(first);
        drop(second);
        let ended = run.end();
        ended.well();
        assert!(ended.complaints().iter().any(|line| line.ends_with(" has ended")), "{name}: {}", ended.stderr);
    });
}

/// The id of a thread that lives as long as what comes with it.
fn tid_of_a_thread() -> (String, std::sync::mpsc::Sender<()>) {
    let (done, wait) = std::sync::mpsc::channel();
    let (tell, id) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let _ = tell.send(tid());
        let _: Result<(), _> = wait.recv();
    });
    (id.recv().expect("a thread").to_string(), done)
}

#[test]
fn a_second_value_is_no_silent_replacement() {
    each_tool(|name| {
        for twice in [["--cgroup", "/a", "--cgroup", "/b"], ["--btf", "/a", "--btf", "/b"]] {
            let ended = Run::start(name, |command| _ = command.args(twice)).end();
            assert_eq!(ended.status.code(), Some(2), "{name} {twice:?}: {}", ended.stderr);
        }
        // A flag that is given twice is the same flag.
        Run::attached(name, &["--json", "--json"]).stop().well();
    });
}
