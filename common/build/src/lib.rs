//! From `bpf/<tool>.bpf.c` to a Rust skeleton, for a tool's build script. The only crate that knows clang and
//! libbpf-cargo.
//!
//! ```no_run
//! fn main() {
//!     corescope_build::skeleton();
//! }
//! ```

mod depfile;
mod plain;

use std::path::{Path, PathBuf};
use std::process::exit;
use std::{env, fs};

use anyhow::{Context, Result};
use libbpf_cargo::SkeletonBuilder;

/// Writes `OUT_DIR/bpf.rs`, the skeleton of the program named as the package, without `corescope-` where the package is
/// no tool; `corescope::skeleton!()` includes it.
///
/// Ends the build with clang's messages where the program does not compile.
pub fn skeleton() {
    let package = env::var("CARGO_PKG_NAME").unwrap_or_default();
    skeleton_of(package.strip_prefix("corescope-").unwrap_or(&package));
}

/// The same of the program of this name.
pub fn skeleton_of(program: &str) {
    if let Err(error) = generate(program) {
        eprintln!("{error:#}");
        exit(1);
    }
}

fn generate(tool: &str) -> Result<()> {
    let arch = env::var("CARGO_CFG_TARGET_ARCH")?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let object = out.join(format!("{tool}.o"));
    let depfile = out.join("bpf.d");
    let skeleton = out.join("bpf.rs");

    let mut arguments = clang_arguments(&arch)?;
    arguments.extend(["-MD".into(), "-MF".into(), path(&depfile)]);

    let mut builder = SkeletonBuilder::new();
    builder
        .source(source(tool))
        .obj(&object)
        .reference_obj(true)
        .clang_args(arguments)
        // Nobody reads the generated file, and formatting it costs more than generating it: what is not found is left
        // out. Not a bare name, for a folder on PATH that may not be read is another error.
        .rustfmt(out.join("no-rustfmt"));
    // A file that failed to compile is built again at every attempt, whatever it includes.
    println!("cargo:rerun-if-changed={}", source(tool).display());
    builder.build_and_generate(&skeleton)?;

    for file in depfile::inputs(&fs::read_to_string(&depfile)?) {
        // libbpf's headers lie in a folder that is gone by now: they change with the version of libbpf-cargo only.
        if Path::new(&file).exists() {
            println!("cargo:rerun-if-changed={file}");
        }
    }
    let mut code = fs::read_to_string(&skeleton)?;
    code.push_str(&plain::implementations(&code)?);
    fs::write(&skeleton, code).with_context(|| format!("writing {}", skeleton.display()))
}

/// Compiles the program of `tool` for `arch` (as Rust names it) into `object`, with the flags that tools get.
///
/// # Errors
/// Carries clang's messages.
pub fn compile(tool: &str, arch: &str, object: &Path) -> Result<()> {
    SkeletonBuilder::new().source(source(tool)).obj(object).clang_args(clang_arguments(arch)?).build()
}

fn source(tool: &str) -> PathBuf {
    corescope_bpf::dir().join(format!("{tool}.bpf.c"))
}

fn clang_arguments(arch: &str) -> Result<Vec<String>> {
    // The names of libbpf's bpf_tracing.h.
    let target = match arch {
        "x86_64" => "x86",
        "aarch64" => "arm64",
        other => anyhow::bail!("no vmlinux.h for {other}: scripts/vmlinux makes them"),
    };
    Ok(vec![
        "-Wall".into(),
        "-Werror".into(),
        // v3 adds atomics that return a value, which 5.10 refuses to load (they came with 5.12).
        "-mcpu=v2".into(),
        format!("-D__TARGET_ARCH_{target}"),
        "-I".into(),
        path(&corescope_bpf::dir().join("include")),
        "-I".into(),
        path(&corescope_vmlinux::dir(arch)),
    ])
}

fn path(path: &Path) -> String {
    path.display().to_string()
}
