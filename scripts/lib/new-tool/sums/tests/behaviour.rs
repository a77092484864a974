//! @NAME@ against processes that are known to end.

use corescope_testing::{Tool, workload};

/// A prime number, so that no product of something else hits it by chance.
const RUNS: usize = 37;

/// How many ends are counted of programs with a name of their own.
fn run(arguments: &[&str]) -> u64 {
    let tool = Tool::start("@NAME@", arguments);
    workload::run_tiny_program("cs-@NAME@", RUNS);
    let seen = tool.stop();
    assert_eq!(seen.lost(), 0);
    let rows = seen.rows().filter(|row| row["comm"].as_str().is_some_and(|comm| comm.starts_with("cs-")));
    rows.map(|row| row["count"].as_u64().expect("a number")).sum()
}

#[test]
fn every_end_counts() {
    assert_eq!(run(&[]), RUNS as u64);
}

#[test]
fn other_processes_are_left_out() {
    assert_eq!(run(&["--pid", "1"]), 0);
}
