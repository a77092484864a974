//! Makes the skeleton of bpf/execsnoop.bpf.c.

fn main() {
    corescope_build::skeleton();
}
