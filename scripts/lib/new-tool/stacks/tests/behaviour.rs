//! @NAME@ against processes that this one is known to create.

use corescope_testing::{Seen, Tool, workload};
use serde_json::Value;

/// A prime number, so that no product of something else hits it by chance.
const RUNS: usize = 37;

fn run(arguments: &[&str]) -> Seen {
    let tool = Tool::start("@NAME@", arguments);
    workload::run_tiny_program("cs-@NAME@", RUNS);
    tool.stop()
}

fn has(row: &Value, symbol: &str) -> bool {
    row["kernel_stack"].as_array().is_some_and(|frames| frames.iter().any(|frame| frame["symbol"] == symbol))
}

#[test]
fn every_new_process_counts_where_it_comes_from() {
    let seen = run(&[]);
    assert_eq!(seen.lost(), 0);
    let rows = seen.rows_with("pid", std::process::id());
    assert!(rows.iter().all(|row| has(row, "kernel_clone")), "{rows:?}");
    let counts = rows.iter().map(|row| row["count"].as_u64().expect("a number"));
    assert_eq!(counts.sum::<u64>(), RUNS as u64);
}

#[test]
fn other_processes_are_left_out() {
    assert_eq!(run(&["--pid", "1"]).rows_with("pid", std::process::id()).len(), 0);
}
