//! What comes out of a BPF object that is attached.

pub mod cpus;
pub mod histograms;
pub mod interval;
pub mod iterate;
pub mod log_linear;
pub mod lost;
pub mod queue;
pub mod ring;
pub mod stream;
pub mod summary;
pub mod sums;
pub mod tail;

pub use cpus::sum_of_cpus;
pub use histograms::{HistogramOptions, Histograms, Sizes, Times};
pub use lost::Lost;
pub use queue::Queue;
pub use stream::stream;
pub use summary::summarize;
pub use sums::{Counters, Sums};
pub use tail::{Tail, event};
