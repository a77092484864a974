//! Makes the skeleton of bpf/tcprtt.bpf.c.

fn main() {
    corescope_build::skeleton();
}
