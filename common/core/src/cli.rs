//! The command line: `main` for every tool, options that mean the same in all of them, manual pages.

mod alias;
pub mod exec;
pub mod manual;
mod numbers;
pub mod options;
mod run;

pub use alias::Alias;
pub use manual::Manual;
pub use numbers::{count, id, whole};
pub use options::Common;
pub use run::{Usage, main, main_of};
