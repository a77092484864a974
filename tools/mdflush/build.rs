//! Makes the skeleton of bpf/mdflush.bpf.c.

fn main() {
    corescope_build::skeleton();
}
