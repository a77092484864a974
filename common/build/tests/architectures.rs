//! Every BPF program compiles for every architecture that there is a vmlinux.h for.

use std::env::consts::ARCH;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

/// That of this machine is left out: the build has compiled its programs.
fn others() -> impl Iterator<Item = &'static str> + Clone {
    ["x86_64", "aarch64"].into_iter().filter(|arch| *arch != ARCH)
}

#[test]
fn every_program_compiles_for_every_architecture() {
    let out = std::env::temp_dir().join(format!("corescope-architectures-{}", std::process::id()));
    fs::create_dir_all(&out).expect("a temporary folder");
    let all: Vec<(String, &str)> = fs::read_dir(corescope_bpf::dir())
        .expect("the programs' folder")
        .map(|entry| entry.expect("a file").file_name().into_string().expect("an ASCII name"))
        .filter_map(|name| name.strip_suffix(".bpf.c").map(str::to_owned))
        .flat_map(|tool| others().map(move |arch| (tool.clone(), arch)))
        .collect();
    assert!(all.len() >= 2, "no programs");

    let left = Mutex::new(all.iter());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let next = left.lock().expect("no thread has failed").next();
                    let Some((tool, arch)) = next else { break };
                    compiles(tool, arch, &out);
                }
            });
        }
    });
    fs::remove_dir_all(&out).expect("a folder of one's own");
}

fn compiles(tool: &str, arch: &str, out: &Path) {
    let object = out.join(format!("{tool}-{arch}.o"));
    corescope_build::compile(tool, arch, &object).unwrap_or_else(|error| panic!("{tool} for {arch}: {error:#}"));
    assert!(fs::metadata(&object).expect("an object file").len() > 1000, "{tool} for {arch}");
}
