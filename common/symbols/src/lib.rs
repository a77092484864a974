//! Kernel and user stacks by name, for tools that print stacks.
//!
//! The kernel side (bpf/include/event/stack.bpf.h) stores each stack once and counts by its id. A tool hands its rows with
//! their ids to a [`Summary`], which reads the stacks, has all their addresses named at once ([`Symbols`]) and prints.
//!
//! Where each event of a stream brings its own stacks along (bpf/include/event/event_stack.bpf.h), a [`Batch`] has them named.
//!
//! # Limits
//!
//! * User stacks are found by frame pointers: where code was built without them, a stack is short or wrong.
//! * A process that has ended when its stacks are named has no names, unless [`Symbols::remember`] saw it alive. It keeps the
//!   files that such a process executes open, 256 at most, until its stacks have names.

corescope::skeleton!(library);

pub mod amount;
pub mod batch;
mod code;
pub mod fields;
mod files;
mod frame;
mod kallsyms;
mod kernel;
mod named;
pub mod options;
pub mod print;
mod processes;
mod program;
mod stack;
pub mod summary;
mod symbols;

pub use amount::{Amount, Distribution};
pub use batch::Batch;
pub use frame::{Frame, Mark};
pub use named::{End, Named, Space};
pub use options::{Frames, Sides, Storage};
pub use stack::{Stack, StackMap, event_stacks};
pub use summary::{Entry, Format, Part, Side, Summary, Times};
pub use symbols::Symbols;
