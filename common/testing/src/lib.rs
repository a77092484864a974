//! Tests of what tools print: start one, wait until it is attached, make a workload with a known answer, compare.
//!
//! ```no_run
//! use corescope_testing::Tool;
//!
//! let tool = Tool::start("execsnoop", &["-x"]);
//! // ... the workload ...
//! let seen = tool.stop();
//! assert_eq!(seen.rows_with("comm", "mytest").len() as u64 + seen.lost(), 17);
//! ```
//!
//! The same test binary runs on the machine that built it and in emulated ones (`scripts/vm`): `CORESCOPE_BIN_DIR` names
//! the folder of the tools where they are not beside the test.
//!
//! A failed expectation panics, as in any test.

#![allow(clippy::missing_panics_doc, clippy::must_use_candidate, reason = "as in any test")]

pub mod actions;
pub mod cost;
pub mod headers;
pub mod json;
pub mod kernels;
pub mod loaded;
pub mod process;
pub mod run;
pub mod scratch;
pub mod tool;
pub mod tools;
pub mod workload;

pub use scratch::Scratch;
pub use tool::{Seen, Tool, number};
