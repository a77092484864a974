//! What a tool costs: something done again and again while it looks on, and what the kernel counts of its programs. The
//! same for corescope's tools and for others, which are taken as they come.

mod meter;
mod programs;
mod watcher;
mod work;

pub use meter::{Meter, Reading};
pub use programs::{Counting, Program};
pub use watcher::Watcher;
pub use work::{MARK, Work};
