//! Where `vmlinux.h` is for each architecture; the README beside it says from which kernel it was made.

use std::path::PathBuf;

/// The folder that holds `vmlinux.h` for `arch`, as Rust names it (`x86_64`, `aarch64`).
#[must_use]
pub fn dir(arch: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(arch)
}
