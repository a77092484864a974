//! Places that a program is attached to by its tool: functions of libraries, CPUs.

mod elf;
mod libraries;
mod maps;
mod samples;
mod uprobe;

pub use elf::Segments;
pub use libraries::{Libraries, Library};
pub use maps::Mapping;
pub use samples::{Clock, Rate, Samples};
pub use uprobe::{At, uprobe};
