//! How often BPF programs ran, and for how long.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::{FromRawFd, OwnedFd};

use libbpf_rs::libbpf_sys;
use libbpf_rs::query::ProgInfoIter;

/// The kernel counts the time of programs as long as this lives (`BPF_ENABLE_STATS`, Linux 5.8): nothing stays switched on,
/// however the process ends.
///
/// What is counted is the program itself. What the kernel does to get there (probe, trampoline, saving of registers), and
/// what follows from it (waking a reader), is not in it.
#[derive(Debug)]
pub struct Counting {
    _fd: OwnedFd,
}

impl Counting {
    /// # Panics
    /// The kernel refuses.
    #[must_use]
    pub fn start() -> Self {
        // SAFETY: the call takes no pointers; a new descriptor has no other owner.
        unsafe {
            let fd = libbpf_sys::bpf_enable_stats(libbpf_sys::BPF_STATS_RUN_TIME);
            assert!(fd >= 0, "no statistics of BPF programs: {}", std::io::Error::last_os_error());
            Self { _fd: OwnedFd::from_raw_fd(fd) }
        }
    }
}

/// One program of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The kernel's number for it.
    pub id: u32,
    /// Up to 15 bytes of its name.
    pub name: String,
    /// How often it ran while somebody counted.
    pub runs: u64,
    /// For how long, in nanoseconds.
    pub nanoseconds: u64,
}

impl Program {
    /// The programs that a process holds, by number.
    #[must_use]
    pub fn of(pid: u32) -> Vec<Self> {
        let held = held(pid);
        let mut programs: Vec<Self> = ProgInfoIter::default()
            .filter(|program| held.contains(&program.id))
            .map(|program| Self {
                id: program.id,
                name: program.name.to_string_lossy().into_owned(),
                runs: program.run_cnt,
                nanoseconds: program.run_time_ns,
            })
            .collect();
        programs.sort_by_key(|program| program.id);
        programs
    }

    /// What ran since an earlier look at the same process: those programs that did.
    #[must_use]
    pub fn since(now: Vec<Self>, before: &[Self]) -> Vec<Self> {
        let mut ran: Vec<Self> = now
            .into_iter()
            .map(|program| match before.iter().find(|earlier| earlier.id == program.id) {
                Some(earlier) => Self {
                    runs: program.runs - earlier.runs,
                    nanoseconds: program.nanoseconds - earlier.nanoseconds,
                    ..program
                },
                None => program,
            })
            .collect();
        ran.retain(|program| program.runs > 0);
        ran
    }
}

/// The numbers of the programs to which a process has descriptors.
pub(super) fn held(pid: u32) -> BTreeSet<u32> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fdinfo")) else {
        return BTreeSet::new();
    };
    let text = entries.filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok());
    text.filter_map(|text| text.lines().find_map(|line| line.strip_prefix("prog_id:")?.trim().parse().ok())).collect()
}
