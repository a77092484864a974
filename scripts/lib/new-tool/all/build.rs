//! Makes the skeleton of bpf/@NAME@.bpf.c.

fn main() {
    corescope_build::skeleton();
}
