//! The command line: `main` for every tool, options that mean the same in all of them, manual pages.

pub mod exec;
pub mod manual;
pub mod options;
mod run;

pub use manual::Manual;
pub use options::Common;
pub use run::{Usage, main};
