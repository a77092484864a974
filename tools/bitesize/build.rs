//! Makes the skeleton of bpf/bitesize.bpf.c.

fn main() {
    corescope_build::skeleton();
}
