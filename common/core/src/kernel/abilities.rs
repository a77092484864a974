//! What the running kernel permits, and why it may refuse: probed, because a kernel may be restricted.

use std::fs;
use std::path::Path;

use libbpf_rs::ProgramType;

use super::perf;
use super::pseudo::{DEBUGFS, SECURITYFS};
use super::types::Types;

const CAP_SYS_ADMIN: u32 = 21;
const CAP_SYS_RESOURCE: u32 = 24;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// Whether programs can be attached to the entry and the exit of kernel functions (fentry, fexit).
///
/// Kernels for x86-64 can do that from 5.5 on, those for arm64 from 6.4 on (2aa6ac03516d), and restricted ones refuse it.
/// The answer takes about a tenth of a millisecond, on arm64 some more.
#[must_use]
pub fn permits_fentry() -> bool {
    // libbpf tries a program for the entry of type 1, which is no function: where the kernel gets as far as to say just
    // that, it takes such programs.
    let loads = ProgramType::Tracing.is_supported().unwrap_or(false);
    // On arm64 they load and find no place before 6.4.
    let attaches = || Types::read(None).is_ok_and(|types| types.has_type("register_ftrace_direct"));
    loads && (!cfg!(target_arch = "aarch64") || attaches())
}

/// Whether the kernel has kprobes (`CONFIG_KPROBE_EVENTS`) and lets this process have them, for what a tool can do without.
#[must_use]
pub fn has_kprobes() -> bool {
    Path::new("/sys/bus/event_source/devices/kprobe").exists() && perf::is_permitted()
}

/// Whether the kernel preempts its own code, as far as it says so: then a program at a function may wait for its CPU again,
/// and be skipped for others meanwhile. A kernel that can choose (`CONFIG_PREEMPT_DYNAMIC`) has its choice in debugfs, as
/// `none voluntary full (lazy)`; one that does not show it counts as one that does not preempt.
#[must_use]
pub fn preempts_itself() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/version").unwrap_or_default();
    match release.split(' ').find(|word| word.starts_with("PREEMPT")) {
        Some("PREEMPT_DYNAMIC") => is_preemptive(&DEBUGFS.read("sched/preempt").unwrap_or_default()),
        word => word.is_some(),
    }
}

fn is_preemptive(choice: &str) -> bool {
    choice.contains("(full)") || choice.contains("(lazy)")
}

/// Whether there is a module of this name for the running kernel, or it is built in; by the name of its file.
#[must_use]
pub fn has_module(name: &str) -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let folder = Path::new("/lib/modules").join(release.trim());
    ["modules.dep", "modules.builtin"].iter().any(|list| {
        // `kernel/drivers/md/md-mod.ko.xz: ` and what it needs.
        let files = fs::read_to_string(folder.join(list)).unwrap_or_default();
        files.lines().any(|line| line.split(':').next().is_some_and(|file| file.contains(&format!("/{name}.ko"))))
    })
}

/// The size of a page in bytes, in which the kernel counts memory.
#[must_use]
pub fn page_size() -> u64 {
    // SAFETY: sysconf(3) takes no pointers.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// Why the kernel refuses this process something, as far as its privileges go (capabilities(7)); none if it is privileged.
#[must_use]
pub fn lacking() -> Option<String> {
    let has = |capability: u32| effective() & (1 << capability) != 0;
    if !(has(CAP_SYS_ADMIN) || has(CAP_BPF) && has(CAP_PERFMON)) {
        return Some("BPF programs need privileges: run it as root, or with CAP_BPF and CAP_PERFMON".into());
    }
    // Up to 5.10 the kernel counts maps as locked memory; the type went away with that.
    let counts = || Types::read(None).is_ok_and(|types| types.has_type("bpf_map_memory"));
    (!has(CAP_SYS_RESOURCE) && counts()).then(|| {
        "before Linux 5.11 BPF maps count as locked memory, of which this process may not have enough: it also needs \
            CAP_SYS_RESOURCE, or a higher limit (ulimit -l)"
            .into()
    })
}

/// The capabilities that count, as bits.
fn effective() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(u64::MAX)
}

/// Whether the kernel is locked down so far that no BPF program may read its memory (kernel_lockdown(7)).
#[must_use]
pub fn is_locked_down() -> bool {
    SECURITYFS.read("lockdown").is_ok_and(|levels| levels.contains("[confidentiality]"))
}

/// The sentence for libbpf's failure to load, from what it said on the way.
#[must_use]
pub fn explain(warnings: &[String]) -> Option<String> {
    warnings.iter().find_map(|warning| {
        let (_, rest) = warning.split_once("failed to find kernel BTF type ID of '")?;
        let (name, _) = rest.split_once('\'')?;
        Some(format!("this kernel has no BPF iterator {name}"))
    })
}

#[cfg(test)]
mod tests {
    use std::os::fd::{FromRawFd, OwnedFd};

    use libbpf_rs::libbpf_sys;

    use super::{explain, is_preemptive, permits_fentry};
    use crate::kernel::Types;

    #[test]
    fn the_choice_is_in_parentheses() {
        assert!(is_preemptive("none voluntary full (lazy)\n") && is_preemptive("none voluntary (full)\n"));
        assert!(!is_preemptive("none (voluntary) full\n") && !is_preemptive(""));
    }

    #[test]
    fn a_missing_hook_is_named() {
        let warnings =
            ["prog 'tcptop_sockets': failed to find kernel BTF type ID of 'bpf_iter_tcp': -ESRCH".to_string()];
        assert_eq!(explain(&warnings).as_deref(), Some("this kernel has no BPF iterator bpf_iter_tcp"));
        assert_eq!(explain(&["something else".to_string()]), None);
    }

    #[test]
    fn fentry_is_permitted_where_a_program_for_it_loads() {
        let types = Types::read(None).expect("a kernel with BTF");
        let function = types.function("cap_capable").expect("a function of every kernel");
        let mut options = libbpf_sys::bpf_prog_load_opts {
            sz: size_of::<libbpf_sys::bpf_prog_load_opts>() as libbpf_sys::size_t,
            expected_attach_type: libbpf_sys::BPF_TRACE_FENTRY,
            attach_btf_id: function,
            ..Default::default()
        };
        // `return 0` in machine code: two instructions, each with its opcode in the lowest byte.
        let code: [u64; 2] = [0xb7, 0x95];
        // SAFETY: the strings end in NUL, there are two instructions, and the options state their size.
        let loaded = unsafe {
            let (name, licence) = (c"fentry".as_ptr(), c"GPL".as_ptr());
            let kind = libbpf_sys::BPF_PROG_TYPE_TRACING;
            libbpf_sys::bpf_prog_load(kind, name, licence, code.as_ptr().cast(), 2, &raw mut options)
        };
        if loaded >= 0 {
            // SAFETY: the descriptor is new, and nobody else knows it.
            drop(unsafe { OwnedFd::from_raw_fd(loaded) });
        }
        assert_eq!(permits_fentry(), loaded >= 0);
    }
}
