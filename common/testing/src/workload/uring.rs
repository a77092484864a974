//! Requests of io_uring(7): one at a time, each waited for.

use std::ffi::CStr;

use io_uring::squeue::{Entry, Flags};
use io_uring::types::{Fd, FsyncFlags, OpenHow};
use io_uring::{IoUring, opcode};

/// A ring, and who takes requests from it.
pub struct Uring {
    ring: IoUring,
    flags: Flags,
}

/// Which thread executes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The one that calls, if it need not wait.
    Caller,
    /// A worker of the ring.
    Worker,
    /// The thread that looks for requests in memory (`IORING_SETUP_SQPOLL`).
    Poller,
}

impl Uring {
    /// Nothing where the kernel has no rings, or forbids them.
    #[must_use]
    pub fn new(by: By) -> Option<Self> {
        let mut builder = IoUring::builder();
        if by == By::Poller {
            builder.setup_sqpoll(100);
        }
        let flags = if by == By::Worker { Flags::ASYNC } else { Flags::empty() };
        Some(Self { ring: builder.build(8).ok()?, flags })
    }

    fn call(&mut self, request: Entry) -> i32 {
        // SAFETY: what it points to lives until it has completed, for which this waits.
        unsafe { self.ring.submission().push(&request.flags(self.flags)).expect("room") };
        self.ring.submit_and_wait(1).expect("a ring that works");
        self.ring.completion().next().expect("one request has completed").result()
    }

    /// Gives the descriptor, or a negative errno.
    pub fn openat(&mut self, dirfd: i32, path: &CStr, flags: i32, mode: u32) -> i32 {
        self.call(opcode::OpenAt::new(Fd(dirfd), path.as_ptr()).flags(flags).mode(mode).build())
    }

    /// The same with restrictions.
    pub fn openat2(&mut self, dirfd: i32, path: &CStr, flags: u64, resolve: u64) -> i32 {
        let how = OpenHow::new().flags(flags).resolve(resolve);
        self.call(opcode::OpenAt2::new(Fd(dirfd), path.as_ptr(), &raw const how).build())
    }

    /// Reads at a place; gives the number of bytes, or a negative errno.
    pub fn read(&mut self, fd: i32, to: &mut [u8], place: u64) -> i32 {
        let length = u32::try_from(to.len()).expect("not so much");
        self.call(opcode::Read::new(Fd(fd), to.as_mut_ptr(), length).offset(place).build())
    }

    /// Reads one place after the other, all asked for at once: as many as `to` is long in parts of `size` bytes. Gives how many
    /// could be read.
    pub fn read_all(&mut self, fd: i32, to: &mut [u8], size: usize) -> usize {
        let parts = to.chunks_exact_mut(size).len();
        for (index, part) in to.chunks_exact_mut(size).enumerate() {
            let length = u32::try_from(size).expect("not so much");
            let read = opcode::Read::new(Fd(fd), part.as_mut_ptr(), length).offset((index * size) as u64).build();
            // SAFETY: what it points to lives until it has completed, for which this waits.
            unsafe { self.ring.submission().push(&read.flags(self.flags)).expect("room") };
        }
        self.ring.submit_and_wait(parts).expect("a ring that works");
        self.ring.completion().filter(|done| usize::try_from(done.result()) == Ok(size)).count()
    }

    /// Calls `fsync`, `fdatasync` or `sync_file_range`, which are given what they take of the rest.
    ///
    /// # Panics
    /// It is none of these.
    pub fn sync(&mut self, call: &str, fd: i32, offset: u64, length: u32, flags: u32) -> i32 {
        self.call(match call {
            "fsync" => opcode::Fsync::new(Fd(fd)).build(),
            "fdatasync" => opcode::Fsync::new(Fd(fd)).flags(FsyncFlags::DATASYNC).build(),
            "sync_file_range" => opcode::SyncFileRange::new(Fd(fd), length).offset(offset).flags(flags).build(),
            _ => panic!("no call of this kind: {call}"),
        })
    }
}
