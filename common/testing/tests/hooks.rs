//! Hooks that a tool attaches by hand, and those that lie in modules, on the kernel that runs.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bpf::{HooktestSkel, HooktestSkelBuilder};
use corescope::attach::{At, Libraries, Rate, Samples, uprobe};
use corescope::libbpf_rs::{Link, OpenObject};
use corescope::object::hooks;
use corescope::{Common, Setup};
use corescope_testing::tool::turn;
use corescope_testing::{Scratch, process};

corescope::skeleton!(library);

const CALLS: u64 = 997;
/// The variable that tells this test's binary to be the one that is probed.
const PROBED: &str = "CORESCOPE_PROBED";

/// Loads one program and no other.
fn load<'obj>(
    object: &'obj mut MaybeUninit<OpenObject>,
    programs: &[&str],
    configure: impl FnOnce(&mut Setup<'_>) -> corescope::Result<()>,
) -> corescope::Result<HooktestSkel<'obj>> {
    corescope::load(HooktestSkelBuilder::default(), object, &Common::default(), |setup| {
        for mut program in setup.progs_mut() {
            let wanted = program.name().to_str().is_some_and(|name| programs.contains(&name));
            program.set_autoload(wanted);
        }
        configure(setup)
    })
}

/// The function that is probed: by its name, in the table of symbols.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn corescope_probed(number: u64) -> u64 {
    std::hint::black_box(number) + 1
}

/// A process that calls the function each time that it is told to.
struct Probed(Child);

impl Probed {
    fn start(binary: &Path, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(binary);
        command.args(["--exact", "is_probed", "--nocapture", "--ignored"]).env(PROBED, "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        change(&mut command);
        let mut probed = Self(command.spawn().expect("a copy of this test"));
        probed.wait_for(b'<');
        probed
    }

    /// Lets it call the function, and waits until it has.
    fn call(&mut self) {
        self.0.stdin.as_mut().expect("piped").write_all(b"x").expect("it reads");
        self.wait_for(b'>');
    }

    fn wait_for(&mut self, mark: u8) {
        let output = self.0.stdout.as_mut().expect("piped");
        let mut byte = [0];
        while output.read_exact(&mut byte).is_ok() && byte[0] != mark {}
        assert_eq!(byte[0], mark, "it goes on");
    }
}

impl Drop for Probed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "the process that others probe"]
fn is_probed() {
    if std::env::var_os(PROBED).is_none() {
        return;
    }
    let (mut input, mut output) = (std::io::stdin(), std::io::stdout());
    output.write_all(b"<").and_then(|()| output.flush()).expect("a pipe");
    while input.read_exact(&mut [0]).is_ok() {
        let sum: u64 = (0..CALLS).map(|number| corescope_probed(number)).sum();
        assert!(sum > 0);
        output.write_all(b">").and_then(|()| output.flush()).expect("a pipe");
    }
}

/// A copy of this test under a name that no other process has mapped.
fn copy(scratch: &Scratch) -> PathBuf {
    let path = scratch.join("corescope-probed");
    fs::copy("/proc/self/exe", &path).expect("room");
    path
}

fn is_copy(name: &[u8]) -> bool {
    name == b"corescope-probed"
}

/// Attaches to what was found since the last look.
fn follow(libraries: &mut Libraries, skel: &HooktestSkel<'_>) -> Vec<Link> {
    let mut links = Vec::new();
    for library in libraries.look() {
        for (program, at) in [(&skel.progs.hooktest_call, At::Entry), (&skel.progs.hooktest_return, At::Return)] {
            let link = uprobe(program, &library.file, "corescope_probed", at).expect("an executable");
            links.push(link.expect("it has the function"));
        }
    }
    links
}

fn count_calls(probed: &mut Probed, attach: impl FnOnce(&HooktestSkel<'_>) -> Vec<Link>) -> (usize, u64, u64) {
    let mut object = MaybeUninit::uninit();
    let pid = probed.0.id();
    let skel = load(&mut object, &["hooktest_call", "hooktest_return"], |setup| setup.set("tgid", pid));
    let skel = skel.expect("uprobes are for all kernels");
    let links = attach(&skel);
    probed.call();
    let counts = skel.maps.bss_data.as_ref().expect("counters");
    (links.len(), counts.calls, counts.returns)
}

/// 1 + 2 + ... as each call returns one more than it was given.
const RETURNS: u64 = CALLS * (CALLS + 1) / 2;

#[test]
fn calls_and_results_of_a_library_are_exact() {
    let _turn = turn();
    let scratch = Scratch::new("uprobe");
    let mut probed = Probed::start(&copy(&scratch), |_| {});
    let counts = count_calls(&mut probed, |skel| follow(&mut Libraries::new(is_copy), skel));
    assert_eq!(counts, (2, CALLS, RETURNS));
}

#[test]
fn a_deleted_file_is_probed_as_well() {
    let _turn = turn();
    let scratch = Scratch::new("uprobe-deleted");
    let path = copy(&scratch);
    let mut probed = Probed::start(&path, |_| {});
    fs::remove_file(&path).expect("it was there");
    let counts = count_calls(&mut probed, |skel| follow(&mut Libraries::new(is_copy), skel));
    assert_eq!(counts, (2, CALLS, RETURNS));
}

#[test]
fn a_copy_in_another_mount_namespace_that_comes_later_is_found() {
    let _turn = turn();
    let (scratch, other) = (Scratch::new("uprobe-first"), Scratch::new("uprobe-other"));
    let (path, hidden) = (copy(&scratch), copy(&other));
    let _first = Probed::start(&path, |_| {});
    let mut libraries = Libraries::new(is_copy);
    assert_eq!(libraries.look().len(), 1);
    // Another file at the same path, which is to be seen in that namespace only.
    let mut probed = Probed::start(&path, |command| process::mount_over(command, &hidden, &path));
    let counts = count_calls(&mut probed, |skel| follow(&mut libraries, skel));
    assert_eq!(counts, (2, CALLS, RETURNS));
    assert!(libraries.look().is_empty());
}

#[test]
fn functions_of_the_c_library_are_behind_their_first_instruction() {
    let _turn = turn();
    let mut object = MaybeUninit::uninit();
    let me = std::process::id();
    let skel = load(&mut object, &["hooktest_call"], |setup| setup.set("tgid", me)).expect("for all kernels");
    let mut libraries = Libraries::new(|name| name == b"libc.so.6" || name.starts_with(b"libc-"));
    let mut links = Vec::new();
    for library in libraries.look() {
        assert!(
            uprobe(&skel.progs.hooktest_call, &library.file, "no_such_function", At::Entry).expect("ELF").is_none()
        );
        links.extend(uprobe(&skel.progs.hooktest_call, &library.file, "getpriority", At::Entry).expect("ELF"));
    }
    assert!(!links.is_empty(), "this test is linked with a C library");
    for _ in 0..CALLS {
        // SAFETY: getpriority(2) takes no pointers.
        unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    }
    assert_eq!(skel.maps.bss_data.as_ref().expect("counters").calls, CALLS);
}

/// A folder of files, below an overlay as container engines make one for each container.
struct Overlay(PathBuf);

impl Overlay {
    fn new(scratch: &Scratch, name: &str, image: &Path) -> Option<Self> {
        let (place, empty) = (scratch.join(name), scratch.join("empty"));
        fs::create_dir_all(&place).and_then(|()| fs::create_dir_all(&empty)).expect("room");
        let options = format!("lowerdir={}:{}", image.display(), empty.display());
        let mounted = Command::new("mount").args(["-t", "overlay", "overlay", "-o", &options]).arg(&place).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(place))
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn one_file_below_two_overlays_is_probed_once() {
    let _turn = turn();
    let (scratch, image) = (Scratch::new("uprobe-overlay"), Scratch::new("uprobe-image"));
    copy(&image);
    let _ = Command::new("modprobe").arg("overlay").output();
    let overlays = ["one", "two"].map(|name| Overlay::new(&scratch, name, image.path()));
    let [Some(one), Some(two)] = &overlays else {
        assert!(corescope_testing::kernels::series().is_none(), "an emulated machine has overlays");
        return;
    };
    let _first = Probed::start(&one.0.join("corescope-probed"), |_| {});
    let mut second = Probed::start(&two.0.join("corescope-probed"), |_| {});
    let counts = count_calls(&mut second, |skel| follow(&mut Libraries::new(is_copy), skel));
    assert_eq!(counts, (2, CALLS, RETURNS));
}

fn samples_of(skel: &HooktestSkel<'_>, cpu: usize) -> u64 {
    skel.maps.bss_data.as_ref().expect("counters").samples[cpu]
}

/// Keeps a CPU busy for a while: a timer that counts what runs needs something that runs.
fn busy(cpu: usize, time: Duration) {
    thread::spawn(move || {
        corescope_testing::workload::pin(cpu);
        let start = Instant::now();
        while start.elapsed() < time {
            std::hint::spin_loop();
        }
    })
    .join()
    .expect("it only counts");
}

#[test]
fn samples_come_at_their_rate_on_their_cpus() {
    let _turn = turn();
    let mut object = MaybeUninit::uninit();
    let skel = load(&mut object, &["hooktest_sample"], |_| Ok(())).expect("for all kernels");
    let samples = Samples::attach(&skel.progs.hooktest_sample, Rate::Hertz(99), Some(vec![0])).expect("CPU 0");
    assert_eq!(samples.cpus().collect::<Vec<_>>(), [0]);
    let start = Instant::now();
    busy(0, Duration::from_secs(2));
    drop(samples);
    let expected = start.elapsed().as_millis() * 99 / 1000;
    let seen = u128::from(samples_of(&skel, 0));
    // An emulated machine's timer may be late, and then comes once for several times.
    assert!(seen > expected / 2 && seen < expected * 5 / 4 + 5, "{seen} samples, {expected} expected");
    assert_eq!(samples_of(&skel, 1), 0);
    assert!(Samples::attach(&skel.progs.hooktest_sample, Rate::Hertz(99), Some(vec![4000])).is_err());
}

/// Not all machines can switch a CPU off; the emulated ones can.
#[test]
fn samples_follow_cpus_that_come_and_go() {
    const SWITCH: &str = "/sys/devices/system/cpu/cpu1/online";
    let _turn = turn();
    if fs::write(SWITCH, "0").is_err() {
        assert!(corescope_testing::kernels::series().is_none(), "an emulated machine has a second CPU");
        return;
    }
    let mut object = MaybeUninit::uninit();
    let skel = load(&mut object, &["hooktest_sample"], |_| Ok(())).expect("for all kernels");
    let program = &skel.progs.hooktest_sample;
    let mut samples = Samples::attach(program, Rate::Hertz(199), None).expect("CPU 0");
    assert_eq!(samples.cpus().collect::<Vec<_>>(), [0]);
    for _ in 0..2 {
        fs::write(SWITCH, "1").expect("it was on before");
        samples.follow(program).expect("it is there");
        assert_eq!(samples.cpus().collect::<Vec<_>>(), [0, 1]);
        let before = samples_of(&skel, 1);
        busy(1, Duration::from_secs(1));
        assert!(samples_of(&skel, 1) > before + 20, "{} and {before} before", samples_of(&skel, 1));
        fs::write(SWITCH, "0").expect("it can be switched off");
        samples.follow(program).expect("one is left");
        assert_eq!(samples.cpus().collect::<Vec<_>>(), [0]);
    }
    fs::write(SWITCH, "1").expect("it was on before");
}

/// A loop device on a file, from a place in it on.
struct Loop(PathBuf);

impl Loop {
    fn new(scratch: &Scratch, offset: u64) -> Self {
        let image = scratch.join("image");
        File::create(&image).and_then(|file| file.set_len(1 << 20)).expect("room");
        let device = PathBuf::from("/dev/loop7");
        run(Command::new("losetup").args(["-o", &offset.to_string()]).arg(&device).arg(&image));
        Self(device)
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("-d").arg(&self.0).status();
    }
}

fn run(command: &mut Command) {
    let output = command.output().expect("it is there");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn structs_and_functions_of_a_module() {
    const OFFSET: u64 = 4096;
    const LOOP_GET_STATUS64: u64 = 0x4c05;
    let _turn = turn();
    // Only emulated machines have modules that may be loaded at will.
    let Some(series) = corescope_testing::kernels::series() else { return };
    run(Command::new("modprobe").args(["loop", "max_loop=8"]));
    let scratch = Scratch::new("module");
    let device = Loop::new(&scratch, OFFSET);
    let device = File::open(&device.0).expect("a device");
    for program in ["hooktest_ioctl", "hooktest_ioctlk"] {
        let mut object = MaybeUninit::uninit();
        let mut shows_types = false;
        let loaded = load(&mut object, &[], |setup| {
            shows_types = setup.use_module("loop");
            setup.set("tgid", std::process::id())?;
            hooks::choose(setup, &[&[program]]).map(|_| ())
        });
        // Modules show their types from 5.11 on.
        assert_eq!(shows_types, series != "5.10");
        if !shows_types {
            let error = format!("{:#}", loaded.err().expect("there are no types"));
            assert_eq!(error, "this kernel has no function lo_ioctl");
            continue;
        }
        let skel = loaded.expect("types of the module");
        let links = corescope::attach(&skel, &Common::default()).expect("a function of the module");
        let mut status = [0u8; 256];
        // SAFETY: struct loop_info64 has 232 bytes.
        let failed = unsafe { libc::ioctl(device.as_raw_fd(), LOOP_GET_STATUS64, status.as_mut_ptr()) };
        assert_eq!(failed, 0);
        drop(links);
        assert_eq!(skel.maps.bss_data.as_ref().expect("counters").offset, OFFSET, "{program}");
    }
}
