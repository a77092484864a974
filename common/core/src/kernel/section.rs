//! The sections of BPF programs: `tp_btf/sched_switch` names a kind of hook and what is hooked. The one place that takes
//! such a name apart.

/// The type that the kernel has for each tracepoint.
pub(crate) fn tracepoint_type(tracepoint: &str) -> String {
    format!("btf_trace_{tracepoint}")
}

/// What a program is attached to, by the name of its section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section<'a> {
    /// `tp_btf/NAME`: a tracepoint, by its type.
    TypedTracepoint(&'a str),
    /// `fentry/NAME` or `fexit/NAME`: a function, by its type.
    TypedFunction(&'a str),
    /// `iter/NAME`: a BPF iterator, by the type of a function that does nothing.
    Iterator(&'a str),
    /// `tracepoint/GROUP/NAME`, through tracefs.
    Tracepoint(&'a str, &'a str),
    /// `kprobe/NAME` or `kretprobe/NAME`.
    Kprobe(&'a str),
    /// What its user attaches: to a file, a process, a CPU, or once per run.
    ByHand,
    /// Another hook, which libbpf attaches by itself.
    Other,
}

impl<'a> Section<'a> {
    pub(crate) fn of(section: &'a str) -> Self {
        match section.split('/').collect::<Vec<_>>()[..] {
            ["tp_btf", name] => Self::TypedTracepoint(name),
            ["fentry" | "fexit", name] => Self::TypedFunction(name),
            ["iter" | "iter.s", name] => Self::Iterator(name),
            ["tracepoint" | "tp", group, name] => Self::Tracepoint(group, name),
            ["kprobe" | "kretprobe", name] => Self::Kprobe(name),
            ["perf_event" | "uprobe" | "uretprobe" | "usdt" | "syscall", ..] => Self::ByHand,
            _ => Self::Other,
        }
    }

    /// What the hook is called, and the hooked thing's name.
    pub(crate) fn words(self) -> Option<(&'static str, &'a str)> {
        match self {
            Self::TypedTracepoint(name) | Self::Tracepoint(_, name) => Some(("tracepoint", name)),
            Self::TypedFunction(name) | Self::Kprobe(name) => Some(("function", name)),
            Self::Iterator(name) => Some(("iterator", name)),
            Self::ByHand | Self::Other => None,
        }
    }

    /// The kernel's type by which a program of this section is attached, if it is attached by one.
    pub(crate) fn type_name(self) -> Option<String> {
        match self {
            Self::TypedTracepoint(name) => Some(tracepoint_type(name)),
            Self::TypedFunction(name) => Some(name.into()),
            Self::Iterator(name) => Some(format!("bpf_iter_{name}")),
            _ => None,
        }
    }

    /// The kernel's type that tells whether there is such a hook.
    pub(crate) fn telling_type(self) -> Option<String> {
        match self {
            Self::Kprobe(name) => Some(name.into()),
            other => other.type_name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Section;

    #[test]
    fn sections_are_taken_apart() {
        assert_eq!(Section::of("tp_btf/sched_switch"), Section::TypedTracepoint("sched_switch"));
        assert_eq!(Section::of("fexit/vfs_read"), Section::TypedFunction("vfs_read"));
        assert_eq!(Section::of("tracepoint/sched/sched_switch"), Section::Tracepoint("sched", "sched_switch"));
        assert_eq!(Section::of("kretprobe/vfs_read"), Section::Kprobe("vfs_read"));
        assert_eq!(Section::of("uprobe"), Section::ByHand);
        assert_eq!(Section::of("raw_tp/sys_exit"), Section::Other);
    }

    #[test]
    fn typed_sections_name_a_type() {
        assert_eq!(Section::of("tp_btf/x").type_name().as_deref(), Some("btf_trace_x"));
        assert_eq!(Section::of("iter/tcp").type_name().as_deref(), Some("bpf_iter_tcp"));
        assert_eq!(Section::of("kprobe/x").type_name(), None);
    }
}
