//! Standard output: filled row by row, written batch by batch.

use std::io::{self, ErrorKind, Write};
use std::os::fd::AsRawFd;

use anyhow::anyhow;

use super::clock::Clock;
use crate::process::{counted, signals};

/// Rows are written when this much has gathered, at the latest.
const BATCH: usize = 64 * 1024;
/// What a pipe that polls writable takes without blocking: PIPE_BUF, see pipe(7).
const PIPE_BUF: usize = 4096;
/// How long a tool that was asked to end waits for a reader that does not read.
const PATIENCE_MS: i32 = 50;

/// Nobody reads standard output any more: the end of the tool, and no error.
#[derive(Debug)]
pub struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("standard output was closed")
    }
}

impl std::error::Error for Closed {}

/// The output of a tool.
#[derive(Debug)]
pub struct Output {
    /// What is not yet written.
    pub buffer: Vec<u8>,
    /// The clock that times are printed by.
    pub clock: Clock,
    json: bool,
    error: Option<io::Error>,
    unwritten: usize,
}

impl Output {
    /// Standard output, as JSON lines or as text.
    #[must_use]
    pub fn new(json: bool) -> Self {
        Self { buffer: Vec::with_capacity(1024), clock: Clock::new(), json, error: None, unwritten: 0 }
    }

    /// An output that is never flushed, for tests and screens.
    #[must_use]
    pub fn to_memory(json: bool) -> Self {
        Self::new(json)
    }

    /// Whether rows are JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Ends a row.
    pub fn end_line(&mut self) {
        self.buffer.push(b'\n');
    }

    /// Appends text as it is: the tool's own, never a traced program's.
    pub fn push(&mut self, text: &str) {
        self.buffer.extend_from_slice(text.as_bytes());
    }

    /// Tells a user that a summary will take its time: on standard error, where it does not get into the output.
    pub fn announce(&self, sentence: &str) {
        if !self.json {
            let _ = writeln!(io::stderr().lock(), "{sentence}");
        }
    }

    /// Writes a line that is no row, and does not count as one where it cannot be written.
    pub fn aside(&mut self, fill: impl FnOnce(&mut Vec<u8>)) {
        self.write_out();
        fill(&mut self.buffer);
        self.end_line();
        let rows = self.unwritten;
        self.write_out();
        self.unwritten = rows;
    }

    /// Writes what is due in the midst of a batch. An error shows at the next [`flush`](Self::flush).
    ///
    /// Gives whether it makes sense to go on: not where nobody reads, but where rows cannot be written they are counted.
    pub fn flush_if_full(&mut self) -> bool {
        if self.buffer.len() >= BATCH {
            self.write_out();
        }
        !self.is_closed()
    }

    /// Writes all that has gathered. Once that has failed nothing is written any more, and rows are counted.
    ///
    /// # Errors
    /// [`Closed`] where the reader went away; otherwise what the kernel says, as on a full disk, and how many rows are
    /// lost with it.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        self.write_out();
        match &self.error {
            None => Ok(()),
            Some(_) if self.is_closed() => Err(Closed.into()),
            Some(error) => {
                Err(anyhow!("cannot write to standard output: {error}; lost {}", counted(self.unwritten as u64, "row")))
            }
        }
    }

    fn is_closed(&self) -> bool {
        self.error.as_ref().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    }

    fn write_out(&mut self) {
        let mut written = 0;
        while self.error.is_none() && written < self.buffer.len() {
            match write_some(&self.buffer[written..]) {
                Ok(count) => written += count,
                Err(error) => self.error = Some(error),
            }
        }
        self.unwritten += self.buffer[written..].iter().filter(|byte| **byte == b'\n').count();
        self.buffer.clear();
    }
}

/// One write(2); none where it was interrupted.
fn write_some(rest: &[u8]) -> io::Result<usize> {
    // Once the tool is to end, a reader that does not read must not keep it.
    let piece = if signals::stopped() {
        if !writable(PATIENCE_MS) {
            return Err(io::Error::other("the reader of standard output has stopped reading"));
        }
        &rest[..rest.len().min(PIPE_BUF)]
    } else {
        rest
    };
    // SAFETY: pointer and length are those of a slice.
    let count = unsafe { libc::write(libc::STDOUT_FILENO, piece.as_ptr().cast(), piece.len()) };
    if let Ok(count) = usize::try_from(count) {
        return Ok(count);
    }
    let error = io::Error::last_os_error();
    match error.kind() {
        ErrorKind::Interrupted => Ok(0),
        // Somebody else's O_NONBLOCK on a shared terminal or pipe.
        ErrorKind::WouldBlock => {
            writable(PATIENCE_MS);
            Ok(0)
        }
        _ => Err(error),
    }
}

/// Waits until standard output takes data, at most `patience_ms`.
fn writable(patience_ms: i32) -> bool {
    let mut watch = libc::pollfd { fd: io::stdout().as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    loop {
        // SAFETY: the pointer is to one local.
        let ready = unsafe { libc::poll(&raw mut watch, 1, patience_ms) };
        if ready >= 0 || io::Error::last_os_error().kind() != ErrorKind::Interrupted {
            return ready > 0;
        }
    }
}
