//! Connections over loopback.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use super::{Action, Clock, Place, When};

pub(super) const ALL: &[Action] = &[Action {
    name: "message",
    what: "a message of 64 bytes over loopback",
    times: 50_000,
    clock: Clock::Wall,
    when: When::EachRound,
    prepare: message,
}];

fn message(_: &Place) -> Box<dyn FnMut()> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let mut from = TcpStream::connect(listener.local_addr().expect("a port")).expect("a listener");
    let (mut to, _) = listener.accept().expect("a connection");
    from.set_nodelay(true).expect("a socket");
    Box::new(move || {
        from.write_all(&[0; 64]).expect("a connection");
        to.read_exact(&mut [0; 64]).expect("a connection");
    })
}
