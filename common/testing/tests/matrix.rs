//! The table in docs/kernels.md against the kernel that runs: each tool works there, or refuses with the sentence that the
//! table has.

use std::env;
use std::process::Command;

use corescope_testing::Tool;
use corescope_testing::tool::{all, binary};

const TABLE: &str = include_str!("../../../docs/kernels.md");

/// The rows of the table whose head starts with `| Tool |`, cell by cell.
fn table() -> Vec<Vec<&'static str>> {
    let rows = TABLE.lines().skip_while(|line| !line.starts_with("| Tool |")).take_while(|line| line.starts_with('|'));
    rows.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// What the table says of a tool on a kernel series.
fn expected(tool: &str, series: &str) -> &'static str {
    let table = table();
    let column = table[0].iter().position(|head| *head == series);
    let column = column.unwrap_or_else(|| panic!("docs/kernels.md has no column {series}"));
    let row = table.iter().find(|row| row[0].trim_matches('`') == tool);
    row.unwrap_or_else(|| panic!("docs/kernels.md has no row {tool}"))[column]
}

#[test]
fn every_tool_is_in_the_table_and_nothing_else_is() {
    let rows: Vec<String> = table().iter().skip(2).map(|row| row[0].trim_matches('`').to_string()).collect();
    assert_eq!(rows, all());
    for cell in table().iter().skip(2).flat_map(|row| row[1..].to_vec()) {
        assert!(cell == "works" || cell.starts_with("refuses: "), "{cell}");
    }
}

/// `CORESCOPE_KERNEL` is the series that runs; scripts/test sets it.
#[test]
fn every_tool_does_what_the_table_says() {
    let Ok(series) = env::var("CORESCOPE_KERNEL") else { return };
    for name in all() {
        match expected(&name, &series).split_once("refuses: ") {
            None => drop(Tool::start(&name, &[]).stop()),
            Some((_, sentence)) => {
                let output = Command::new(binary(&name)).output().expect("the tool starts");
                let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
                assert_eq!(output.status.code(), Some(1), "{name}: {stderr}");
                assert!(stderr.contains(sentence), "{name}: {stderr}");
            }
        }
    }
}
