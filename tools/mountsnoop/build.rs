//! Makes the skeleton of bpf/mountsnoop.bpf.c.

fn main() {
    corescope_build::skeleton();
}
