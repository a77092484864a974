//! Stacks with names.

use crate::frame::Frame;

/// Where an address lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// In the kernel.
    Kernel,
    /// In the process of this id.
    Process(u32),
}

/// A stack with names, the innermost function first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Where it is from.
    pub space: Space,
    /// Whether there was one that could not be stored; then it has no frames.
    pub lost: bool,
    /// Its functions.
    pub frames: Vec<Frame>,
    /// Why it has no more of them.
    pub end: End,
}

/// Why a stack ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum End {
    /// The kernel found no caller of its last function: the stack's own end, or code without frame pointers.
    #[default]
    Walked,
    /// It is as deep as stacks are kept.
    Depth,
    /// Its last frame lies in no code: what called the one before was built without frame pointers.
    NotCode,
}

impl End {
    /// As in JSON; nothing where there is nothing to be said.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Walked => None,
            Self::Depth => Some("depth"),
            Self::NotCode => Some("not_code"),
        }
    }
}

impl Named {
    /// Takes off what lies above the first function of this name: a stack that was taken at a tracepoint begins with the
    /// tracing itself, in functions that differ from kernel to kernel. At the exit of a function (fexit) the function
    /// itself may be missing: then what is left begins with its caller.
    pub fn begin_at(&mut self, function: &str) {
        const TRACING: usize = 10;
        let named = |frame: &Frame| frame.symbol.as_deref() == Some(function);
        // bpf_prog_..., bpf_trampoline_...; the kernel may hide these names.
        let tracing =
            |symbol: &String| ["bpf_", "__bpf_trace_", "__traceiter_"].iter().any(|name| symbol.starts_with(name));
        let other = |frame: &Frame| frame.symbol.as_ref().is_some_and(|symbol| !tracing(symbol));
        let top = &self.frames[..self.frames.len().min(TRACING)];
        let start = top.iter().position(named).or_else(|| top.iter().position(other));
        self.frames.drain(..start.unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::{End, Named, Space};
    use crate::frame::Frame;

    #[test]
    fn the_tracing_is_taken_off() {
        let frame = |symbol: &str| Frame { symbol: Some(symbol.into()), ..Frame::default() };
        let frames = ["bpf_prog_1", "bpf_trace_run4", "__schedule", "schedule"].map(frame).to_vec();
        let mut named = Named { space: Space::Kernel, lost: false, frames, end: End::Walked };
        named.begin_at("__schedule");
        assert_eq!(named.frames, ["__schedule", "schedule"].map(frame));
        named.begin_at("missing");
        assert_eq!(named.frames.len(), 2);
        let frames = vec![frame("bpf_prog_1_exit"), Frame::unknown(1), frame("bpf_trampoline_2"), frame("caller")];
        let mut named = Named { space: Space::Kernel, lost: false, frames, end: End::Walked };
        named.begin_at("function");
        assert_eq!(named.frames, ["caller"].map(frame));
        named.frames = ["bpf_prog_1", "__bpf_trace_event", "__traceiter_event", "caller"].map(frame).to_vec();
        named.begin_at("function");
        assert_eq!(named.frames, ["caller"].map(frame));
        named.frames = vec![Frame::unknown(1)];
        named.begin_at("function");
        assert_eq!(named.frames, [Frame::unknown(1)]);
    }
}
