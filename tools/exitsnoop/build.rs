//! Makes the skeleton of bpf/exitsnoop.bpf.c.

fn main() {
    corescope_build::skeleton();
}
