//! The running kernel's types (BTF), asked before a program is loaded: never a version number, because distributions
//! backport.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use super::btf::{self, Btf, Names, Type, kind};
use super::section::tracepoint_type;
use anyhow::{Context, Result, bail, ensure};

/// Where a kernel built with `CONFIG_DEBUG_INFO_BTF` shows its types.
pub const BTF: &str = "/sys/kernel/btf/vmlinux";

/// Checks that the kernel's types can be had, from `custom` or from the kernel itself.
///
/// # Errors
/// A sentence that says what is missing and what would help.
pub fn check_btf(custom: Option<&Path>) -> Result<()> {
    let Some(custom) = custom else {
        return check_magic(Path::new(BTF)).with_context(
            || "this kernel does not expose BTF (CONFIG_DEBUG_INFO_BTF); --btf FILE can name a file that has its types",
        );
    };
    check_magic(custom).with_context(|| format!("--btf {}: no BTF file", custom.display()))?;
    // The kernel checks programs against its own types; with those of another kernel a tool would read wrong fields.
    if let (Ok(own), Ok(given)) = (fs::read(BTF), fs::read(custom)) {
        ensure!(
            own == given,
            "--btf {}: this file describes a different kernel from the running one",
            custom.display()
        );
    }
    Ok(())
}

fn check_magic(path: &Path) -> Result<()> {
    let mut magic = [0; 2];
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    file.read_exact(&mut magic).with_context(|| format!("cannot read {}", path.display()))?;
    if u16::from_ne_bytes(magic) != btf::MAGIC {
        bail!("{} is not a BTF file", path.display());
    }
    Ok(())
}

/// Types that are asked for below.
const ASKED_FOR: [&str; 7] = [
    "__RQF_FLUSH_SEQ",
    "bpf_loop",
    "bpf_local_storage_map",
    "register_ftrace_direct",
    "rqspinlock_t",
    "tracepoint_ext",
    "tracepoint_srcu_srcu_data",
];

/// The running kernel's types, to be asked before a program is loaded what its maps and programs may use.
#[derive(Debug)]
pub struct Types(Btf<'static>);

impl Types {
    /// Reads them, from `custom` (--btf) or from the kernel itself, in a millisecond or two.
    ///
    /// # Errors
    /// There are none to read.
    pub fn read(custom: Option<&Path>) -> Result<Self> {
        Self::read_for(custom, &[], Names::default())
    }

    /// The same to ask for these names, and those that this file asks for: others take milliseconds each. With the types of
    /// modules behind them.
    pub(crate) fn read_for(custom: Option<&Path>, modules: &[String], mut names: Names) -> Result<Self> {
        for name in ASKED_FOR {
            names.add(name);
        }
        let path = custom.unwrap_or(Path::new(BTF));
        let types =
            if modules.is_empty() { Btf::read(path, names) } else { Btf::read_with_modules(path, modules, names) };
        types.map(Self).context("cannot read the kernel's types")
    }

    /// Those of these names, with all that belongs to them.
    pub(crate) fn subset(&self, names: &Names) -> Vec<u8> {
        self.0.subset(names)
    }

    /// Whether there is a type of this name, of whatever kind.
    #[must_use]
    pub fn has_type(&self, name: &str) -> bool {
        self.0.named(name).next().is_some()
    }

    /// Whether there is a struct of this name with this field.
    #[must_use]
    pub fn has_field(&self, name: &str, field: &str) -> bool {
        let mut found = self.0.named(name).filter(|found| found.kind == kind::STRUCT);
        found.any(|found| self.0.members(&found).any(|member| *member == *field.as_bytes()))
    }

    /// Whether the flags of block requests are numbered by an enum (since 6.12), and so begin with the first bit.
    #[must_use]
    pub fn numbers_request_flags(&self) -> bool {
        self.0.has_name("__RQF_FLUSH_SEQ")
    }

    /// Whether there is a tracepoint of this name, in the kernel itself or in a module that was asked for.
    #[must_use]
    pub fn has_tracepoint(&self, name: &str) -> bool {
        self.of_kind(&tracepoint_type(name), kind::TYPEDEF).is_some()
    }

    /// Whether there is a function of this name, in the kernel itself or in a module that was asked for.
    #[must_use]
    pub fn has_function(&self, name: &str) -> bool {
        self.of_kind(name, kind::FUNC).is_some()
    }

    /// The number by which a program is attached to a tracepoint of the kernel itself.
    pub(crate) fn tracepoint(&self, name: &str) -> Option<u32> {
        self.of_kind(&tracepoint_type(name), kind::TYPEDEF).filter(|found| self.0.is_own(found)).map(|found| found.id)
    }

    /// The number by which a program is attached to the entry or exit of a function of the kernel itself.
    pub(crate) fn function(&self, name: &str) -> Option<u32> {
        self.of_kind(name, kind::FUNC).filter(|found| self.0.is_own(found)).map(|found| found.id)
    }

    fn of_kind(&self, name: &str, kind: u8) -> Option<Type> {
        self.0.named(name).find(|found| found.kind == kind)
    }

    /// How many arguments a tracepoint has, where there is one of this name: kernels add to them.
    #[must_use]
    pub fn tracepoint_arguments(&self, name: &str) -> Option<usize> {
        // A pointer to a function, of which the first argument belongs to the tracepoint itself.
        let named = self.of_kind(&tracepoint_type(name), kind::TYPEDEF)?;
        let pointer = self.0.get(named.target).filter(|found| found.kind == kind::PTR)?;
        let function = self.0.get(pointer.target).filter(|found| found.kind == kind::FUNC_PROTO)?;
        function.count.checked_sub(1)
    }

    /// Whether a program at a tracepoint may be preempted: it is then skipped for all others that run on its CPU until it
    /// goes on. A program of type `tracepoint/...` never is.
    ///
    /// SRCU protects tracepoints instead of a section that is not preempted, not yet in 6.18 but in 7.2. Up to 6.12 it was
    /// there for the tracepoints of the idle loop only; the struct came with 6.13, when that was gone.
    #[must_use]
    pub fn preempts_tracepoints(&self) -> bool {
        self.has_type("tracepoint_srcu_srcu_data") && self.has_type("tracepoint_ext")
    }

    /// Whether a program that runs under a run queue's lock, as at `sched_switch`, may make storage for a task.
    ///
    /// Up to 6.3 that storage came from kmalloc, which may wake kswapd, and that needs the lock. Since 6.4 it comes from
    /// BPF's own allocator (08a7ce384e33); its field went away again with the resilient locks of 7.0.
    #[must_use]
    pub fn has_task_storage_for_scheduler(&self) -> bool {
        self.has_field("bpf_local_storage_map", "selem_ma") || self.has_type("rqspinlock_t")
    }
}

#[cfg(test)]
mod tests {
    use super::{Types, check_btf};

    #[test]
    fn a_file_that_is_no_btf_is_refused() {
        let error = format!("{:#}", check_btf(Some("/proc/self/status".as_ref())).expect_err("no BTF"));
        assert!(error.contains("no BTF file"), "{error}");
        let error = format!("{:#}", check_btf(Some("/nonexistent".as_ref())).expect_err("no file"));
        assert!(error.contains("cannot open"), "{error}");
    }

    #[test]
    fn the_kernel_tells_what_its_types_have() {
        let types = Types::read(None).expect("a kernel with BTF");
        assert!(types.has_type("task_struct") && types.has_type("pid_t"));
        assert!(types.has_field("task_struct", "pid"));
        assert!(!types.has_field("task_struct", "no_such_field"));
        assert!(!types.has_type("no_such_struct"));
        assert_eq!(types.tracepoint_arguments("sched_process_exec"), Some(3));
        assert_eq!(types.tracepoint_arguments("no_such_tracepoint"), None);
    }
}
