//! Network namespaces, and the processes that sockets belong to.

pub mod namespaces;
pub mod netns;
pub mod owner;
pub mod search;

pub use namespaces::Namespaces;
pub use owner::{Known, Owned, Owner};
pub use search::Search;
