//! The table in docs/kernels.md against the kernel that runs: each tool works there, or refuses with the sentence that the
//! table has.

use std::process::Command;

use corescope_testing::Tool;
use corescope_testing::kernels::{expected, series, table};
use corescope_testing::tool::{all, binary};

#[test]
fn every_tool_is_in_the_table_and_nothing_else_is() {
    let rows: Vec<String> = table().iter().skip(2).map(|row| row[0].trim_matches('`').to_string()).collect();
    assert_eq!(rows, all());
    for cell in table().iter().skip(2).flat_map(|row| row[1..].to_vec()) {
        assert!(cell == "works" || cell.starts_with("refuses: "), "{cell}");
    }
}

#[test]
fn every_tool_does_what_the_table_says() {
    let Some(series) = series() else { return };
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
