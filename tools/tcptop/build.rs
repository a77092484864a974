//! Makes the skeleton of bpf/tcptop.bpf.c.

fn main() {
    corescope_build::skeleton();
}
