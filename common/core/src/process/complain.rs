//! What a tool says to the person who runs it: sentences on standard error.

use std::io::Write;
use std::path::Path;

/// Writes one sentence to standard error, led by the tool's name. That it cannot be written is not worth a word.
pub fn complain(sentence: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}: {sentence}", name());
}

/// The same of what has a count, such as `requests that are not shown: 7`; nothing where there are none.
pub fn complain_of(count: u64, what: &str) {
    if count > 0 {
        complain(&format!("{what}: {count}"));
    }
}

/// A count and its noun: `1 row`, `2 rows`.
#[must_use]
pub fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

fn name() -> String {
    let path = std::env::args_os().next().unwrap_or_default();
    Path::new(&path).file_name().map_or_else(|| "corescope".into(), |name| name.to_string_lossy().into_owned())
}
