//! Makes the skeleton of bpf/virtiostat.bpf.c.

fn main() {
    corescope_build::skeleton();
}
