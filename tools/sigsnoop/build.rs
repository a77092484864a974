//! Makes the skeleton of bpf/sigsnoop.bpf.c.

fn main() {
    corescope_build::skeleton();
}
