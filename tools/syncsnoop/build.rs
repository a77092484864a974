//! Makes the skeleton of bpf/syncsnoop.bpf.c.

fn main() {
    corescope_build::skeleton();
}
