//! Makes the skeleton of bpf/oomkill.bpf.c.

fn main() {
    corescope_build::skeleton();
}
