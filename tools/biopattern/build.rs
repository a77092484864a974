//! Makes the skeleton of bpf/biopattern.bpf.c.

fn main() {
    corescope_build::skeleton();
}
