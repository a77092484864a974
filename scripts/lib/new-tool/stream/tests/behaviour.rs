//! @NAME@ against processes that are known to end.

use std::process::Command;

use corescope_testing::{Scratch, Tool, workload};

/// A prime number, so that no product of something else hits it by chance.
const RUNS: usize = 37;

fn run(arguments: &[&str]) -> usize {
    let scratch = Scratch::new("@NAME@");
    let path = scratch.join("cs-@NAME@");
    workload::tiny_program(&path);
    let tool = Tool::start("@NAME@", arguments);
    for _ in 0..RUNS {
        assert!(Command::new(&path).status().expect("a program").success());
    }
    let seen = tool.stop();
    assert_eq!(seen.lost(), 0);
    seen.rows().filter(|row| row["comm"].as_str().is_some_and(|comm| comm.starts_with("cs-"))).count()
}

#[test]
fn every_end_is_a_row() {
    assert_eq!(run(&[]), RUNS);
}

#[test]
fn other_processes_are_left_out() {
    assert_eq!(run(&["--pid", "1"]), 0);
}
