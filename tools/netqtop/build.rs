//! Makes the skeleton of bpf/netqtop.bpf.c.

fn main() {
    corescope_build::skeleton();
}
