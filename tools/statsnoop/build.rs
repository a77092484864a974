//! Makes the skeleton of bpf/statsnoop.bpf.c.

fn main() {
    corescope_build::skeleton();
}
