//! Workloads in Rust: an emulated machine needs nothing else.

mod aligned;
mod bad_disk;
pub mod calls;
mod cgroup;
#[cfg(target_arch = "x86_64")]
mod compat;
mod disk;
mod exec;
mod exit;
mod folders;
mod interrupt;
mod md;
pub mod mounts;
mod netem;
mod netlink;
pub mod network;
mod null_block;
mod oom;
pub mod open;
mod pinned;
pub mod privileges;
pub mod signal;
pub mod stacks;
mod stat;
mod sync;
mod threads;
pub mod uring;
mod veth;
mod virtio;

pub use aligned::{Aligned, direct};
pub use bad_disk::BadDisk;
pub use cgroup::Cgroup;
#[cfg(target_arch = "x86_64")]
pub use compat::{LowMemory, compat};
pub use disk::{Disk, Stat};
pub use exec::{
    execve, execve_unreadable, execveat, execveat_open, in_memory, keep_open, run_tiny_program, tiny_program,
};
pub use exit::{Forked, exit_process, exit_thread, short_lives};
pub use folders::{bind_folder, own_folders};
pub use interrupt::interrupt;
pub use md::{Array, LEVELS};
pub use netem::Netem;
pub use null_block::NullBlock;
pub use oom::{Hunger, Hungry, Oom};
pub use pinned::PinnedIds;
pub use stat::*;
pub use sync::{Mapped, sync};
pub use threads::{cpu_time, pin, tid};
pub use veth::{Traffic, Veth};
pub use virtio::{Network, Virtio};
