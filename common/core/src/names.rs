//! Numbers of the kernel and their names.

pub mod address;
pub mod capability;
pub mod cgroup;
pub mod disk;
pub mod errno;
pub mod flags;
pub mod path;
mod signal;
pub mod syscalls;
pub mod users;

pub use signal::signal_name;
