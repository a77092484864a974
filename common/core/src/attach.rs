//! Places that a program is attached to by its tool: functions of libraries, CPUs.

mod elf;
mod libraries;
mod samples;
mod uprobe;

pub use libraries::{Libraries, Library};
pub use samples::{Clock, Rate, Samples};
pub use uprobe::{At, uprobe};
