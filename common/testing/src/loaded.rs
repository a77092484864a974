//! What BPF programs are loaded: a tool must leave none behind.

use std::thread;
use std::time::{Duration, Instant};

use libbpf_rs::query::ProgInfoIter;

/// Programs are freed a while after their last user has gone (RCU).
const PATIENCE: Duration = Duration::from_secs(20);

/// What the kernel keeps of a name.
const NAME: usize = 15;

/// The loaded programs of a tool: each one's name is that of its tool, `_` and more, or as much of it as the kernel keeps.
#[must_use]
pub fn programs(tool: &str) -> Vec<String> {
    let start: String = format!("{tool}_").chars().take(NAME).collect();
    ProgInfoIter::default()
        .map(|program| program.name.to_string_lossy().into_owned())
        .filter(|name| name.starts_with(&start))
        .collect()
}

/// Fails where a program of the tool stays loaded.
///
/// # Panics
/// A program stays loaded.
pub fn assert_nothing_left(tool: &str) {
    let start = Instant::now();
    loop {
        let left = programs(tool);
        if left.is_empty() {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{tool} left {left:?} loaded");
        thread::sleep(Duration::from_millis(20));
    }
}
