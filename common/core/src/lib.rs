//! What every corescope tool links.
//!
//! A tool is plain functions over this library, read from top to bottom: [`cli::main`] parses the arguments and calls
//! the tool's `run`; that opens, configures and loads the BPF object ([`load`]), attaches it ([`attach`]) and hands it to
//! a verb: [`stream()`] for events, [`summarize`] for summaries. [`Table`] and [`Histogram`] turn what comes out into
//! text or JSON from one description.

pub mod attach;
pub mod cli;
pub mod kernel;
pub mod names;
pub mod net;
pub mod object;
pub mod output;
pub mod process;
pub mod read;

pub use anyhow::{Context, Error, Result, bail};
pub use cli::{Common, Manual};
pub use libbpf_rs;
pub use names::{address, cgroup, disk, errno, flags, path, signal_name, syscalls, users};
pub use object::{Buffer, Filter, Setup, Starts, attach, filter, kill, load};
pub use output::column::{self, Column, Value};
pub use output::histogram::{self, Histogram};
pub use output::table::{self, Table};
pub use output::{Output, clock, escape, json};
pub use plain;
pub use process::{complain, complain_of, signals};
pub use read::histograms::{HistogramOptions, Histograms, Sizes, Values};
pub use read::interval;
pub use read::iterate;
pub use read::lost::{self, Lost};
pub use read::queue::Queue;
pub use read::stream::{self, stream};
pub use read::summary::summarize;
pub use read::tail::{Tail, event};

/// Declares `mod bpf`, the skeleton that the build script made of the tool's BPF program, and a test that the object has what
/// the sources set in it. `skeleton!(library)` leaves the test out, where the sources set up other objects.
#[macro_export]
macro_rules! skeleton {
    (library) => {
        #[allow(clippy::all, clippy::pedantic, clippy::undocumented_unsafe_blocks, clippy::unwrap_used)]
        #[allow(dead_code, missing_docs, unreachable_pub, unused_qualifications, non_camel_case_types)]
        mod bpf {
            use $crate::libbpf_rs;
            include!(concat!(env!("OUT_DIR"), "/bpf.rs"));
        }
    };
    () => {
        $crate::skeleton!(library);

        #[cfg(test)]
        mod settings {
            #[test]
            fn what_is_set_by_name_is_in_the_object() {
                let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
                let missing =
                    $crate::object::missing(sources.as_ref(), include_str!(concat!(env!("OUT_DIR"), "/bpf.rs")));
                assert!(missing.is_empty(), "{missing:?}");
            }
        }
    };
}
