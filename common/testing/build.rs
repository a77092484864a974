//! Compiles bpf/yardstick.bpf.c, which examples/instructions.rs loads, and makes the skeleton of bpf/hooktest.bpf.c for
//! tests/hooks.rs and tests/nested.rs.

use std::env;
use std::path::PathBuf;
use std::process::exit;

fn main() {
    for file in ["yardstick.bpf.c", "include/core.bpf.h"] {
        println!("cargo:rerun-if-changed={}", corescope_bpf::dir().join(file).display());
    }
    let variable = |name| env::var(name).expect("set by cargo");
    let object = PathBuf::from(variable("OUT_DIR")).join("yardstick.o");
    if let Err(error) = corescope_build::compile("yardstick", &variable("CARGO_CFG_TARGET_ARCH"), &object) {
        eprintln!("{error:#}");
        exit(1);
    }
    corescope_build::skeleton_of("hooktest");
}
