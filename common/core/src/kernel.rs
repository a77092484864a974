//! What the running kernel offers, and why it may refuse: all probing is here. BTF is asked, never a version number,
//! for distributions backport.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use libbpf_rs::btf::types::Struct;
use libbpf_rs::btf::{Btf, BtfType};

/// Where a kernel built with `CONFIG_DEBUG_INFO_BTF` shows its types.
pub const BTF: &str = "/sys/kernel/btf/vmlinux";

const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// Checks that the kernel's types can be had, from `custom` or from the kernel itself.
///
/// # Errors
/// A sentence that says what is missing and what would help.
pub fn check_btf(custom: Option<&Path>) -> Result<()> {
    let Some(custom) = custom else {
        return check_magic(Path::new(BTF)).with_context(
            || "this kernel does not show its types (CONFIG_DEBUG_INFO_BTF); --btf FILE can name a file that has them",
        );
    };
    check_magic(custom).with_context(|| format!("--btf {}: no BTF file", custom.display()))?;
    // The kernel checks programs against its own types; with those of another kernel a tool would read wrong fields.
    if let (Ok(own), Ok(given)) = (fs::read(BTF), fs::read(custom)) {
        ensure!(own == given, "--btf {}: these are the types of another kernel than the running one", custom.display());
    }
    Ok(())
}

fn check_magic(path: &Path) -> Result<()> {
    let mut magic = [0; 2];
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    file.read_exact(&mut magic).with_context(|| format!("cannot read {}", path.display()))?;
    if u16::from_ne_bytes(magic) != 0xeb9f {
        bail!("{} holds something else than BTF", path.display());
    }
    Ok(())
}

/// The running kernel's types, to be asked before a program is loaded what its maps and programs may use.
#[derive(Debug)]
pub struct Types(Btf<'static>);

impl Types {
    /// Reads them, from `custom` (--btf) or from the kernel itself. It takes some milliseconds.
    ///
    /// # Errors
    /// There are none to read.
    pub fn read(custom: Option<&Path>) -> Result<Self> {
        // The kernel's own are mapped and not copied, where the kernel can do that (6.16).
        let types = custom.map_or_else(Btf::from_vmlinux, Btf::from_path);
        Ok(Self(types.context("cannot read the kernel's types")?))
    }

    /// Whether there is a type of this name, of whatever kind.
    #[must_use]
    pub fn has_type(&self, name: &str) -> bool {
        self.0.type_by_name::<BtfType<'_>>(name).is_some()
    }

    /// Whether there is a struct of this name with this field.
    #[must_use]
    pub fn has_field(&self, name: &str, field: &str) -> bool {
        let found = self.0.type_by_name::<Struct<'_>>(name);
        found.is_some_and(|found| found.iter().any(|member| member.name.is_some_and(|name| name == field)))
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

/// Whether the process may load tracing programs as far as its capabilities go (capabilities(7)).
#[must_use]
pub fn is_privileged() -> bool {
    let Ok(status) = fs::read_to_string("/proc/self/status") else {
        return true;
    };
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(u64::MAX);
    let has = |capability: u32| effective & (1 << capability) != 0;
    has(CAP_SYS_ADMIN) || (has(CAP_BPF) && has(CAP_PERFMON))
}

/// The sentence for libbpf's failure to load, from what it said on the way.
#[must_use]
pub fn explain(warnings: &[String]) -> Option<String> {
    warnings.iter().find_map(|warning| {
        let (_, rest) = warning.split_once("failed to find kernel BTF type ID of '")?;
        let (name, _) = rest.split_once('\'')?;
        Some(format!("this kernel has no {}", hook(warning, name)))
    })
}

fn hook(warning: &str, name: &str) -> String {
    // libbpf names the program, and its section says what kind of thing it is attached to.
    if warning.contains("bpf_iter") { format!("BPF iterator {name}") } else { format!("tracepoint or function {name}") }
}

#[cfg(test)]
mod tests {
    use super::{Types, check_btf, explain};

    #[test]
    fn a_missing_hook_is_named() {
        let warnings =
            ["prog 'runqlat_switch': failed to find kernel BTF type ID of 'sched_switch': -ESRCH".to_string()];
        assert_eq!(explain(&warnings).as_deref(), Some("this kernel has no tracepoint or function sched_switch"));
        assert_eq!(explain(&["something else".to_string()]), None);
    }

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
    }
}
