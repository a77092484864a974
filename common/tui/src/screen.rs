//! A live screen: the loop that all of them share, the keys, the terminal.

pub(crate) mod keys;
pub(crate) mod load;
mod pace;
mod run;
pub(crate) mod terminal;

pub(crate) use pace::Next;
pub use pace::Pace;
pub(crate) use run::{Effect, Screen, Status, run};
pub use terminal::is_usable;
