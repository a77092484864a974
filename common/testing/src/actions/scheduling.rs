//! Threads that wait for each other.

use std::io::{PipeReader, PipeWriter, Read, Write};
use std::thread;

use super::{Action, Clock, Place, When};
use crate::workload::pin;

pub(super) const ALL: &[Action] = &[Action {
    name: "ping_pong",
    what: "a ping-pong over pipes: two switches",
    times: 100_000,
    clock: Clock::Processes,
    when: When::Never,
    prepare: ping_pong,
}];

/// A byte goes to another thread on the same CPU and comes back.
fn ping_pong(_: &Place) -> Box<dyn FnMut()> {
    let (there, mut ping) = std::io::pipe().expect("a pipe");
    let (mut back, pong) = std::io::pipe().expect("a pipe");
    // It ends with the pipe.
    thread::spawn(move || bounce(there, pong));
    Box::new(move || {
        ping.write_all(&[0]).expect("a pipe");
        back.read_exact(&mut [0]).expect("a pipe");
    })
}

fn bounce(mut from: PipeReader, mut to: PipeWriter) {
    pin(0);
    while from.read_exact(&mut [0]).is_ok() && to.write_all(&[0]).is_ok() {}
}
