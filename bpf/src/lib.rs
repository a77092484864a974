//! Where the BPF C programs are: `<tool>.bpf.c` in [`dir`], the headers that they share in its `include/`.

use std::path::Path;

/// The folder of the programs.
#[must_use]
pub fn dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
