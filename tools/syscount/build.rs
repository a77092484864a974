//! Makes the skeleton of bpf/syscount.bpf.c.

fn main() {
    corescope_build::skeleton();
}
