//! Network namespaces of a test's own, and connections there.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread;

/// Lets a command's process run in a network namespace of its own, which has nothing but loopback.
pub fn isolate(command: &mut Command) {
    // SAFETY: unshare(2), socket(2) and ioctl(2) are system calls and no more, and nothing is allocated in between.
    unsafe {
        command.pre_exec(|| {
            if libc::unshare(libc::CLONE_NEWNET) != 0 {
                return Err(io::Error::last_os_error());
            }
            up("lo")
        });
    }
}

/// A network namespace without processes, which is there as long as this or a socket of it is.
#[derive(Debug)]
pub struct Namespace(File);

impl Namespace {
    /// One that has nothing but loopback.
    ///
    /// # Panics
    /// The kernel refuses.
    #[must_use]
    pub fn new() -> Self {
        in_thread(|| {
            // SAFETY: unshare(2) takes no pointers, and concerns the calling thread only.
            assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET) }, 0, "{}", io::Error::last_os_error());
            up("lo").expect("loopback");
            Self(File::open("/proc/thread-self/ns/net").expect("/proc"))
        })
    }

    /// The inode number of its file in /proc.
    ///
    /// # Panics
    /// It is not that of a namespace.
    #[must_use]
    pub fn id(&self) -> u32 {
        u32::try_from(self.0.metadata().expect("an open file").ino()).expect("32 bits")
    }

    /// Does something in a thread that is in the namespace. What is opened there stays there.
    ///
    /// # Panics
    /// What `work` does.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        in_thread(|| {
            // SAFETY: setns(2) takes no pointers, and concerns the calling thread only.
            let failed = unsafe { libc::setns(self.0.as_raw_fd(), libc::CLONE_NEWNET) };
            assert_eq!(failed, 0, "{}", io::Error::last_os_error());
            work()
        })
    }
}

impl AsRawFd for Namespace {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self::new()
    }
}

fn in_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let done = scope.spawn(work).join();
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Both ends of a TCP connection within this machine.
#[derive(Debug)]
pub struct Connection {
    /// The end that connected.
    pub client: TcpStream,
    /// The end that was accepted.
    pub server: TcpStream,
}

impl Connection {
    /// One to a listener at an address with its port, or with port 0.
    ///
    /// # Panics
    /// There is no such address.
    #[must_use]
    pub fn to(address: &str) -> Self {
        Self::via(&TcpListener::bind(address).expect("an address of this machine"), address)
    }

    /// One to a listener by an address that it also listens at, with any port.
    ///
    /// # Panics
    /// It does not listen there.
    #[must_use]
    pub fn via(listener: &TcpListener, address: &str) -> Self {
        let mut to: std::net::SocketAddr = address.parse().expect("an address with a port");
        to.set_port(listener.local_addr().expect("a port").port());
        let client = TcpStream::connect(to).expect("a listener");
        let (server, _) = listener.accept().expect("a connection");
        for end in [&client, &server] {
            end.set_nodelay(true).expect("a socket");
        }
        Self { client, server }
    }

    /// Sends a byte there and a byte back, so often.
    ///
    /// # Panics
    /// The connection has broken.
    pub fn ping(&self, times: usize) {
        for _ in 0..times {
            for (mut from, mut to) in [(&self.client, &self.server), (&self.server, &self.client)] {
                from.write_all(b"x").expect("a connection");
                to.read_exact(&mut [0]).expect("a connection");
            }
        }
    }
}

/// What the kernel keeps of a connection: some of `struct tcp_info`.
#[derive(Debug, Clone, Copy)]
pub struct TcpInfo {
    /// The smoothed round-trip time.
    pub rtt_us: u32,
    /// Segments that were sent, those without data included.
    pub segments_out: u32,
    /// Segments that were received.
    pub segments_in: u32,
}

impl TcpInfo {
    /// # Panics
    /// It is no TCP socket.
    #[must_use]
    pub fn of(socket: &TcpStream) -> Self {
        // Longer than the struct of any kernel so far; libc's lacks what came after 2.6.
        let mut info = [0u32; 128];
        let mut length = libc::socklen_t::try_from(size_of_val(&info)).expect("small");
        // SAFETY: the kernel writes as much as the length says at most.
        let failed = unsafe {
            let to = info.as_mut_ptr().cast();
            libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, to, &raw mut length)
        };
        assert_eq!(failed, 0, "{}", io::Error::last_os_error());
        Self { rtt_us: info[17], segments_out: info[34], segments_in: info[35] }
    }
}

/// The number of a device in the namespace of the calling thread.
///
/// # Panics
/// There is none of this name.
pub(super) fn index(device: &str) -> u32 {
    let name = std::ffi::CString::new(device).expect("no NUL within");
    // SAFETY: the name ends in NUL.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    assert_ne!(index, 0, "no device {device}");
    index
}

/// Switches a device on in the namespace of the calling thread. Allocates nothing.
pub(super) fn up(device: &str) -> io::Result<()> {
    // SAFETY: an ifreq is plain data; the descriptor has no other owner; ioctl(2) reads the struct that it is given.
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let socket = OwnedFd::from_raw_fd(fd);
        let mut request: libc::ifreq = std::mem::zeroed();
        for (to, from) in request.ifr_name.iter_mut().zip(device.as_bytes()) {
            *to = from.cast_signed();
        }
        request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_UP).expect("a small bit");
        match libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
