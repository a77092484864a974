//! Every BPF program compiles for every architecture that there is a vmlinux.h for.

use std::fs;

#[test]
fn every_program_compiles_for_every_architecture() {
    let out = std::env::temp_dir().join(format!("corescope-architectures-{}", std::process::id()));
    fs::create_dir_all(&out).expect("a temporary folder");
    let mut compiled = 0;
    for entry in fs::read_dir(corescope_bpf::dir()).expect("the programs' folder") {
        let name = entry.expect("a file").file_name().into_string().expect("an ASCII name");
        let Some(tool) = name.strip_suffix(".bpf.c") else { continue };
        for arch in ["x86_64", "aarch64"] {
            let object = out.join(format!("{tool}-{arch}.o"));
            corescope_build::compile(tool, arch, &object)
                .unwrap_or_else(|error| panic!("{tool} for {arch}: {error:#}"));
            assert!(fs::metadata(&object).expect("an object file").len() > 1000, "{tool} for {arch}");
            compiled += 1;
        }
    }
    fs::remove_dir_all(&out).expect("a folder of one's own");
    assert!(compiled >= 2, "no programs");
}
