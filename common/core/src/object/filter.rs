//! Which tasks a tool looks at: the settings of bpf/include/task/filter.bpf.h.

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use libbpf_rs::{MapCore, MapHandle};

use super::cgroup::Cgroup;
use super::setup::Setup;
use crate::cli::exec::Command;
use crate::cli::{Common, Usage};
use crate::process::complain;
use crate::process::namespace;
use crate::process::subjects::{self, What};

/// BCC's two flags for maps that the user pinned in the BPF file system.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct PinnedMaps {
    /// Trace only cgroups whose ids are keys of this pinned BPF map
    #[arg(long, value_name = "PATH")]
    pub cgroupmap: Option<PathBuf>,

    /// Trace only mount namespaces whose inode numbers are keys of this pinned BPF map
    #[arg(long, value_name = "PATH")]
    pub mntnsmap: Option<PathBuf>,
}

/// How many ids a list holds at most: `FILTER_IDS` of filter.bpf.h.
const IDS: usize = 64;

/// The tasks to trace: all of them, less what is added.
///
/// Checks that are not set cost nothing: the kernel drops them when it loads the program.
#[derive(Debug, Default)]
pub struct Filter<'a> {
    pids: &'a [u32],
    tids: &'a [u32],
    ppid: Option<u32>,
    command: Option<u32>,
    uid: Option<u32>,
    comm: Option<&'a [u8]>,
    cgroup: Option<&'a Path>,
    maps: Option<&'a PinnedMaps>,
    namespace: Option<u32>,
    host_pids: bool,
}

impl<'a> Filter<'a> {
    /// All tasks in the cgroup of `--cgroup`.
    #[must_use]
    pub fn new(common: &'a Common) -> Self {
        let namespace = if common.host_pids { None } else { namespace::of_ids() };
        Self { cgroup: common.cgroup.as_deref(), namespace, host_pids: common.host_pids, ..Self::default() }
    }

    /// These processes; all of them, where the list is empty.
    #[must_use]
    pub fn pids(mut self, pids: &'a [u32]) -> Self {
        self.pids = pids;
        self
    }

    /// These threads; all of them, where the list is empty.
    #[must_use]
    pub fn tids(mut self, tids: &'a [u32]) -> Self {
        self.tids = tids;
        self
    }

    /// The children of one process.
    #[must_use]
    pub fn ppid(mut self, ppid: Option<u32>) -> Self {
        self.ppid = ppid;
        self
    }

    /// What `--exec` runs, and all processes that it starts: for tools whose program has `FILTER_COMMAND`.
    #[must_use]
    pub fn command(mut self, command: &Command) -> Self {
        self.command = command.pid();
        self
    }

    /// One user, by real user id.
    #[must_use]
    pub fn uid(mut self, uid: Option<u32>) -> Self {
        self.uid = uid;
        self
    }

    /// Tasks of exactly this name.
    #[must_use]
    pub fn comm(mut self, comm: Option<&'a [u8]>) -> Self {
        self.comm = comm;
        self
    }

    /// Tasks of which ids are in the user's maps.
    #[must_use]
    pub fn maps(mut self, maps: &'a PinnedMaps) -> Self {
        self.maps = Some(maps);
        self
    }

    /// Whether something is asked for, besides pinned maps.
    #[must_use]
    pub fn is_any(&self) -> bool {
        let numbers = [self.ppid, self.command, self.uid];
        numbers.iter().any(Option::is_some)
            || !(self.pids.is_empty() && self.tids.is_empty())
            || self.comm.is_some()
            || self.cgroup.is_some()
            || self.namespace.is_some()
    }

    /// Sets the constants of an object whose program includes filter.bpf.h. The tool ends with the processes that it traces by
    /// id, or whose children it traces.
    ///
    /// # Errors
    /// There is no such process; the cgroup or a pinned map is not what it should be.
    pub fn apply(&self, setup: &mut Setup<'_>) -> Result<()> {
        // Of ids of another namespace nothing is known here.
        if !self.host_pids || namespace::of_ids().is_none() {
            subjects::ask_for(What::Process, self.pids)?;
            subjects::ask_for(What::Thread, self.tids)?;
            subjects::ask_for(What::Process, self.ppid.as_slice())?;
        } else if self.command.is_some() {
            return Err(Usage("--exec and --host-pids exclude each other in a PID namespace".into()).into());
        }
        setup.set("ids_namespace", self.namespace.unwrap_or(0))?;
        for (one, many, ids) in [("filter_tgid", "filter_tgids", self.pids), ("filter_tid", "filter_tids", self.tids)] {
            let (id, ids) = one_or_many(ids);
            setup.set(one, id.unwrap_or(0))?;
            setup.set(many, list(ids)?)?;
        }
        setup.set("filter_ppid", self.ppid.unwrap_or(0))?;
        follow(setup, self.command)?;
        if let Some(uid) = self.uid {
            setup.set("filter_by_uid", true)?;
            setup.set("filter_uid", uid)?;
        }
        if let Some(comm) = self.comm {
            setup.set("filter_by_comm", true)?;
            setup.set("filter_comm", comm_bytes(comm))?;
        }
        if let Some(path) = self.cgroup {
            let cgroup = Cgroup::find(path).with_context(|| format!("--cgroup {}", path.display()))?;
            setup.set("filter_by_cgroup", true)?;
            setup.set("filter_cgroup_level", cgroup.level)?;
            setup.follow_when_loaded(cgroup.path);
        } else {
            setup.leave_out("filter_cgroup")?;
        }
        let maps = self.maps.cloned().unwrap_or_default();
        setup.set("filter_any", self.is_any() || maps.cgroupmap.is_some() || maps.mntnsmap.is_some())?;
        use_pinned(setup, "filter_cgroups", "filter_by_cgroup_map", maps.cgroupmap.as_deref())?;
        use_pinned(setup, "filter_mntns", "filter_by_mntns_map", maps.mntnsmap.as_deref())
    }
}

/// Loads the programs that follow a command where there is one.
fn follow(setup: &mut Setup<'_>, command: Option<u32>) -> Result<()> {
    const PROGRAMS: [&str; 3] = ["_command_exec", "_command_fork", "_command_free"];
    for mut program in setup.progs_mut() {
        if program.name().to_str().is_some_and(|name| PROGRAMS.iter().any(|end| name.ends_with(end))) {
            program.set_autoload(command.is_some());
        }
    }
    setup.set("filter_command", command.unwrap_or(0))?;
    if command.is_none() { setup.leave_out("filter_processes") } else { Ok(()) }
}

/// One id is compared at once, without a loop.
fn one_or_many(ids: &[u32]) -> (Option<u32>, &[u32]) {
    if let [one] = ids { (Some(*one), &[]) } else { (None, ids) }
}

/// A list as the kernel side reads it: it ends with 0 unless it is full.
fn list(ids: &[u32]) -> Result<[u32; IDS]> {
    if ids.len() > IDS {
        return Err(Usage(format!("at most {IDS} processes or threads can be listed")).into());
    }
    let mut list = [0; IDS];
    list[..ids.len()].copy_from_slice(ids);
    Ok(list)
}

/// As much of a name as the kernel keeps of a thread's, its first 15 bytes; that there was more is reported.
#[must_use]
pub fn thread_name<Name: AsRef<OsStr> + ?Sized>(name: &Name) -> &[u8] {
    let name = name.as_ref().as_bytes();
    let kept = &name[..name.len().min(15)];
    if kept.len() < name.len() {
        complain(&format!(
            "the kernel keeps 15 bytes of a thread's name: looking for {}",
            String::from_utf8_lossy(kept)
        ));
    }
    kept
}

/// A task's name as the kernel side compares it: cut to 15 bytes, as the kernel cuts it.
#[must_use]
pub fn comm_bytes(comm: &[u8]) -> [u8; 16] {
    let mut bytes = [0; 16];
    let length = comm.len().min(15);
    bytes[..length].copy_from_slice(&comm[..length]);
    bytes
}

fn use_pinned(setup: &mut Setup<'_>, map: &'static str, constant: &str, path: Option<&Path>) -> Result<()> {
    let mut found = setup.map_mut(map)?;
    let Some(path) = path else {
        // Nothing refers to the map once the kernel has dropped the check.
        return found.set_autocreate(false).map_err(Into::into);
    };
    let ids = MapHandle::from_pinned_path(path)
        .with_context(|| format!("{}: cannot open this pinned map", path.display()))?;
    ensure!(ids.key_size() == 8, "{}: a map whose keys are ids has 8-byte keys", path.display());
    found.set_inner_map_fd(ids.as_fd())?;
    setup.set(constant, true)?;
    setup.insert_when_loaded(map, ids);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{IDS, comm_bytes, list, one_or_many, thread_name};

    #[test]
    fn names_are_cut_as_the_kernel_cuts_them() {
        assert_eq!(comm_bytes(b"0123456789abcdefXYZ"), comm_bytes(b"0123456789abcde"));
        assert_ne!(comm_bytes(b"a"), comm_bytes(b"b"));
        assert_eq!((thread_name("victoria-metrics"), thread_name("short")), (&b"victoria-metric"[..], &b"short"[..]));
    }

    #[test]
    fn one_id_needs_no_list() {
        assert_eq!(one_or_many(&[7]), (Some(7), &[][..]));
        assert_eq!(one_or_many(&[7, 9]), (None, &[7, 9][..]));
        assert_eq!(list(&[7, 9]).expect("a short list")[..3], [7, 9, 0]);
        assert!(list(&[1; IDS]).is_ok());
        assert!(list(&[1; IDS + 1]).is_err());
    }
}
