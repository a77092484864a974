//! What docs/kernels.md says of tools on kernels: that a tool works is the rule, and what refuses is in a table there.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::tool::{all, binary, send, wait};

const TEXT: &str = include_str!("../../../docs/kernels.md");
const HEAD: &str = "| Tool | Kernels | Ends with |";

/// A line of the table: a tool, a kernel series, and the words that the tool ends with there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The tool.
    pub tool: String,
    /// The series, such as 5.10.
    pub series: String,
    /// What it says.
    pub words: String,
}

/// All refusals of the table.
#[must_use]
pub fn refusals() -> Vec<Refusal> {
    parse(TEXT)
}

fn parse(text: &str) -> Vec<Refusal> {
    let rows = text.lines().skip_while(|line| *line != HEAD).skip(2).take_while(|line| line.starts_with('|'));
    let cells = rows.map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    let refusals = |cells: Vec<&str>| {
        let [tool, series, words] = cells[..] else { panic!("not three cells: {cells:?}") };
        let refusal = |series: &str| Refusal {
            tool: tool.trim_matches('`').into(),
            series: series.trim().into(),
            words: words.into(),
        };
        series.split(',').map(refusal).collect::<Vec<_>>()
    };
    cells.flat_map(refusals).collect()
}

/// The series that runs, where somebody who knows has said it: scripts/test does in emulated machines.
#[must_use]
pub fn series() -> Option<String> {
    env::var("CORESCOPE_KERNEL").ok()
}

/// The words that a tool ends with on a kernel series; none if it works.
#[must_use]
pub fn refusal(tool: &str, series: &str) -> Option<String> {
    refusals().into_iter().find(|refusal| refusal.tool == tool && refusal.series == series).map(|refusal| refusal.words)
}

/// The tools that work on the kernel that runs: by the table, or where the kernel is none of the table's, by trying.
pub fn working() -> &'static [String] {
    static WORKING: OnceLock<Vec<String>> = OnceLock::new();
    WORKING.get_or_init(|| {
        let works = |tool: &String| match series() {
            Some(series) => refusal(tool, &series).is_none(),
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

#[cfg(test)]
mod tests {
    use super::{HEAD, parse, refusals};
    use crate::tool::all;

    #[test]
    fn refusals_are_read_by_tool_and_series() {
        let text = format!("{HEAD}\n|---|---|---|\n| `a` | 5.10, 6.1 | no such thing |\n\nMore.\n");
        let series: Vec<_> = parse(&text).into_iter().map(|refusal| (refusal.tool, refusal.series)).collect();
        assert_eq!(series, [("a".into(), "5.10".into()), ("a".into(), "6.1".to_string())]);
    }

    #[test]
    fn the_table_names_tools() {
        assert!(refusals().iter().all(|refusal| all().contains(&refusal.tool)));
    }
}
