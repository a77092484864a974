//! Memory that runs out: a cgroup with a limit, and processes that want more than that.

use std::ffi::CStr;
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::ptr;

use super::cgroup::root;

/// A cgroup with little memory. With cgroup v2 it is the one that is given, and has its limit taken away at the end;
/// where the memory controller is used with v1, another one is made in that hierarchy, and processes are in both.
#[derive(Debug)]
pub struct Oom {
    directory: PathBuf,
    v1: Option<PathBuf>,
}

/// What a process does until it is killed.
#[derive(Debug, Clone, Copy)]
pub struct Hunger {
    /// Its name.
    pub name: &'static CStr,
    /// The user that it runs as.
    pub uid: u32,
    /// How much likelier it is to be killed than others: `oom_score_adj`.
    pub score_adj: &'static CStr,
    /// The memory that it takes before it stops itself.
    pub bytes: usize,
}

impl Default for Hunger {
    /// More than there is.
    fn default() -> Self {
        Self { name: c"cs-oom", uid: 0, score_adj: c"0", bytes: 64 << 20 }
    }
}

/// A process that takes memory. It ends with the test.
#[derive(Debug)]
pub struct Hungry(i32);

impl Oom {
    /// The limit, in bytes: it is reached within milliseconds.
    pub const LIMIT: u64 = 4 << 20;

    /// Limits the memory of processes in this directory of cgroup v2, which is one under the root.
    pub fn within(directory: &Path) -> Self {
        // There may be processes in it, so the limit must be its own. Where v1 has the controller, v2 refuses it.
        let _ = fs::write(root().join("cgroup.subtree_control"), "+memory");
        let directory = directory.to_path_buf();
        if directory.join("memory.max").exists() {
            let _ = fs::write(directory.join("memory.swap.max"), "0");
            fs::write(directory.join("memory.max"), Self::LIMIT.to_string()).expect("a limit");
            return Self { directory, v1: None };
        }
        let name = directory.file_name().expect("a cgroup below the root");
        let v1 = v1_root().join(name);
        fs::create_dir(&v1).expect("a cgroup of v1");
        fs::write(v1.join("memory.limit_in_bytes"), Self::LIMIT.to_string()).expect("a limit");
        let _ = fs::write(v1.join("memory.memsw.limit_in_bytes"), Self::LIMIT.to_string());
        Self { directory, v1: Some(v1) }
    }

    /// Lets all processes be killed where one is (cgroup v2), or says that this is not possible.
    pub fn kill_all(&self) -> bool {
        self.v1.is_none() && fs::write(self.directory.join("memory.oom.group"), "1").is_ok()
    }

    /// The path of the memory cgroup in its hierarchy.
    pub fn path(&self) -> String {
        let directory = self.v1.as_ref().unwrap_or(&self.directory);
        let root = if self.v1.is_some() { v1_root() } else { root() };
        format!("/{}", directory.strip_prefix(root).expect("a path below the root").display())
    }

    /// How many processes the kernel says it has killed in it.
    pub fn kills(&self) -> u64 {
        let file = match &self.v1 {
            Some(v1) => v1.join("memory.oom_control"),
            None => self.directory.join("memory.events"),
        };
        let text = fs::read_to_string(file).expect("a memory cgroup");
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill ")).expect("a count of kills");
        count.parse().expect("a number")
    }

    /// Starts a process in it.
    pub fn start(&self, hunger: &Hunger) -> Hungry {
        let open = |path: &PathBuf| OpenOptions::new().write(true).open(path.join("cgroup.procs")).expect("a cgroup");
        let cgroups: Vec<File> = self.v1.iter().chain([&self.directory]).map(open).collect();
        // SAFETY: the child makes system calls only, which fork(2) of a process with threads asks for.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            starve(&cgroups, hunger);
        }
        assert!(pid > 0, "a new process");
        Hungry(pid)
    }

    /// Has one process killed, and gives its id.
    pub fn kill(&self) -> u32 {
        let hungry = self.start(&Hunger::default());
        let pid = hungry.pid();
        hungry.killed();
        pid
    }
}

impl Drop for Oom {
    fn drop(&mut self) {
        match &self.v1 {
            // Its processes are gone, their memory follows.
            Some(v1) => drop(fs::remove_dir(v1)),
            None => drop(fs::write(self.directory.join("memory.max"), "max")),
        }
    }
}

impl Hungry {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.0.unsigned_abs()
    }

    /// Waits until it has all it wants.
    pub fn sated(&self) {
        assert!(libc::WIFSTOPPED(self.wait(libc::WUNTRACED)), "it was killed too early");
    }

    /// Waits until the kernel has killed it.
    pub fn killed(mut self) {
        let status = self.wait(0);
        self.0 = 0;
        assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL, "it ended with {status:#x}");
    }

    fn wait(&self, options: i32) -> i32 {
        let mut status = 0;
        // SAFETY: the pointer is to a local.
        let pid = unsafe { libc::waitpid(self.0, &raw mut status, options) };
        assert_eq!(pid, self.0, "a child of this process");
        status
    }
}

impl Drop for Hungry {
    fn drop(&mut self) {
        if self.0 > 0 {
            // SAFETY: neither call takes a pointer that is not null.
            unsafe {
                libc::kill(self.0, libc::SIGKILL);
                libc::waitpid(self.0, ptr::null_mut(), 0);
            }
        }
    }
}

/// What the child does: nothing but system calls.
fn starve(cgroups: &[File], hunger: &Hunger) -> ! {
    const PAGE: usize = 4096;
    // SAFETY: strings end in NUL, and memory is written within the mapping.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        libc::prctl(libc::PR_SET_NAME, hunger.name.as_ptr());
        for cgroup in cgroups {
            if libc::write(cgroup.as_raw_fd(), c"0".as_ptr().cast(), 1) != 1 {
                libc::_exit(1);
            }
        }
        let score = libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY);
        libc::write(score, hunger.score_adj.as_ptr().cast(), hunger.score_adj.count_bytes());
        // Not setuid(3), which concerns itself with threads.
        libc::syscall(libc::SYS_setuid, hunger.uid);
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let memory = libc::mmap(ptr::null_mut(), hunger.bytes, access, kind, -1, 0);
        if memory == libc::MAP_FAILED {
            libc::_exit(2);
        }
        // Page by page, so that the limit is met closely.
        libc::madvise(memory, hunger.bytes, libc::MADV_NOHUGEPAGE);
        for offset in (0..hunger.bytes).step_by(PAGE) {
            memory.cast::<u8>().add(offset).write_volatile(1);
        }
        loop {
            libc::raise(libc::SIGSTOP);
        }
    }
}

/// Where the hierarchy of cgroup v1 that has the memory controller is mounted.
fn v1_root() -> PathBuf {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("a list of mounts");
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    fields
        .into_iter()
        .find(|fields| fields[2] == "cgroup" && fields[3].split(',').any(|option| option == "memory"))
        .map_or_else(|| panic!("no memory controller"), |fields| PathBuf::from(fields[1]))
}
