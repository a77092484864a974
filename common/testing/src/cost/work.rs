//! What is done again and again while a tool looks on.

use std::ffi::CString;
use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::Scratch;
use crate::workload::mounts::{Argument, call};
use crate::workload::{self, Cgroup, Oom, cpu_time, everything_in, pin, stat};

/// The name of the thread that does it, and of what it executes: in each row that a tool prints of it.
pub const MARK: &str = "cs-work";

/// The work for one tool.
#[derive(Debug)]
pub struct Work {
    /// The tool, corescope's or of that name elsewhere.
    pub tool: &'static str,
    /// One time of it, for people.
    pub what: &'static str,
    /// How many times fit into a second or so on a machine of today.
    pub times: u32,
    prepare: fn(&Path) -> Box<dyn FnMut()>,
}

const WORKS: &[Work] = &[
    Work { tool: "capable", what: "chroot(2), which needs a capability", times: 200_000, prepare: chroot },
    Work { tool: "execsnoop", what: "a process with a program of one page", times: 1_000, prepare: execute },
    Work { tool: "exitsnoop", what: "a process without a program", times: 5_000, prepare: short_life },
    Work { tool: "killsnoop", what: "kill(2) of signal 0", times: 200_000, prepare: kill },
    Work { tool: "mountsnoop", what: "umount2(2) of what is missing", times: 100_000, prepare: unmount },
    Work { tool: "offcputime", what: "a ping-pong over pipes: two switches", times: 100_000, prepare: ping_pong },
    Work { tool: "oomkill", what: "a process that is killed in its cgroup", times: 20, prepare: run_out },
    Work { tool: "opensnoop", what: "open(2) and close(2)", times: 200_000, prepare: open },
    Work { tool: "runqlat", what: "a ping-pong over pipes: two switches", times: 100_000, prepare: ping_pong },
    Work { tool: "sigsnoop", what: "kill(2) of a signal that is ignored", times: 200_000, prepare: signal },
    Work { tool: "statsnoop", what: "newfstatat(2)", times: 200_000, prepare: ask },
    Work { tool: "syncsnoop", what: "fdatasync(2) of nothing", times: 200_000, prepare: sync },
    Work { tool: "syscount", what: "getppid(2)", times: 500_000, prepare: get_parent },
    Work { tool: "tcptop", what: "a message of 64 bytes over loopback", times: 50_000, prepare: message },
    Work { tool: "yardstick", what: "a ping-pong over pipes: two switches", times: 100_000, prepare: ping_pong },
];

/// For tools that none of the above is for.
const EVERYTHING: Work = Work { tool: "", what: "a bit of everything", times: 20, prepare: everything };

/// A time between two looks at the clock, where the work is to be done at a certain rate.
const PACE: Duration = Duration::from_micros(200);

impl Work {
    /// The work for a tool: its own, or a bit of everything.
    #[must_use]
    pub fn of(tool: &str) -> &'static Self {
        WORKS.iter().find(|work| work.tool == tool).unwrap_or(&EVERYTHING)
    }

    /// Does it so many times in a thread on CPU 0, as fast as it goes; gives the time that one takes.
    ///
    /// It is processor time, so that what else runs there does not count: of all threads and processes that have a share in
    /// it.
    ///
    /// # Panics
    /// The work fails.
    #[must_use]
    pub fn time(&self, times: u32) -> Duration {
        let clock = self.clock();
        let took = self.in_thread(move |once| {
            let start = clock();
            for _ in 0..times {
                once();
            }
            clock().saturating_sub(start)
        });
        took / times
    }

    /// Does it at a steady rate for a while; gives how often it was done.
    ///
    /// # Panics
    /// The work fails.
    #[must_use]
    pub fn pace(&self, per_second: f64, length: Duration) -> u64 {
        self.in_thread(move |once| {
            let start = Instant::now();
            let mut done = 0;
            while start.elapsed() < length {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
                let due = (start.elapsed().as_secs_f64() * per_second) as u64;
                while done < due && start.elapsed() < length {
                    once();
                    done += 1;
                }
                let next = start.elapsed() + PACE;
                while start.elapsed() < next {
                    std::hint::spin_loop();
                }
            }
            done
        })
    }

    /// Does it in rounds of so many times; `look` is called before the first round and after each, in the thread that does
    /// it.
    ///
    /// # Panics
    /// The work fails.
    pub fn rounds(&self, rounds: usize, times: u32, mut look: impl FnMut() + Send) {
        self.in_thread(move |once| {
            look();
            for _ in 0..rounds {
                for _ in 0..times {
                    once();
                }
                look();
            }
        });
    }

    /// What tells the time that it takes.
    fn clock(&self) -> fn() -> Duration {
        match self.tool {
            "" | "execsnoop" | "exitsnoop" | "offcputime" | "oomkill" | "runqlat" => processes_time,
            // The kernel need not count what it does in soft interrupts as the sender's.
            "tcptop" => wall_time,
            _ => cpu_time,
        }
    }

    /// In a thread called [`MARK`] that is prepared, pinned, and warm.
    fn in_thread<Result: Send>(&self, work: impl FnOnce(&mut dyn FnMut()) -> Result + Send) -> Result {
        let scratch = Scratch::new("cost");
        thread::scope(|scope| {
            let thread = thread::Builder::new().name(MARK.into()).spawn_scoped(scope, || {
                pin(0);
                let mut once = (self.prepare)(scratch.path());
                work(&mut once)
            });
            thread.expect("a thread").join().expect("work")
        })
    }
}

/// The processor time of this process and of those that it has waited for.
fn processes_time() -> Duration {
    // SAFETY: a struct of numbers; the pointer is to a local.
    let children = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    let mut own = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local; there is such a clock.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut own) };
    let time =
        |seconds: i64, nanoseconds: i64| Duration::new(seconds.unsigned_abs(), u32::try_from(nanoseconds).unwrap_or(0));
    let child = |part: libc::timeval| time(part.tv_sec, part.tv_usec * 1000);
    time(own.tv_sec, own.tv_nsec) + child(children.ru_utime) + child(children.ru_stime)
}

fn wall_time() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

fn c_string(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("no NUL in a path")
}

fn file(folder: &Path) -> CString {
    let path = folder.join("file");
    std::fs::write(&path, "").expect("a writable folder");
    c_string(&path)
}

fn chroot(_: &Path) -> Box<dyn FnMut()> {
    // SAFETY: the string ends in NUL. The root stays what it is.
    Box::new(|| assert_eq!(unsafe { libc::chroot(c"/".as_ptr()) }, 0))
}

fn execute(folder: &Path) -> Box<dyn FnMut()> {
    let program = folder.join(MARK);
    workload::tiny_program(&program);
    Box::new(move || assert!(Command::new(&program).status().expect("a program").success()))
}

fn short_life(_: &Path) -> Box<dyn FnMut()> {
    Box::new(|| workload::short_lives(1))
}

fn kill(_: &Path) -> Box<dyn FnMut()> {
    let own = std::process::id().cast_signed();
    Box::new(move || assert_eq!(workload::signal::kill(own, 0), 0))
}

fn signal(_: &Path) -> Box<dyn FnMut()> {
    let own = std::process::id().cast_signed();
    Box::new(move || assert_eq!(workload::signal::kill(own, libc::SIGURG), 0))
}

fn unmount(folder: &Path) -> Box<dyn FnMut()> {
    let missing = c_string(&folder.join("missing"));
    Box::new(move || {
        let result = call("umount2", &[Argument::Text(&missing), Argument::Number(0)]);
        assert_eq!(result, i64::from(-libc::ENOENT));
    })
}

fn run_out(_: &Path) -> Box<dyn FnMut()> {
    let cgroup = Cgroup::new(MARK);
    let little = Oom::within(cgroup.path());
    Box::new(move || {
        let _ = (&cgroup, little.kill());
    })
}

fn open(folder: &Path) -> Box<dyn FnMut()> {
    let path = file(folder);
    // SAFETY: the path ends in NUL, and the descriptor is this closure's own.
    Box::new(move || unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        assert!(fd >= 0 && libc::close(fd) == 0);
    })
}

fn ask(folder: &Path) -> Box<dyn FnMut()> {
    let path = file(folder);
    Box::new(move || assert_eq!(stat("newfstatat", libc::AT_FDCWD, Some(&path), 0), 0))
}

fn sync(folder: &Path) -> Box<dyn FnMut()> {
    let file = File::create_new(folder.join("synced")).expect("a writable folder");
    // SAFETY: the descriptor is open as long as the closure lives.
    Box::new(move || assert_eq!(unsafe { libc::fdatasync(file.as_raw_fd()) }, 0))
}

fn get_parent(_: &Path) -> Box<dyn FnMut()> {
    Box::new(|| workload::calls::get_parents(1))
}

/// A byte goes to another thread on the same CPU and comes back.
fn ping_pong(_: &Path) -> Box<dyn FnMut()> {
    let (there, mut ping) = std::io::pipe().expect("a pipe");
    let (mut back, pong) = std::io::pipe().expect("a pipe");
    // It ends with the pipe.
    thread::spawn(move || bounce(there, pong));
    Box::new(move || {
        ping.write_all(&[0]).expect("a pipe");
        back.read_exact(&mut [0]).expect("a pipe");
    })
}

fn bounce(mut from: PipeReader, mut to: PipeWriter) {
    pin(0);
    while from.read_exact(&mut [0]).is_ok() && to.write_all(&[0]).is_ok() {}
}

fn message(_: &Path) -> Box<dyn FnMut()> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let mut from = TcpStream::connect(listener.local_addr().expect("a port")).expect("a listener");
    let (mut to, _) = listener.accept().expect("a connection");
    from.set_nodelay(true).expect("a socket");
    Box::new(move || {
        from.write_all(&[0; 64]).expect("a connection");
        to.read_exact(&mut [0; 64]).expect("a connection");
    })
}

fn everything(_: &Path) -> Box<dyn FnMut()> {
    let cgroup = Cgroup::new(MARK);
    Box::new(move || everything_in(cgroup.path(), MARK.as_ref(), 10))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{MARK, WORKS, Work};

    #[test]
    fn each_work_can_be_done() {
        for work in WORKS.iter().filter(|work| work.tool != "oomkill") {
            assert!(work.time(3) > Duration::ZERO, "{}", work.tool);
        }
        assert_eq!(Work::of("no such tool").tool, "");
        assert!(MARK.len() < 16);
    }

    #[test]
    fn a_pace_is_kept() {
        let done = Work::of("syscount").pace(10_000., Duration::from_millis(300));
        assert!((2_000..=3_000).contains(&done), "{done} times");
    }
}
