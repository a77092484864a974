//! What every corescope tool links.
//!
//! A tool is plain functions over this library, read from top to bottom: [`cli::main`] parses the arguments and calls
//! the tool's `run`; that opens, configures and loads the BPF object ([`load`]), attaches it ([`attach`]) and hands it to
//! a verb: [`stream()`] for events, [`every()`] for summaries. [`Table`] and [`Histogram`] turn what comes out into
//! text or JSON from one description.

pub mod address;
mod btf;
pub mod cli;
pub mod clock;
pub mod column;
pub mod command;
pub mod complain;
pub mod errno;
pub mod escape;
pub mod filter;
pub mod flags;
pub mod histogram;
pub mod interval;
pub mod iterate;
pub mod json;
pub mod kernel;
pub mod kill;
pub mod libbpf_log;
pub mod loader;
pub mod lost;
pub mod manual;
pub mod memory;
pub mod netns;
pub mod object;
pub mod options;
pub mod output;
mod pages;
pub mod path;
pub mod queue;
pub mod ring;
pub mod setup;
pub mod signal_name;
pub mod signals;
pub mod stream;
pub mod syscalls;
pub mod table;
mod targets;
pub mod tracefs;
mod twins;
pub mod users;

pub use anyhow::{Context, Error, Result, bail};
pub use column::{Column, Value};
pub use complain::complain;
pub use filter::Filter;
pub use histogram::Histogram;
pub use interval::every;
pub use libbpf_rs;
pub use loader::{attach, load};
pub use options::{Buffer, Common};
pub use output::Output;
pub use plain;
pub use queue::Queue;
pub use setup::Setup;
pub use signal_name::signal_name;
pub use stream::stream;
pub use table::Table;

/// Declares `mod bpf`, the skeleton that the build script made of the tool's BPF program.
#[macro_export]
macro_rules! skeleton {
    () => {
        #[allow(clippy::all, clippy::pedantic, clippy::undocumented_unsafe_blocks, clippy::unwrap_used)]
        #[allow(dead_code, missing_docs, unreachable_pub, unused_qualifications, non_camel_case_types)]
        mod bpf {
            use $crate::libbpf_rs;
            include!(concat!(env!("OUT_DIR"), "/bpf.rs"));
        }
    };
}
