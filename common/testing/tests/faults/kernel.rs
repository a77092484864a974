//! Kernels and users that do not let a tool do its work.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use corescope_testing::tool::binary;
use corescope_testing::{Scratch, process};

use crate::{each_tool, tried};
use corescope_testing::kernels::series;
use corescope_testing::run::{Ended, Run, refuses};

const BTF: &str = "/sys/kernel/btf/vmlinux";
/// The user `nobody`.
const NOBODY: u32 = 65534;

/// Where the binaries themselves lie may be closed to others. All copies come first: a program that is open for writing, be it
/// in a process that another thread has just forked, cannot be executed.
fn copies(name: &str) -> Scratch {
    let scratch = Scratch::new(name);
    for name in &tried() {
        fs::copy(binary(name), scratch.join(name)).expect("a readable binary");
    }
    scratch
}

/// What docs/kernels.md says: two capabilities, one more where maps count as locked memory; what Debian's kernels refuse with
/// those is not needed, or the tool says what is.
#[test]
fn with_the_capabilities_that_are_needed() {
    const CAP_SYS_RESOURCE: u32 = 24;
    const CAP_PERFMON: u32 = 38;
    const CAP_BPF: u32 = 39;
    let scratch = copies("capabilities");
    let counts_memory = series().is_some_and(|series| series == "5.10");
    each_tool(|name| {
        let run = |capabilities: &[u32]| {
            Run::start_program(name, &scratch.join(name), |command| process::only_capabilities(command, capabilities))
        };
        if counts_memory {
            // A tool with small maps may have enough otherwise.
            let little = |command: &mut Command| {
                process::lock_little_memory(command);
                process::only_capabilities(command, &[CAP_PERFMON, CAP_BPF]);
            };
            Run::start_program(name, &scratch.join(name), little).end().refused("CAP_SYS_RESOURCE");
        }
        let mut run =
            run(if counts_memory { &[CAP_PERFMON, CAP_BPF, CAP_SYS_RESOURCE] } else { &[CAP_PERFMON, CAP_BPF] });
        if run.attaches() {
            run.stop().well();
        } else {
            run.end().refused("CAP_SYS_ADMIN");
        }
        Run::start_program(name, &scratch.join(name), |command| process::only_capabilities(command, &[CAP_BPF]))
            .end()
            .refused("run it as root, or with CAP_BPF and CAP_PERFMON");
    });
}

#[test]
fn not_root() {
    let scratch = copies("not-root");
    each_tool(|name| {
        let mut command = Command::new(scratch.join(name));
        let output = command.uid(NOBODY).gid(NOBODY).stdin(Stdio::null()).output().expect("the tool starts");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let ended = Ended { name: name.into(), status: output.status, stdout: output.stdout, stderr };
        ended.refused("run it as root, or with CAP_BPF and CAP_PERFMON");
    });
}

#[test]
fn no_btf() {
    let scratch = Scratch::new("no-btf");
    each_tool(|name| {
        refuses(name, "CONFIG_DEBUG_INFO_BTF", |command| {
            process::mount_over(command, scratch.path(), Path::new("/sys/kernel/btf"));
        });
    });
}

#[test]
fn corrupt_btf() {
    let scratch = Scratch::new("corrupt-btf");
    let real = fs::read(BTF).expect("a kernel with BTF");
    let mut garbled = real.clone();
    for byte in garbled[64..].iter_mut().step_by(5) {
        *byte ^= 0x5a;
    }
    for (file, bytes) in [("garbage", &b"no types"[..]), ("cut", &real[..real.len() / 2]), ("garbled", &garbled[..])] {
        let path = scratch.join(file);
        fs::write(&path, bytes).expect("a writable folder");
        each_tool(|name| {
            refuses(name, "", |command| process::mount_over(command, &path, Path::new(BTF)));
            refuses(name, "--btf", |command| _ = command.arg("--btf").arg(&path));
        });
    }
}

#[test]
fn foreign_btf() {
    let scratch = Scratch::new("foreign-btf");
    let mut foreign = fs::read(BTF).expect("a kernel with BTF");
    let last = foreign.len() - 2;
    foreign[last] ^= 1;
    let path = scratch.join("foreign");
    fs::write(&path, foreign).expect("a writable folder");
    each_tool(|name| {
        refuses(name, "a different kernel", |command| _ = command.arg("--btf").arg(&path));
        // The kernel's own types are those of the kernel, whichever way they come.
        Run::attached(name, &["--btf", BTF]).stop().well();
    });
}

/// A kernel of which the types name no hook that tools use. Classic tracepoints are in no types.
#[test]
fn missing_hook() {
    let scratch = Scratch::new("missing-hook");
    let mut types = fs::read(BTF).expect("a kernel with BTF");
    for hook in [&b"btf_trace_"[..], b"bpf_iter_"] {
        let places: Vec<usize> =
            types.windows(hook.len()).enumerate().filter(|(_, window)| *window == hook).map(|(at, _)| at).collect();
        assert!(!places.is_empty());
        for at in places {
            types[at] = b'X';
        }
    }
    let path = scratch.join("types");
    fs::write(&path, types).expect("a writable folder");
    each_tool(|name| {
        let mut run = Run::start(name, |command| process::mount_over(command, &path, Path::new(BTF)));
        if run.attaches() {
            run.stop().well();
        } else {
            run.end().refused("this kernel has no ");
        }
    });
}
