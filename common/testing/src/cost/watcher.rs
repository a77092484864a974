//! A running tool, corescope's or another: whether it is attached, and what it uses.

use std::fs::{self, File};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, Stdio};
use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use super::programs::held;
use crate::tool::{DEADLINE, wait};

/// The system calls in which a tool that has set everything up waits for events or for the time to print.
const WAITS: &[libc::c_long] = &[
    libc::SYS_clock_nanosleep,
    libc::SYS_epoll_pwait,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    libc::SYS_nanosleep,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_pause,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_select,
];

/// Enough for a tool to print what it has seen of a look at it.
const QUIET: Duration = Duration::from_millis(20);

/// It ends with this value.
#[derive(Debug)]
pub struct Watcher {
    child: Child,
    /// From its start until it waited for events.
    pub attached_after: Duration,
}

impl Watcher {
    /// Starts a tool, and waits until it holds BPF programs and waits for something to happen: that can be seen of any tool,
    /// whatever it prints. `None` where it ends instead, or waits without any, the peers' way when hooks are missing; or
    /// where it does neither for a minute.
    ///
    /// Its standard input is empty; both outputs are up to the caller.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn start(command: &mut Command) -> Option<Self> {
        const LOOK: Duration = Duration::from_micros(300);
        // A second or so. They need not follow each other: such a tool wakes up now and then, and waits again.
        const IDLE_LOOKS: u32 = 3_000;
        let start = Instant::now();
        let child = command.stdin(Stdio::null()).spawn().expect("the tool starts");
        let mut watcher = Self { child, attached_after: Duration::ZERO };
        // Opened once: a tool that watches opens or stats would be woken by each look, and never be seen waiting.
        let call = File::open(format!("/proc/{}/syscall", watcher.pid())).expect("a process");
        let mut idle = 0;
        while start.elapsed() < DEADLINE {
            if watcher.child.try_wait().expect("a child of this process").is_some() {
                return None;
            }
            if waits(&call) {
                if !held(watcher.pid()).is_empty() {
                    watcher.attached_after = start.elapsed();
                    return Some(watcher);
                }
                idle += 1;
                if idle > IDLE_LOOKS {
                    return None;
                }
            }
            thread::sleep(LOOK);
        }
        None
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it had at once so far, in bytes; nothing once it has ended.
    ///
    /// # Panics
    /// There is no /proc.
    #[must_use]
    pub fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a process");
        let Some(line) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) else { return 0 };
        let kilobytes: u64 = line.trim_end_matches("kB").trim().parse().expect("a number");
        kilobytes * 1024
    }

    /// The processor time that all its threads have used so far, to a nanosecond (schedstat).
    ///
    /// # Panics
    /// It has ended.
    #[must_use]
    pub fn cpu_time(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).expect("a process");
        let text = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("schedstat")).ok());
        let times = text.filter_map(|text| text.split(' ').next()?.parse::<u64>().ok());
        Duration::from_nanos(times.sum())
    }

    /// Ends it as Ctrl-C does; gives the time that it took.
    pub fn end(mut self) -> Duration {
        // It may have seen how this process just looked at it. BCC's Python tools do not notice a signal that comes while
        // they print an event.
        thread::sleep(QUIET);
        let asked = Instant::now();
        interrupt(self.pid());
        let _ = wait(&mut self.child);
        asked.elapsed()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends SIGINT, not by kill(2): BCC's killsnoop would print that, and not notice the signal.
fn interrupt(pid: u32) {
    // SAFETY: the calls take no pointers; a new descriptor has no other owner.
    unsafe {
        let process = libc::syscall(libc::SYS_pidfd_open, pid, 0);
        assert!(process >= 0, "no process {pid}");
        let process = OwnedFd::from_raw_fd(i32::try_from(process).expect("a descriptor"));
        let none = ptr::null::<libc::siginfo_t>();
        libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), libc::SIGINT, none, 0);
    }
}

/// Whether the first thread of a process sleeps in one of those calls, by its file of them in /proc.
fn waits(call: &File) -> bool {
    let mut text = [0; 32];
    let Ok(length) = call.read_at(&mut text, 0) else {
        return false;
    };
    let number = text[..length].split(|byte| *byte == b' ').next();
    let number = number.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    number.is_some_and(|number| WAITS.contains(&number))
}
