//! Options of tools that print stacks, as BCC names them.

use std::fs;
use std::time::Duration;

use anyhow::Result;
use corescope::cli::{self, Usage};

use corescope::Setup;

/// The kernel's own limit, and its default.
const LIMIT: &str = "/proc/sys/kernel/perf_event_max_stack";
const DEPTH: u32 = 127;

/// How many stacks are kept, and how much of each.
#[derive(Debug, Clone, clap::Args)]
pub struct Storage {
    /// Number of different stacks that are kept
    #[arg(long, value_name = "COUNT", default_value = "16384", value_parser = stacks)]
    pub stack_storage_size: u32,

    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would take it for the help of the options")]
    pub frames: Frames,
}

/// How much of each stack is kept and shown.
#[derive(Debug, Clone, clap::Args)]
pub struct Frames {
    /// Number of frames of a stack that are kept, for kernel and user stacks each: at most what the sysctl
    /// `kernel.perf_event_max_stack` allows, by default 127
    #[arg(long, value_name = "COUNT", value_parser = cli::count::<u32>)]
    pub perf_max_stack_depth: Option<u32>,

    /// Show inlined functions and source lines where there is debug information; this may take much memory
    #[arg(long)]
    pub source_lines: bool,
}

fn stacks(text: &str) -> Result<u32, String> {
    const MOST: u32 = 1 << 20;
    let number = cli::count(text).ok().filter(|number| *number <= MOST);
    number.ok_or_else(|| format!("expected a whole number from 1 to {MOST}"))
}

impl Frames {
    /// The number of frames that are kept.
    ///
    /// # Errors
    /// The kernel does not keep that many.
    pub fn depth(&self) -> Result<u32> {
        let limit = fs::read_to_string(LIMIT).ok().and_then(|limit| limit.trim().parse().ok()).unwrap_or(DEPTH);
        let depth = self.perf_max_stack_depth.unwrap_or(DEPTH.min(limit));
        if depth > limit {
            let sysctl = "sysctl kernel.perf_event_max_stack";
            return Err(
                Usage(format!("--perf-max-stack-depth: the kernel keeps at most {limit} frames ({sysctl})")).into()
            );
        }
        Ok(depth)
    }

    /// Makes room for the stacks that are asked for behind events (bpf/include/event/event_stack.bpf.h).
    ///
    /// # Errors
    /// The kernel does not keep that many frames, or the object's events have no stacks.
    pub fn apply(&self, setup: &mut Setup<'_>, kernel: bool, user: bool) -> Result<()> {
        let bytes = self.depth()? * 8;
        let (kernel, user) = (bytes * u32::from(kernel), bytes * u32::from(user));
        setup.set("kernel_stack_bytes", kernel)?;
        setup.set("user_stack_bytes", user)?;
        setup.set_room(u64::from(kernel + user))
    }
}

impl Storage {
    /// Sizes the maps of bpf/include/event/stack.bpf.h.
    ///
    /// # Errors
    /// The kernel does not keep that many frames, or the object has no such maps.
    pub fn apply(&self, setup: &mut Setup<'_>) -> Result<()> {
        let depth = self.frames.depth()?;
        setup.size("stacks", self.stack_storage_size)?;
        for map in ["stacks", "stack_scratch"] {
            // The depth, and the addresses.
            setup.map_mut(map)?.set_value_size(8 + depth * 8)?;
        }
        setup.set("stack_depth", depth)
    }
}

/// Which stacks to take, of tools that take both.
#[derive(Debug, Clone, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "a flag is a bool")]
pub struct Sides {
    /// Show user stacks only
    #[arg(short = 'U', long)]
    pub user_stacks_only: bool,

    /// Show kernel stacks only
    #[arg(short = 'K', long, conflicts_with = "user_stacks_only")]
    pub kernel_stacks_only: bool,

    /// Put a delimiter between kernel and user stack
    #[arg(short, long)]
    pub delimited: bool,

    /// Print one line per stack, as flame graph tools read it
    #[arg(short, long, conflicts_with = "json")]
    pub folded: bool,
}

impl Sides {
    /// The line that BCC's tools begin with: `what` they do, with which stacks, and when they end.
    #[must_use]
    pub fn title(&self, what: &str, duration: Option<Duration>) -> String {
        let stacks = match (self.user_stacks_only, self.kernel_stacks_only) {
            (true, _) => "user",
            (_, true) => "kernel",
            _ => "user + kernel",
        };
        let end = duration.map_or_else(
            || "... Hit Ctrl-C to end.".into(),
            |duration| format!(" for {} secs.", duration.as_secs_f64()),
        );
        format!("{what} by {stacks} stack{end}\n")
    }
}
