//! Makes the skeleton of bpf/killsnoop.bpf.c.

fn main() {
    corescope_build::skeleton();
}
