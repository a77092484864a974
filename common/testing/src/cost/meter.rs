//! Looks at programs that disturb them as little as can be.

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use libbpf_rs::btf::types::Func;
use libbpf_rs::btf::{Btf, TypeId};
use libbpf_rs::libbpf_sys;
use libbpf_rs::query::{ProgInfoIter, ProgInfoQueryOptions};

use super::Program;

/// Holds programs open, so that a look at them is one system call each. What they counted is here from then on to be had
/// between two operations, where [`Program::of`] would open a hundred files.
#[derive(Debug)]
pub struct Meter {
    programs: Vec<(Program, OwnedFd)>,
}

/// What a program had counted at a look, or between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// How often it ran.
    pub runs: u64,
    /// For how long, in nanoseconds.
    pub nanoseconds: u64,
}

impl Meter {
    /// Of the programs that a process holds.
    ///
    /// # Panics
    /// One of them is gone.
    #[must_use]
    pub fn of(pid: u32) -> Self {
        let open = |program: Program| {
            // SAFETY: the call takes no pointers; a new descriptor has no other owner.
            let fd = unsafe {
                let fd = libbpf_sys::bpf_prog_get_fd_by_id(program.id);
                assert!(fd >= 0, "{program:?}: {}", std::io::Error::last_os_error());
                OwnedFd::from_raw_fd(fd)
            };
            (program, fd)
        };
        Self { programs: Program::of(pid).into_iter().map(open).collect() }
    }

    /// The programs' names in full, where their BTF tells them, in the order of the readings.
    pub fn names(&self) -> Vec<String> {
        let options = ProgInfoQueryOptions::default().include_func_info(true);
        let infos: Vec<_> = ProgInfoIter::with_query_opts(options).collect();
        let name = |program: &Program| {
            let info = infos.iter().find(|info| info.id == program.id)?;
            let btf = Btf::from_prog_id(program.id).ok()?;
            let func: Func<'_> = btf.type_by_id(TypeId::from(info.func_info.first()?.type_id))?;
            Some(func.name()?.to_str()?.to_string())
        };
        self.programs.iter().map(|(program, _)| name(program).unwrap_or_else(|| program.name.clone())).collect()
    }

    /// Adds a reading of each program.
    ///
    /// # Panics
    /// The kernel refuses.
    pub fn read(&self, into: &mut Vec<Reading>) {
        for (program, fd) in &self.programs {
            let mut info = MaybeUninit::<libbpf_sys::bpf_prog_info>::zeroed();
            let mut size = u32::try_from(size_of_val(&info)).expect("a small struct");
            // SAFETY: the pointers are to locals, and the struct is as long as it says; it is numbers only.
            let info = unsafe {
                let failed =
                    libbpf_sys::bpf_obj_get_info_by_fd(fd.as_raw_fd(), info.as_mut_ptr().cast(), &raw mut size);
                assert_eq!(failed, 0, "{program:?}: {}", std::io::Error::last_os_error());
                info.assume_init()
            };
            into.push(Reading { runs: info.run_cnt, nanoseconds: info.run_time_ns });
        }
    }
}
