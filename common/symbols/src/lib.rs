//! Kernel and user stacks by name, for tools that print stacks.
//!
//! The kernel side (bpf/include/event/stack.bpf.h) stores each stack once and counts by its id. A tool reads the stacks of its
//! rows from the map ([`StackMap`]), says which it is going to print, has all their addresses named at once
//! ([`Symbols`]), and prints ([`print`]):
//!
//! ```no_run
//! # fn rows() -> Vec<(u32, u64)> { Vec::new() }
//! # fn example(map: &dyn corescope::libbpf_rs::MapCore, out: &mut corescope::Output) -> anyhow::Result<()> {
//! use corescope_symbols::{Space, StackMap, Symbols, print};
//!
//! let stacks = StackMap::new(map);
//! let mut symbols = Symbols::new(false);
//! let rows: Vec<_> = rows().into_iter().map(|(pid, id)| (pid, stacks.read(id))).collect();
//! for (pid, stack) in &rows {
//!     symbols.want(Space::Process(*pid), stack);
//! }
//! symbols.resolve();
//! for (pid, stack) in &rows {
//!     print::text(out, &symbols.name(Space::Process(*pid), stack), print::Look::default());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Where each event of a stream brings its own stacks along (bpf/include/event/event_stack.bpf.h), a [`Batch`] has them named.
//!
//! # Limits
//!
//! * User stacks are found by frame pointers: where code was built without them, a stack is short or wrong.
//! * A process that has ended when its stacks are named has no names, unless [`Symbols::remember`] saw it alive.

corescope::skeleton!();

pub mod batch;
mod frame;
mod kallsyms;
mod kernel;
pub mod options;
pub mod print;
mod program;
mod stack;
mod symbols;

pub use batch::Batch;
pub use frame::Frame;
pub use options::{Frames, Sides, Storage};
pub use stack::{Stack, StackMap, event_stacks};
pub use symbols::{Named, Space, Symbols};
