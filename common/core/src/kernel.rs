//! What the running kernel has: its types, its tracepoints, what it permits.

mod abilities;
pub(crate) mod btf;
pub mod log;
pub(crate) mod perf;
pub(crate) mod pseudo;
pub(crate) mod section;
pub mod tracefs;
mod types;

pub use abilities::{
    explain, has_kprobes, has_module, is_locked_down, lacking, page_size, permits_fentry, preempts_itself,
};
pub use types::{BTF, Types, check_btf};
