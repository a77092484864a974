//! The faults that every tool meets. No tool has code for these tests, and they name no tool.

mod arguments;
mod ids;
mod kernel;
mod losses;
mod namespaces;
mod options;
mod output;
mod signals;

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;

use corescope_testing::kernels::working;
use corescope_testing::loaded::assert_nothing_left;
use corescope_testing::tool::{binary, turn};
use corescope_testing::tools;

/// How many tools are tried at the same time: much of a test is waiting.
const SIDE_BY_SIDE: usize = 4;

/// The tools that are tried: those that work on this kernel, and of them those of CORESCOPE_FAULTS where that is set.
fn tried() -> Vec<String> {
    let chosen = env::var("CORESCOPE_FAULTS").unwrap_or_default();
    let chosen: Vec<&str> = chosen.split_whitespace().collect();
    working().iter().filter(|name| chosen.is_empty() || chosen.contains(&name.as_str())).cloned().collect()
}

/// Checks each tool that is tried, and that nothing of it stays loaded.
fn each_tool(check: impl Fn(&str) + Sync) {
    let _turn = turn();
    let tools = tried();
    let (left, failed) = (Mutex::new(tools.iter()), Mutex::new(Vec::new()));
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    let worker = || {
        while let Some(name) = next() {
            let checked = catch_unwind(AssertUnwindSafe(|| {
                check(name);
                assert_nothing_left(name);
            }));
            if checked.is_err() {
                failed.lock().unwrap_or_else(PoisonError::into_inner).push(name);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(worker);
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(failed.is_empty(), "it failed for {failed:?}");
}

/// Whether a tool prints a row per event. Rows of tools that print at intervals stand for many events: their own tests
/// know how many.
fn is_stream(name: &str) -> bool {
    tools::find(name).is_some_and(|tool| tool.kind == tools::Kind::Stream)
}

fn help(name: &str) -> String {
    let output = Command::new(binary(name)).arg("--help").output().expect("the tool starts");
    assert!(output.status.success(), "{name} --help");
    String::from_utf8(output.stdout).expect("UTF-8")
}
