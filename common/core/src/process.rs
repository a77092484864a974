//! This process: its signals, its memory, what it says to the person who runs it.

mod complain;
pub mod memory;
pub(crate) mod pages;
pub mod signals;

pub use complain::complain;
