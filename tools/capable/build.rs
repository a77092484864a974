//! Makes the skeleton of bpf/capable.bpf.c.

fn main() {
    corescope_build::skeleton();
}
