//! Which tasks a tool looks at: the settings of bpf/include/task/filter.bpf.h.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use libbpf_rs::{MapCore, MapHandle};

use super::setup::Setup;
use crate::cli::exec::Command;
use crate::cli::{Common, Usage};

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
    pid: Option<u32>,
    tid: Option<u32>,
    pids: &'a [u32],
    tids: &'a [u32],
    ppid: Option<u32>,
    command: Option<u32>,
    uid: Option<u32>,
    comm: Option<&'a [u8]>,
    cgroup: Option<&'a Path>,
    maps: Option<&'a PinnedMaps>,
}

impl<'a> Filter<'a> {
    /// All tasks in the cgroup of `--cgroup`.
    #[must_use]
    pub fn new(common: &'a Common) -> Self {
        Self { cgroup: common.cgroup.as_deref(), ..Self::default() }
    }

    /// One process.
    #[must_use]
    pub fn pid(mut self, pid: Option<u32>) -> Self {
        self.pid = pid;
        self
    }

    /// One thread.
    #[must_use]
    pub fn tid(mut self, tid: Option<u32>) -> Self {
        self.tid = tid;
        self
    }

    /// These processes; all of them, where the list is empty.
    #[must_use]
    pub fn pids(mut self, pids: &'a [u32]) -> Self {
        (self.pid, self.pids) = one_or_many(pids);
        self
    }

    /// These threads; all of them, where the list is empty.
    #[must_use]
    pub fn tids(mut self, tids: &'a [u32]) -> Self {
        (self.tid, self.tids) = one_or_many(tids);
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
    fn is_any(&self) -> bool {
        let numbers = [self.pid, self.tid, self.ppid, self.command, self.uid];
        numbers.iter().any(Option::is_some)
            || !(self.pids.is_empty() && self.tids.is_empty())
            || self.comm.is_some()
            || self.cgroup.is_some()
    }

    /// Sets the constants of an object whose program includes filter.bpf.h.
    ///
    /// # Errors
    /// The cgroup or a pinned map is not what it should be.
    pub fn apply(&self, setup: &mut Setup<'_>) -> Result<()> {
        setup.set("filter_tgid", self.pid.unwrap_or(0))?;
        setup.set("filter_tid", self.tid.unwrap_or(0))?;
        setup.set("filter_tgids", list(self.pids)?)?;
        setup.set("filter_tids", list(self.tids)?)?;
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
            let (id, level) = cgroup(path).with_context(|| format!("--cgroup {}", path.display()))?;
            setup.set("filter_by_cgroup", true)?;
            setup.set("filter_cgroup_id", id)?;
            setup.set("filter_cgroup_level", level)?;
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

/// The id and the depth of a cgroup v2 directory.
fn cgroup(path: &Path) -> Result<(u64, u32)> {
    // Of the initial cgroup namespace, PROC_CGROUP_INIT_INO in include/linux/proc_ns.h. In others the directories above
    // are hidden, and with them the depth.
    const INITIAL_NAMESPACE: u64 = 0xefff_fffb;
    let path = path.canonicalize()?;
    let status = fs::metadata(&path)?;
    ensure!(status.is_dir(), "not a directory");
    ensure!(
        fs::metadata("/proc/self/ns/cgroup").is_ok_and(|namespace| namespace.ino() == INITIAL_NAMESPACE),
        "filters by cgroup work in the initial cgroup namespace only; run it on the host"
    );
    let mounts = fs::read("/proc/self/mountinfo").context("cannot read /proc/self/mountinfo")?;
    let Some(mount) = cgroup2_mounts(&mounts).into_iter().find(|mount| path.starts_with(mount)) else {
        bail!("not a cgroup v2 directory");
    };
    let depth = path.strip_prefix(&mount)?.components().count();
    // The inode number of a cgroup's directory is its id (kernfs, on 64-bit systems).
    Ok((status.ino(), u32::try_from(depth)?))
}

/// Where cgroup v2 is mounted with its root, from mountinfo (proc_pid_mountinfo(5)).
fn cgroup2_mounts(mountinfo: &[u8]) -> Vec<PathBuf> {
    let mut mounts = Vec::new();
    for line in mountinfo.split(|byte| *byte == b'\n') {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        let kind = fields.iter().position(|field| *field == b"-").and_then(|dash| fields.get(dash + 1));
        if let (Some(b"cgroup2"), Some(b"/"), Some(point)) =
            (kind.map(|k| &**k), fields.get(3).map(|f| &**f), fields.get(4))
        {
            mounts.push(PathBuf::from(std::ffi::OsStr::from_bytes(point)));
        }
    }
    mounts
}

#[cfg(test)]
mod tests {
    use super::{IDS, cgroup, cgroup2_mounts, comm_bytes, list, one_or_many};
    use std::path::{Path, PathBuf};

    #[test]
    fn cgroup_mounts_are_found_by_type_and_root() {
        let mountinfo = b"29 23 0:26 / /sys/fs/cgroup/unified rw,nosuid shared:4 - cgroup2 cgroup rw\n\
            30 23 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
            31 23 0:26 /sub /mnt/sub rw - cgroup2 cgroup rw\n";
        assert_eq!(cgroup2_mounts(mountinfo), [PathBuf::from("/sys/fs/cgroup/unified")]);
    }

    #[test]
    fn what_is_no_cgroup_is_refused() {
        assert!(cgroup(Path::new("/tmp")).is_err());
        assert!(cgroup(Path::new("/nonexistent")).is_err());
    }

    #[test]
    fn names_are_cut_as_the_kernel_cuts_them() {
        assert_eq!(comm_bytes(b"0123456789abcdefXYZ"), comm_bytes(b"0123456789abcde"));
        assert_ne!(comm_bytes(b"a"), comm_bytes(b"b"));
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
