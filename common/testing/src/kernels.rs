//! The table in docs/kernels.md: which tool works on which kernel.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::tool::{all, binary, send, wait};

const TABLE: &str = include_str!("../../../docs/kernels.md");

/// The rows of the table whose head starts with `| Tool |`, cell by cell.
#[must_use]
pub fn table() -> Vec<Vec<&'static str>> {
    let rows = TABLE.lines().skip_while(|line| !line.starts_with("| Tool |")).take_while(|line| line.starts_with('|'));
    rows.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// The series that runs, where somebody who knows has said it: scripts/test does in emulated machines.
#[must_use]
pub fn series() -> Option<String> {
    env::var("CORESCOPE_KERNEL").ok()
}

/// What the table says of a tool on a kernel series.
///
/// # Panics
/// The table has no such row or column.
#[must_use]
pub fn expected(tool: &str, series: &str) -> &'static str {
    let table = table();
    let column = table[0].iter().position(|head| *head == series);
    let column = column.unwrap_or_else(|| panic!("docs/kernels.md has no column {series}"));
    let row = table.iter().find(|row| row[0].trim_matches('`') == tool);
    row.unwrap_or_else(|| panic!("docs/kernels.md has no row {tool}"))[column]
}

/// The tools that work on the kernel that runs: by the table, or where the kernel is none of the table's, by trying.
pub fn working() -> &'static [String] {
    static WORKING: OnceLock<Vec<String>> = OnceLock::new();
    WORKING.get_or_init(|| {
        let works = |tool: &String| match series() {
            Some(series) => expected(tool, &series) == "works",
            None => starts(tool),
        };
        all().into_iter().filter(works).collect()
    })
}

/// Whether a tool comes up here.
fn starts(tool: &str) -> bool {
    let mut command = Command::new(binary(tool));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).arg("--verbose");
    let mut child = command.spawn().expect("the tool starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let attached = lines.any(|line| line.is_ok_and(|line| line.contains(": attached ")));
    if attached {
        send(child.id(), libc::SIGTERM);
    }
    wait(&mut child).is_some() && attached
}
