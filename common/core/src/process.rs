//! This process: its signals, its memory, what it says to the person who runs it.

mod complain;
pub mod memory;
pub(crate) mod namespace;
pub(crate) mod pages;
pub mod signals;
pub(crate) mod subjects;

pub use complain::{complain, complain_of, counted};

/// The ids of all processes that /proc shows.
pub(crate) fn all() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}
