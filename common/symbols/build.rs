//! Makes the skeleton of bpf/symbols.bpf.c.

fn main() {
    corescope_build::skeleton();
}
