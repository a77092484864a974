//! sigsnoop against signals whose senders are known.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use corescope_testing::workload::signal::{
    Waiting, adopt_orphans, fault, kill, on_input, pidfd, pidfd_send, pipe, queue, queue_to_thread, reap, take, tgkill,
    timers, tkill,
};
use corescope_testing::{Seen, Tool, workload};
use serde_json::{Value, json};

/// A prime number, so that no product of something else hits it by chance.
const RUNS: usize = 37;
const MISSING: i32 = 99_999_999;

fn me() -> i32 {
    i32::try_from(std::process::id()).expect("a process id")
}

/// The rows of a signal that somebody made.
fn rows<'a>(seen: &'a Seen, signal: i32, key: &str, value: impl Into<Value>) -> Vec<&'a Value> {
    seen.rows_with(key, value).into_iter().filter(|row| row["signal"] == signal).collect()
}

/// This test again, as a process of its own.
fn helper(name: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(["--ignored", "--exact", "--nocapture", name]).env("CS_HELPER", "1");
    command
}

#[test]
fn every_way_to_send_one() {
    let child = Waiting::start();
    let (pid, comm) = (child.pid(), child.comm());
    let fd = pidfd(pid);
    let tool = Tool::start("sigsnoop", &[]);
    for _ in 0..RUNS {
        // All of these are ignored unless the program asks for them.
        assert_eq!(kill(pid, libc::SIGWINCH), 0);
        assert_eq!(tkill(pid, libc::SIGURG), 0);
        assert_eq!(tgkill(pid, pid, libc::SIGURG), 0);
        assert_eq!(queue(pid, libc::SIGWINCH, libc::SI_QUEUE), 0);
        assert_eq!(queue_to_thread(pid, pid, libc::SIGWINCH, libc::SI_MESGQ), 0);
        assert_eq!(pidfd_send(fd.as_raw_fd(), libc::SIGCONT), 0);
        // Whoever says that a timer of somebody else ran out has sent it.
        assert_eq!(queue(pid, libc::SIGURG, libc::SI_TIMER), 0);
        // A call that only asks makes no signal.
        assert_eq!(kill(pid, 0), 0);
    }
    let seen = tool.stop();
    let own: Vec<&Value> = seen.rows_with("tpid", pid);
    assert_eq!(own.len(), 7 * RUNS, "{}", seen.messages);
    assert_eq!(seen.lost(), 0);
    let ways = [
        ("WINCH", "SI_USER", Value::Null, RUNS),
        ("URG", "SI_TKILL", json!(pid), 2 * RUNS),
        ("WINCH", "SI_QUEUE", Value::Null, RUNS),
        ("URG", "SI_TIMER", Value::Null, RUNS),
        ("WINCH", "SI_MESGQ", json!(pid), RUNS),
        ("CONT", "SI_USER", Value::Null, RUNS),
    ];
    for (name, code, ttid, count) in ways {
        let of_this: Vec<&&Value> =
            own.iter().filter(|row| row["signal_name"] == name && row["si_code_name"] == code).collect();
        assert_eq!(of_this.len(), count, "{name} {code}");
        for row in of_this {
            assert_eq!((&row["pid"], &row["tid"]), (&json!(me()), &json!(workload::tid())), "{row}");
            assert_eq!((&row["ttid"], &row["tcomm"]), (&ttid, &json!(comm)), "{row}");
            assert_eq!(row["result"], "ignored", "{row}");
            assert_eq!((&row["ret"], &row["syscall"]), (&Value::Null, &Value::Null));
        }
    }
}

/// A stopped process takes signals when it goes on.
#[test]
fn what_became_of_them() {
    for (arguments, expected) in [
        (&[][..], &[("STOP", "delivered"), ("USR1", "delivered"), ("USR1", "pending"), ("KILL", "delivered")][..]),
        (&["-x"], &[("USR1", "pending")]),
        (&["-s", "usr1,9"], &[("USR1", "delivered"), ("USR1", "pending"), ("KILL", "delivered")]),
        (&["-s", "15,SIGHUP"], &[]),
    ] {
        let mut child = Waiting::start();
        let pid = child.pid();
        let tool = Tool::start("sigsnoop", arguments);
        child.stop();
        for signal in [libc::SIGUSR1, libc::SIGUSR1, libc::SIGKILL] {
            assert_eq!(kill(pid, signal), 0);
        }
        assert_eq!(child.0.wait().expect("a child").signal(), Some(libc::SIGKILL));
        let seen = tool.stop();
        let own: Vec<(&str, &str)> = seen
            .rows_with("tpid", pid)
            .into_iter()
            .map(|row| (row["signal_name"].as_str().expect("a name"), row["result"].as_str().expect("a result")))
            .collect();
        assert_eq!(own, expected, "{arguments:?} {}", seen.messages);
    }
}

#[test]
fn what_a_process_brings_on_itself() {
    let tool = Tool::start("sigsnoop", &[]);
    let mut ended = Vec::new();
    for _ in 0..5 {
        let mut child = helper("helper_fault").spawn().expect("this test again");
        assert_eq!(child.wait().expect("a child").signal(), Some(libc::SIGSEGV));
        ended.push(child.id());
    }
    let (reader, mut writer) = pipe();
    drop(reader);
    for _ in 0..RUNS {
        // Rust programs ignore the signal and see the error.
        assert_eq!(writer.write(b"x").expect_err("nobody reads").raw_os_error(), Some(libc::EPIPE));
    }
    let seen = tool.stop();
    for pid in ended {
        let faults = rows(&seen, libc::SIGSEGV, "tpid", pid);
        assert_eq!(faults.len(), 1, "{}", seen.messages);
        assert_eq!((&faults[0]["pid"], &faults[0]["si_code_name"]), (&json!(pid), &json!("SEGV_MAPERR")));
        assert_eq!(faults[0]["result"], "delivered");
    }
    let pipes = rows(&seen, libc::SIGPIPE, "tpid", me());
    assert_eq!(pipes.len(), RUNS);
    for row in pipes {
        assert_eq!(
            (&row["pid"], &row["si_code_name"], &row["result"]),
            (&json!(me()), &json!("SI_USER"), &json!("ignored"))
        );
        assert_eq!(row["ttid"], workload::tid());
    }
}

/// A process that does nothing but run.
struct Spinning(Child);

impl Spinning {
    fn start() -> Self {
        Self(Command::new("sh").args(["-c", "while :; do :; done"]).spawn().expect("sh"))
    }
}

impl Drop for Spinning {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The current task of an interrupt is an accident: neither who is interrupted nor whose timer it is has sent anything.
#[test]
fn timers_have_no_sender() {
    let signal = libc::SIGRTMIN() + 5;
    // In a thread, for that is to stay on one CPU, which its children take over.
    let work = move |busy: bool| {
        thread::spawn(move || {
            workload::pin(0);
            let spinning = (!busy).then(Spinning::start);
            timers(RUNS, signal, busy);
            spinning.map(|spinning| spinning.0.id())
        })
        .join()
        .expect("no panic")
    };
    for busy in [true, false] {
        let tool = Tool::start("sigsnoop", &[]);
        let spinning = work(busy);
        let seen = tool.stop();
        let own = rows(&seen, signal, "tpid", me());
        // Some restricted kernels run no program while a task of their own is interrupted.
        assert!((RUNS / 2..=RUNS).contains(&own.len()), "{} {}", own.len(), seen.messages);
        for row in own {
            let who = [&row["pid"], &row["tid"], &row["comm"]];
            assert_eq!(who, [&Value::Null; 3], "{spinning:?}");
            assert_eq!((&row["si_code_name"], &row["si_code"]), (&json!("SI_TIMER"), &json!(libc::SI_TIMER)));
            assert_eq!((&row["signal_name"], &row["result"]), (&json!("RTMIN+5"), &json!("delivered")));
            assert!(row["ttid"].is_number());
        }
    }
    // BCC compares whichever process is interrupted.
    let spinning = Spinning::start();
    for pid in [me().to_string(), spinning.0.id().to_string()] {
        let tool = Tool::start("sigsnoop", &["-p", &pid]);
        work(true);
        let seen = tool.stop();
        assert_eq!(rows(&seen, signal, "tpid", me()).len(), 0, "{pid}");
    }
}

/// Input that a process writes, and input that a softirq brings while this or that process runs.
#[test]
fn signals_of_input() {
    let (reader, mut writer) = pipe();
    let tool = Tool::start("sigsnoop", &[]);
    take(libc::SIGIO);
    on_input(reader.as_fd(), libc::SIGIO);
    let mut taken = 0;
    for _ in 0..RUNS {
        writer.write_all(b"x").expect("room");
        taken += take(libc::SIGIO);
    }
    assert_eq!(taken, RUNS);
    let mut isolated = helper("helper_datagrams");
    workload::network::isolate(&mut isolated);
    let mut child = isolated.spawn().expect("this test again");
    assert!(child.wait().expect("a child").success());
    let seen = tool.stop();
    let written: Vec<&Value> = rows(&seen, libc::SIGIO, "tpid", me());
    assert_eq!(written.len(), RUNS, "{}", seen.messages);
    assert!(written.iter().all(|row| row["pid"] == me() && row["si_code_name"] == "POLL_IN"), "{}", written[0]);
    let datagrams = rows(&seen, libc::SIGIO, "tpid", child.id());
    assert_eq!(datagrams.len(), RUNS, "{}", seen.messages);
    assert!(datagrams.iter().all(|row| row["pid"].is_null() && row["si_code_name"] == "POLL_IN"), "{}", datagrams[0]);
}

#[test]
fn children_that_end_when_asked_for() {
    for (arguments, expected) in [(&["--chld"][..], RUNS), (&["-s", "17"], RUNS), (&[], 0), (&["--chld", "-s", "9"], 0)]
    {
        let tool = Tool::start("sigsnoop", arguments);
        let mut children = Vec::new();
        for _ in 0..RUNS {
            let mut child = Command::new("true").spawn().expect("true");
            child.wait().expect("a child");
            children.push(child.id());
        }
        let seen = tool.stop();
        let ended: Vec<&Value> = rows(&seen, libc::SIGCHLD, "tpid", me())
            .into_iter()
            .filter(|row| row["si_code_name"] == "CLD_EXITED")
            .collect();
        let senders: Vec<&Value> = ended.iter().map(|row| &row["pid"]).collect();
        assert_eq!(ended.len(), expected, "{arguments:?} {}", seen.messages);
        assert!(
            expected == 0
                || senders == children.iter().map(|pid| json!(pid)).collect::<Vec<_>>().iter().collect::<Vec<_>>()
        );
    }
    // One that a process sends is a signal as any other.
    let tool = Tool::start("sigsnoop", &[]);
    kill(me(), libc::SIGCHLD);
    assert_eq!(rows(&tool.stop(), libc::SIGCHLD, "tpid", me()).len(), 1);
}

/// A process that ends unseen by its parent is told to the next one as the parent ends: that did not end just then.
#[test]
fn children_of_others() {
    let tool = Tool::start("sigsnoop", &["-s", "CHLD"]);
    let mut parent = Command::new("sh");
    adopt_orphans(true);
    let mut parent =
        parent.args(["-c", "sleep 0 >&2 & echo $!; exec sleep 60"]).stdout(Stdio::piped()).spawn().expect("sh");
    let mut orphan = String::new();
    BufReader::new(parent.stdout.take().expect("piped")).read_line(&mut orphan).expect("its number");
    // It ends first, and its parent does not ask for it.
    let state = format!("/proc/{}/stat", orphan.trim());
    while !fs::read_to_string(&state).expect("nobody has waited for it").contains(") Z ") {
        thread::sleep(Duration::from_millis(1));
    }
    parent.kill().expect("a child");
    parent.wait().expect("a child");
    let reaped = reap();
    adopt_orphans(false);
    // In a namespace of its own a child has another number for its parent than for the machine.
    let mut inside = Command::new("unshare");
    let inside = inside.args(["-p", "-f", "sh", "-c", "sleep 0; sleep 0; sleep 0; :"]).status();
    assert!(inside.expect("unshare").success());
    let seen = tool.stop();
    let senders: Vec<&Value> = rows(&seen, libc::SIGCHLD, "tpid", me()).iter().map(|row| &row["pid"]).collect();
    let ended = senders.iter().filter(|pid| ***pid == json!(parent.id())).count();
    let adopted = senders.iter().filter(|pid| pid.is_null()).count();
    assert_eq!((ended, adopted, reaped), (1, 1, 1), "{senders:?} {}", seen.messages);
    // The orphan may have ended while its parent was a shell as well.
    let others = seen.rows().filter(|row| row["tpid"] != parent.id());
    let nested = others.filter(|row| row["tcomm"] == "sh" && row["comm"] == "sleep" && row["pid"].is_number());
    assert_eq!(nested.count(), 3, "{}", seen.messages);
}

#[test]
fn who_sends_and_to_whom() {
    let child = Waiting::start();
    let (sender, target, comm) = (me().to_string(), child.pid().to_string(), child.comm());
    let filters: &[(&[&str], usize)] = &[
        (&["-p", &sender], 2 * RUNS),
        (&["-p", &target], 0),
        (&["--tpid", &target], RUNS),
        (&["-T", &sender], RUNS),
        (&["-T", "1"], 0),
        (&["--tcomm", &comm], RUNS),
        (&["--tcomm", "nobody"], 0),
        (&["-p", &sender, "-T", &target, "-s", "URG"], 0),
    ];
    for (arguments, expected) in filters {
        let tool = Tool::start("sigsnoop", arguments);
        let pid = child.pid();
        let tid = thread::spawn(move || {
            // Neither sender nor target is the first thread of its process.
            let tid = workload::tid();
            for _ in 0..RUNS {
                assert_eq!(kill(pid, libc::SIGWINCH), 0);
                assert_eq!(tgkill(me(), tid, libc::SIGURG), 0);
            }
            tid
        });
        let tid = tid.join().expect("no panic");
        let seen = tool.stop();
        let mut own = rows(&seen, libc::SIGWINCH, "pid", me());
        own.extend(rows(&seen, libc::SIGURG, "pid", me()));
        assert_eq!(own.len(), *expected, "{arguments:?} {}", seen.messages);
        assert!(own.iter().all(|row| row["tid"] == tid));
        for row in own.iter().filter(|row| row["signal_name"] == "URG") {
            assert_eq!((&row["tpid"], &row["ttid"]), (&json!(me()), &json!(tid)));
        }
    }
}

#[test]
fn the_cgroup_is_that_of_the_sender_or_of_a_target_without_one() {
    let group = workload::Cgroup::new("cs-sigsnoop");
    let mut inside = helper("helper_in_cgroup");
    workload::Cgroup::join_before_exec(&mut inside, group.path());
    let tool = Tool::start("sigsnoop", &["--cgroup", group.path_str()]);
    let mut child = inside.env("CS_TARGET", me().to_string()).spawn().expect("this test again");
    kill(me(), libc::SIGWINCH);
    assert!(child.wait().expect("a child").success());
    let seen = tool.stop();
    let signals: Vec<(&Value, &Value, &Value)> =
        seen.rows().map(|row| (&row["pid"], &row["tpid"], &row["signal_name"])).collect();
    let (own, pid) = (json!(me()), json!(child.id()));
    assert_eq!(signals, [(&pid, &own, &json!("WINCH")), (&Value::Null, &pid, &json!("RTMIN+5"))]);
}

#[test]
fn calls_instead_of_signals() {
    for (arguments, found, missing) in [(&["-k"][..], RUNS, RUNS), (&["-kx"], 0, RUNS), (&["-x"], RUNS, 0)] {
        let tool = Tool::start("sigsnoop", arguments);
        let (reader, mut writer) = pipe();
        drop(reader);
        for _ in 0..RUNS {
            kill(me(), libc::SIGWINCH);
            kill(MISSING, libc::SIGWINCH);
            writer.write(b"x").expect_err("nobody reads");
        }
        let seen = tool.stop();
        assert_eq!(rows(&seen, libc::SIGWINCH, "tpid", me()).len(), found, "{arguments:?} {}", seen.messages);
        let failed = rows(&seen, libc::SIGWINCH, "tpid", MISSING);
        assert_eq!(failed.len(), missing, "{arguments:?}");
        for row in failed {
            assert_eq!(
                (&row["syscall"], &row["ret"], &row["si_code_name"]),
                (&json!("kill"), &json!(-libc::ESRCH), &Value::Null)
            );
        }
        // Nobody called for these.
        let calls = arguments[0].starts_with("-k");
        assert_eq!(rows(&seen, libc::SIGPIPE, "tpid", me()).len(), if calls { 0 } else { RUNS }, "{arguments:?}");
    }
}

#[test]
fn at_full_speed_rows_and_losses_are_what_was_made() {
    const SIGNALS: usize = 10_007;
    // The filter keeps out what others lose, and what ends the tool.
    let tool = Tool::start("sigsnoop", &["-p", &me().to_string(), "-s", "WINCH,URG"]);
    let send = |signal| {
        thread::spawn(move || {
            for _ in 0..SIGNALS {
                kill(me(), signal);
            }
        })
    };
    for thread in [send(libc::SIGWINCH), send(libc::SIGURG)] {
        thread.join().expect("no panic");
    }
    let seen = tool.stop();
    let rows = rows(&seen, libc::SIGWINCH, "pid", me()).len() + rows(&seen, libc::SIGURG, "pid", me()).len();
    seen.assert_all(rows, 2 * SIGNALS);
    assert!(rows > 1000, "{rows} rows");
}

fn is_helper() -> bool {
    env::var_os("CS_HELPER").is_some()
}

#[test]
#[ignore = "runs as a child of another test"]
fn helper_fault() {
    if is_helper() {
        fault();
    }
}

#[test]
#[ignore = "runs as a child of another test"]
fn helper_datagrams() {
    if !is_helper() {
        return;
    }
    let receiver = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a port");
    take(libc::SIGIO);
    on_input(receiver.as_fd(), libc::SIGIO);
    for _ in 0..RUNS {
        sender.send_to(b"x", receiver.local_addr().expect("a port")).expect("loopback");
        // Another thread of the kernel may bring it.
        while take(libc::SIGIO) == 0 {}
    }
}

#[test]
#[ignore = "runs as a child of another test"]
fn helper_in_cgroup() {
    if let Some(target) = env::var("CS_TARGET").ok().filter(|_| is_helper()) {
        kill(target.parse().expect("a process id"), libc::SIGWINCH);
        timers(1, libc::SIGRTMIN() + 5, true);
    }
}
