//! Makes the skeleton of bpf/offcputime.bpf.c.

fn main() {
    corescope_build::skeleton();
}
