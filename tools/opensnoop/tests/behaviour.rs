//! opensnoop against opens that are known.

use std::env;
use std::ffi::{CStr, CString, OsStr};
use std::fs::{self, File};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use corescope::kernel::Types;
use corescope_testing::workload::open::{HERE, open_and_close, open_by_handle, open_unreadable, openat, openat2};
use corescope_testing::workload::uring::{By, Uring};
use corescope_testing::workload::{self, Cgroup, bind_folder, own_folders, pin, tid};
use corescope_testing::{Scratch, Seen, Tool};
use serde_json::{Value, json};

/// A prime number, so that no product of something else hits it by chance.
const OPENS: usize = 37;
const MISSING: &str = "/corescope/missing";

fn me() -> String {
    std::process::id().to_string()
}

/// Starts the tool for this process.
fn trace(arguments: &[&str]) -> Tool {
    let me = me();
    Tool::start("opensnoop", &[&["-p", &me], arguments].concat())
}

fn missing(times: usize) {
    for _ in 0..times {
        assert_eq!(openat(HERE, MISSING.as_ref(), libc::O_RDONLY, 0).err(), Some(libc::ENOENT));
    }
}

/// The one row of a path.
fn row<'a>(seen: &'a Seen, path: &OsStr) -> &'a Value {
    let rows = seen.rows_with("path", json!(path.to_str().expect("text")));
    assert_eq!(rows.len(), 1, "{}: {rows:?} {}", path.display(), seen.messages);
    rows[0]
}

#[test]
fn every_call_is_a_row() {
    let scratch = Scratch::new("opens");
    let made = scratch.join("made");
    let tool = trace(&[]);
    let mut fds = Vec::new();
    missing(OPENS);
    for number in 0..OPENS {
        let path = made.with_extension(number.to_string());
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC;
        fds.push(openat(HERE, path.as_os_str(), flags, 0o640).expect("a new file").as_raw_fd());
        // Of a file that is there the mode is not looked at.
        let again = openat2(HERE, path.as_os_str(), libc::O_RDWR | libc::O_APPEND, 0, 4).expect("a file");
        assert_eq!(Some(&again.as_raw_fd()), fds.last());
    }
    assert_eq!(open_unreadable().err(), Some(libc::EFAULT));
    let seen = tool.stop();
    assert_eq!(seen.lost(), 0, "{}", seen.messages);

    let rows = seen.rows_with("path", MISSING);
    assert_eq!(rows.len(), OPENS);
    for row in rows {
        assert_eq!((&row["ret"], &row["syscall"]), (&json!(-libc::ENOENT), &json!("openat")));
        assert_eq!((&row["pid"], &row["tid"], &row["uid"]), (&json!(std::process::id()), &json!(tid()), &json!(0)));
        assert_eq!((&row["dirfd"], &row["mode"]), (&json!(HERE), &json!(0)));
        assert_eq!(row["file"], Value::Null);
    }
    for (number, fd) in fds.iter().enumerate() {
        let path = made.with_extension(number.to_string());
        let rows = seen.rows_with("path", json!(path));
        assert_eq!(rows.len(), 2, "{rows:?}");
        assert_eq!(
            (&rows[0]["syscall"], &rows[0]["ret"], &rows[0]["mode"]),
            (&json!("openat"), &json!(fd), &json!(0o640))
        );
        assert_eq!(rows[0]["flag_names"], "O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC");
        assert_eq!((&rows[1]["syscall"], &rows[1]["ret"]), (&json!("openat2"), &json!(fd)));
        assert_eq!((&rows[1]["flag_names"], &rows[1]["mode"]), (&json!("O_RDWR|O_APPEND"), &json!(0)));
        assert_eq!(rows[1]["resolve_names"], "RESOLVE_NO_SYMLINKS");
    }
    // An address that cannot be read is no empty path.
    let unreadable = seen.rows_with("ret", -libc::EFAULT);
    assert_eq!(unreadable.len(), 1);
    assert_eq!(unreadable[0]["path"], Value::Null);
}

const MISSING_FOR_RING: &CStr = c"/corescope/ring";

/// Makes a file and looks for one that is missing; gives the descriptor of the first.
fn open_by_ring(by: By, folder: &File, name: &str) -> i32 {
    let mut ring = Uring::new(by).expect("io_uring");
    let name = CString::new(name).expect("no NUL");
    let fd = ring.openat(folder.as_raw_fd(), &name, libc::O_WRONLY | libc::O_CREAT, 0o640);
    assert_eq!(ring.openat2(HERE, MISSING_FOR_RING, 0, 4), -libc::ENOENT);
    fd
}

#[test]
fn opens_of_rings_are_rows_where_the_kernel_tells() {
    if !Types::read(None).expect("the kernel's types").has_type("io_cmd_data") {
        return; // before 6.0, the manual page's "Limits"
    }
    let scratch = Scratch::new("rings");
    let folder = File::open(scratch.path()).expect("a folder");
    let ways = [By::Caller, By::Worker, By::Poller];
    let open_all = || -> Vec<i32> {
        ways.iter().enumerate().map(|(number, by)| open_by_ring(*by, &folder, &format!("made {number}"))).collect()
    };
    let tool = trace(&["-F"]);
    let fds = open_all();
    let seen = tool.stop();
    let tool = trace(&["-x", "-f", "O_RDONLY"]);
    open_all();
    let failed = tool.stop();
    let tool = Tool::start("opensnoop", &["-p", "1"]);
    open_all();
    let other = tool.stop();
    let ring_rows = |seen: &Seen| seen.rows().filter(|row| row["io_uring"] == true).cloned().collect::<Vec<Value>>();
    let rows = ring_rows(&seen);
    assert_eq!(rows.len(), 2 * ways.len(), "{rows:?} {}", seen.messages);
    for (number, fd) in fds.into_iter().enumerate() {
        let (made, none) = (&rows[2 * number], &rows[2 * number + 1]);
        let name = format!("made {number}");
        assert_eq!((&made["ret"], &made["syscall"], &made["path"]), (&json!(fd), &json!("openat"), &json!(name)));
        assert_eq!((&made["file"], &made["mode"]), (&json!(scratch.join(&name)), &json!(0o640)));
        assert_eq!(
            (&made["dirfd"], &made["flag_names"]),
            (&json!(folder.as_raw_fd()), &json!("O_WRONLY|O_CREAT|O_LARGEFILE"))
        );
        assert_eq!((&none["ret"], &none["syscall"]), (&json!(-libc::ENOENT), &json!("openat2")));
        assert_eq!((&none["path"], &none["resolve"]), (&json!(MISSING_FOR_RING.to_str().expect("text")), &json!(4)));
        for row in [made, none] {
            assert_eq!((&row["pid"], &row["uid"]), (&json!(std::process::id()), &json!(0)), "{row}");
        }
        // Of the thread that looks into the ring for its process.
        assert_eq!(made["tid"] == json!(tid()), ways[number] != By::Poller, "{made}");
    }
    assert!(ring_rows(&failed).iter().all(|row| row["ret"] == -libc::ENOENT) && ring_rows(&failed).len() == ways.len());
    assert!(ring_rows(&other).is_empty());
}

#[cfg(target_arch = "x86_64")]
#[test]
fn old_calls_and_32_bit_callers_are_rows() {
    use corescope_testing::workload::open::{creat, open};
    use corescope_testing::workload::{LowMemory, compat};
    let scratch = Scratch::new("old-opens");
    let paths = ["open", "creat", "compat-open", "compat-creat", "compat-openat"].map(|name| scratch.join(name));
    let mut memory = LowMemory::new();
    let low = paths.each_ref().map(|path| {
        let mut bytes = path.as_os_str().as_bytes().to_vec();
        bytes.push(0);
        memory.put(&bytes)
    });
    let create = (libc::O_WRONLY | libc::O_CREAT).cast_unsigned();
    let tool = trace(&[]);
    drop(open(paths[0].as_os_str(), libc::O_RDWR | libc::O_CREAT | libc::O_SYNC, 0o600).expect("a new file"));
    drop(creat(paths[1].as_os_str(), 0o604).expect("a new file"));
    // open, creat and openat of i386. The descriptors stay open.
    // SAFETY: the paths end in NUL.
    let results = unsafe {
        [
            compat(5, [low[2], create, 0o620, 0, 0]),
            compat(8, [low[3], 0o602, 0, 0, 0]),
            compat(295, [HERE.cast_unsigned(), low[4], create, 0o666, 0]),
            compat(5, [8, 0, 0, 0, 0]),
        ]
    };
    let seen = tool.stop();
    assert!(results[..3].iter().all(|fd| *fd > 2) && results[3] == -libc::EFAULT, "{results:?}");
    let expected = [
        ("open", "native", 0o600, "O_RDWR|O_SYNC|O_CREAT"),
        ("creat", "native", 0o604, "O_WRONLY|O_CREAT|O_TRUNC"),
        ("open", "compat", 0o620, "O_WRONLY|O_CREAT"),
        ("creat", "compat", 0o602, "O_WRONLY|O_CREAT|O_TRUNC"),
        ("openat", "compat", 0o666, "O_WRONLY|O_CREAT"),
    ];
    for (path, (call, abi, mode, flags)) in paths.iter().zip(expected) {
        let row = row(&seen, path.as_os_str());
        assert_eq!((&row["syscall"], &row["abi"]), (&json!(call), &json!(abi)));
        assert_eq!((&row["mode"], &row["flag_names"]), (&json!(mode), &json!(flags)));
    }
    for (path, fd) in paths[2..].iter().zip(results) {
        assert_eq!(row(&seen, path.as_os_str())["ret"], fd);
    }
    assert_eq!(row(&seen, paths[4].as_os_str())["dirfd"], HERE);
}

#[test]
fn what_a_handle_opens_has_a_path() {
    let scratch = Scratch::new("handle");
    let path = scratch.join("file");
    File::create(&path).expect("a writable folder");
    let tool = trace(&[]);
    let opened = open_by_handle(&path, libc::O_RDONLY);
    let seen = tool.stop();
    let opened = opened.expect("a file system with handles");
    let rows = seen.rows_with("syscall", "open_by_handle_at");
    assert_eq!(rows.len(), 1, "{}", seen.messages);
    assert_eq!((&rows[0]["ret"], &rows[0]["path"]), (&json!(opened.as_raw_fd()), &Value::Null));
    assert_eq!(rows[0]["file"], json!(path));
}

#[test]
fn filters_let_through_what_they_name_and_nothing_else() {
    let name = fs::read_to_string("/proc/thread-self/comm").expect("a thread's name");
    let thread = tid().to_string();
    let filters: &[(&[&str], usize)] = &[
        (&["-p", "1"], 0),
        (&["-t", &thread], OPENS),
        (&["-u", "nobody"], 0),
        (&["-u", "0"], OPENS),
        (&["-n", "no such name"], 0),
        (&["-n", &name.trim()[1..]], OPENS),
        (&["-x"], OPENS),
        (&["-f", "O_WRONLY"], 0),
        (&["-f", "O_RDONLY"], OPENS),
        (&["-f", "O_RDWR", "-f", "O_CREAT"], 0),
        (&["-f", "O_RDWR", "-f", "O_RDONLY"], OPENS),
    ];
    for (arguments, expected) in filters {
        let tool = Tool::start("opensnoop", arguments);
        missing(OPENS);
        let seen = tool.stop();
        assert_eq!(seen.rows_with("path", MISSING).len(), *expected, "{arguments:?} {}", seen.messages);
    }
}

/// BCC's -p takes the thread's id in some tools, and its -f any bit of a flag.
#[test]
fn a_process_is_all_its_threads_and_a_flag_all_its_bits() {
    let scratch = Scratch::new("threads");
    let tool = trace(&["-x", "-f", "O_SYNC", "-f", "O_TMPFILE"]);
    let other = thread::spawn(|| {
        let _ = openat(HERE, MISSING.as_ref(), libc::O_RDWR | libc::O_SYNC, 0);
        let _ = openat(HERE, MISSING.as_ref(), libc::O_RDWR | libc::O_DSYNC, 0);
        let _ = openat(HERE, MISSING.as_ref(), libc::O_RDONLY | libc::O_DIRECTORY, 0);
        tid()
    });
    let other = other.join().expect("opens that fail");
    drop(File::create(scratch.join("succeeds")).expect("a writable folder"));
    let seen = tool.stop();
    let rows: Vec<&Value> = seen.rows().collect();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!((&rows[0]["tid"], &rows[0]["flag_names"]), (&json!(other), &json!("O_RDWR|O_SYNC")));
    let tool = Tool::start("opensnoop", &["-t", &me()]);
    let _ = thread::spawn(|| missing(OPENS)).join();
    assert!(tool.stop().rows_with("path", MISSING).is_empty(), "another thread of the process");
}

#[test]
fn users_and_cgroups_are_filters() {
    let group = Cgroup::new("cs-opensnoop");
    for (arguments, expected) in
        [(["--cgroup", group.path_str()], [OPENS, 0]), (["-u", "65534"], [0, OPENS]), (["-u", "nobody"], [0, OPENS])]
    {
        let tool = Tool::start("opensnoop", &arguments);
        for (name, user) in [("in", 0), ("out", 65534)] {
            let mut child = Command::new("/proc/self/exe");
            child.args(["--ignored", "--exact", "helper_opens"]).env("CS_OPEN", format!("{MISSING}-{name}"));
            if name == "in" {
                Cgroup::join_before_exec(&mut child, group.path());
            }
            // Not before the exec: who may read this test is another matter.
            child.env("CS_USER", user.to_string());
            let output = child.output().expect("this test again");
            assert!(output.status.success(), "{output:?}");
        }
        let seen = tool.stop();
        let counts = ["in", "out"].map(|name| seen.rows_with("path", format!("{MISSING}-{name}")).len());
        assert_eq!(counts, expected, "{arguments:?} {}", seen.messages);
    }
}

#[test]
fn long_paths_are_whole_and_too_long_ones_are_seen() {
    let part = "p".repeat(200);
    let mut path = String::new();
    while path.len() + 201 <= 4095 {
        path.push('/');
        path.push_str(&part);
    }
    path.push_str(&"/".repeat(4095 - path.len()));
    let tool = trace(&[]);
    for path in [&path, &format!("{path}/")] {
        assert!(openat(HERE, path.as_ref(), libc::O_RDONLY, 0).is_err());
    }
    assert_eq!(openat(HERE, "".as_ref(), libc::O_RDONLY, 0).err(), Some(libc::ENOENT));
    let seen = tool.stop();
    // What does not fit is cut by its last byte: the kernel did not look at it either.
    let rows = seen.rows_with("path", json!(path));
    assert_eq!(rows.len(), 2, "{}", seen.messages);
    assert_eq!([&rows[0]["ret"], &rows[1]["ret"]], [&json!(-libc::ENOENT), &json!(-libc::ENAMETOOLONG)]);
    assert_eq!(row(&seen, OsStr::new(""))["ret"], -libc::ENOENT);
}

#[test]
fn full_paths_start_at_the_root_of_the_process() {
    let scratch = Scratch::new("full");
    let (real, shown, deep) = (scratch.join("real"), scratch.join("shown"), scratch.join("real/a/b"));
    fs::create_dir_all(&deep).expect("a folder");
    fs::create_dir(&shown).expect("a folder");
    fs::write(deep.join("file"), "").expect("a file");
    let tool = trace(&["-F"]);
    let opened = thread::spawn({
        let (real, shown) = (real.clone(), shown.clone());
        move || {
            own_folders();
            bind_folder(&real, &shown);
            env::set_current_dir(shown.join("a")).expect("a folder");
            let relative = openat(HERE, "b/file".as_ref(), libc::O_RDONLY, 0);
            let folder: OwnedFd = File::open(shown.join("a/b")).expect("a folder").into();
            let by_folder = openat(folder.as_raw_fd(), "../b/file".as_ref(), libc::O_RDONLY, 0);
            let outside = openat(folder.as_raw_fd(), "no-file".as_ref(), libc::O_RDONLY, 0);
            std::os::unix::fs::chroot(shown.join("a")).expect("a folder");
            let in_root = openat(HERE, "b/./file".as_ref(), libc::O_RDONLY, 0);
            let absolute = openat(HERE, "/b/file".as_ref(), libc::O_RDONLY, 0);
            let nowhere = openat(99, "x".as_ref(), libc::O_RDONLY, 0);
            [relative, by_folder, outside, in_root, absolute, nowhere].map(|opened| opened.is_ok())
        }
    });
    assert_eq!(opened.join().expect("a thread"), [true, true, false, true, true, false]);
    let seen = tool.stop();
    let full = |path: &str| row(&seen, path.as_ref())["file"].clone();
    // As the process sees it, through the folder that is mounted, and not where the files really are.
    assert_eq!(full("b/file"), json!(shown.join("a/b/file")));
    assert_eq!(full("../b/file"), json!(shown.join("a/b/../b/file")));
    assert_eq!(full("no-file"), json!(shown.join("a/b/no-file")));
    assert_eq!(full("b/./file"), "/b/./file");
    assert_eq!(full("/b/file"), "/b/file");
    assert_eq!(full("x"), Value::Null, "there is no such folder");
}

#[test]
fn a_command_and_what_it_starts() {
    let program = env::current_exe().expect("a path");
    let command = format!("{} --ignored --exact helper_starts_another", program.display());
    let tool = Tool::start("opensnoop", &["--exec", &command]);
    missing(OPENS);
    let seen = tool.wait();
    assert!(seen.rows_with("path", MISSING).is_empty(), "this process is not the command");
    let ours = seen.rows_with("path", "/corescope/started");
    assert_eq!(ours.len(), OPENS, "{}", seen.messages);
    let before = seen.rows_with("comm", "opensnoop");
    assert!(before.is_empty(), "until the command is executed there is nothing to see: {before:?}");
}

#[test]
fn it_ends_after_its_time() {
    let start = Instant::now();
    let tool = Tool::start("opensnoop", &["-d", "1.5"]);
    missing(OPENS);
    let seen = tool.wait();
    assert!(start.elapsed() >= Duration::from_millis(1500));
    assert_eq!(seen.rows_with("path", MISSING).len(), OPENS);
}

#[test]
fn at_full_speed_rows_and_losses_are_what_was_made() {
    const TIMES: usize = 20_011;
    let scratch = Scratch::new("speed");
    let path = scratch.join("cs-open-speed");
    File::create(&path).expect("a writable folder");
    let tool = Tool::start("opensnoop", &["-n", "open-speed"]);
    let threads = [0, 1].map(|cpu| {
        let path = path.clone();
        let thread = thread::Builder::new().name("open-speed".into());
        let opens = move || {
            pin(cpu);
            open_and_close(path.as_os_str(), TIMES);
        };
        thread.spawn(opens).expect("a thread")
    });
    for thread in threads {
        thread.join().expect("a file that can be opened");
    }
    let seen = tool.stop();
    let rows = seen.rows_with("path", json!(path)).len();
    // Others lose events as well, when these fill the buffer.
    let known = rows as u64 + seen.lost();
    assert!(rows <= 2 * TIMES && known >= 2 * TIMES as u64, "{rows} rows: {}", seen.messages);
    assert!(rows > 1000, "{rows} rows");
}

#[test]
#[ignore = "runs as a child of another test"]
fn helper_opens() {
    let Some(path) = env::var_os("CS_OPEN") else { return };
    let user = env::var("CS_USER").ok().and_then(|user| user.parse().ok()).unwrap_or(0);
    if user > 0 {
        // SAFETY: setuid(2) takes no pointers. Of threads: glibc changes all of them.
        assert_eq!(unsafe { libc::setuid(user) }, 0);
    }
    for _ in 0..OPENS {
        assert_eq!(openat(HERE, &path, libc::O_RDONLY, 0).err(), Some(libc::ENOENT));
    }
}

#[test]
#[ignore = "runs as a child of another test"]
fn helper_starts_another() {
    let mut child = Command::new("/proc/self/exe");
    child.args(["--ignored", "--exact", "helper_opens"]).env("CS_OPEN", "/corescope/started");
    assert!(child.status().expect("this test again").success());
}

/// Opens a FIFO that nobody writes to.
fn open_fifo(path: &OsStr) -> Result<OwnedFd, i32> {
    openat(HERE, path, libc::O_RDONLY | libc::O_CLOEXEC, 0)
}

#[test]
fn opens_that_signals_interrupt_are_one_open_or_say_so() {
    const TIMES: usize = 5;
    let scratch = Scratch::new("interrupted");
    let fifo = scratch.join("fifo");
    let name = std::ffi::CString::new(fifo.as_os_str().as_bytes()).expect("no NUL");
    // SAFETY: the path ends in NUL.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    for restart in [false, true] {
        let tool = trace(&[]);
        let opens = || {
            for _ in 0..if restart { 0 } else { TIMES } {
                assert_eq!(open_fifo(fifo.as_os_str()).err(), Some(libc::EINTR));
            }
            assert!(open_fifo(fifo.as_os_str()).is_ok());
        };
        let tid = workload::interrupt(TIMES, restart, opens, || drop(File::options().write(true).open(&fifo)));
        let seen = tool.stop();
        let rows: Vec<&Value> =
            seen.rows_with("tid", tid).into_iter().filter(|row| row["path"] == json!(fifo)).collect();
        let errors = rows.iter().filter(|row| row["error"] == "EINTR").count();
        assert_eq!((rows.len(), errors), if restart { (1, 0) } else { (TIMES + 1, TIMES) }, "{rows:?}");
    }
}

#[test]
fn an_empty_path_is_no_directory() {
    let tool = trace(&["-F"]);
    let folder = fs::File::open("/etc").expect("a folder");
    let _ = openat(HERE, OsStr::new(""), libc::O_RDONLY, 0).expect_err("no file");
    let memory = corescope_testing::workload::open::memory_file();
    assert_eq!(openat(memory.as_raw_fd(), OsStr::new("rel"), libc::O_RDONLY, 0).err(), Some(libc::ENOTDIR));
    drop(folder);
    let seen = tool.stop();
    assert_eq!(row(&seen, OsStr::new(""))["file"], Value::Null);
    let relative = row(&seen, OsStr::new("rel"))["file"].as_str().expect("a name").to_string();
    assert!(relative.starts_with("tmpfs:memfd:") && relative.ends_with("/rel"), "{relative}");
}
