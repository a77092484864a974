//! @NAME@ against processes that are known to end.

use corescope_testing::{Tool, workload};

/// A prime number, so that no product of something else hits it by chance.
const RUNS: usize = 37;

fn run(arguments: &[&str]) -> usize {
    let tool = Tool::start("@NAME@", arguments);
    workload::run_tiny_program("cs-@NAME@", RUNS);
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
