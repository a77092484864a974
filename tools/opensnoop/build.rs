//! Makes the skeleton of bpf/opensnoop.bpf.c.

fn main() {
    corescope_build::skeleton();
}
