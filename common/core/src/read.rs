//! What comes out of a BPF object that is attached.

pub mod interval;
pub mod iterate;
pub mod lost;
pub mod queue;
pub mod ring;
pub mod stream;

pub use interval::every;
pub use lost::Lost;
pub use queue::Queue;
pub use stream::stream;
