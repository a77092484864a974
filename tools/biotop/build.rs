//! Makes the skeleton of bpf/biotop.bpf.c.

fn main() {
    corescope_build::skeleton();
}
