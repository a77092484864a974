//! A BPF object on its way into the kernel.

pub mod buffer;
pub(crate) mod cgroup;
pub mod filter;
pub mod hooks;
pub mod kill;
mod load;
mod missing;
mod requests;
mod settings;
mod setup;
mod starts;
mod syscalls;
mod targets;
mod uring;
mod variants;

pub use buffer::Buffer;
pub use filter::Filter;
pub use load::{attach, load};
#[doc(hidden)]
pub use missing::missing;
pub use settings::Setting;
pub use setup::Setup;
pub(crate) use setup::map_of;
pub use starts::Starts;
