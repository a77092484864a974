//! Makes the skeleton of bpf/biostacks.bpf.c.

fn main() {
    corescope_build::skeleton();
}
