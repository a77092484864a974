//! Makes the skeleton of bpf/runqlat.bpf.c.

fn main() {
    corescope_build::skeleton();
}
