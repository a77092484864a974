//! What is asked of the kernel's routing netlink (rtnetlink(7)): emulated machines have no tc(8), and no ip(8) that knows it all.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// A request, put together piece by piece. Everything in it is aligned to four bytes.
#[derive(Debug)]
pub(super) struct Request(Vec<u8>);

/// Where an attribute with others inside begins.
pub(super) struct Nest(usize);

impl Request {
    /// For something new, of which `head` says what it is of: a struct such as `ifinfomsg`.
    pub(super) fn new(kind: u16, head: &[u8]) -> Self {
        Self::with_flags(kind, libc::NLM_F_CREATE | libc::NLM_F_EXCL, head)
    }

    /// For what is to go.
    pub(super) fn removing(kind: u16, head: &[u8]) -> Self {
        Self::with_flags(kind, 0, head)
    }

    fn with_flags(kind: u16, flags: i32, head: &[u8]) -> Self {
        let flags = u16::try_from(flags | libc::NLM_F_REQUEST | libc::NLM_F_ACK).expect("small bits");
        let mut bytes = vec![0; 4];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        // Number and sender of the message: nobody asks.
        bytes.extend([0; 8]);
        let mut request = Self(bytes);
        request.push(head);
        request
    }

    /// Bytes as they are, such as a struct in front of attributes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    /// An attribute.
    pub(super) fn with(&mut self, kind: u16, value: &[u8]) {
        let nest = self.open(kind);
        self.0.extend(value);
        self.close(nest);
    }

    /// The begin of an attribute that holds what follows, until it is closed.
    pub(super) fn open(&mut self, kind: u16) -> Nest {
        let start = self.0.len();
        self.0.extend([0; 2]);
        self.0.extend(kind.to_ne_bytes());
        Nest(start)
    }

    pub(super) fn close(&mut self, Nest(start): Nest) {
        let length = u16::try_from(self.0.len() - start).expect("a short attribute");
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    /// Asks for it in the network namespace of the calling thread.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) fn send(mut self) -> io::Result<()> {
        let length = u32::try_from(self.0.len()).expect("a short request");
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        let mut answer = [0u8; 4096];
        // SAFETY: the descriptor has no other owner; both buffers are as long as it says.
        let received = unsafe {
            let fd = libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            let socket = OwnedFd::from_raw_fd(fd);
            libc::send(socket.as_raw_fd(), self.0.as_ptr().cast(), self.0.len(), 0);
            libc::recv(socket.as_raw_fd(), answer.as_mut_ptr().cast(), answer.len(), 0)
        };
        if received < 20 {
            return Err(io::Error::last_os_error());
        }
        // The number of the error is behind the head of the answer.
        match i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]) {
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(-errno)),
        }
    }
}
