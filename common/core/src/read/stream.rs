//! Events, from the ring buffer to the output, until Ctrl-C.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use libbpf_rs::skel::Skel;
use libbpf_rs::{Link, Map};

use super::lost::Lost;
use super::ring::Ring;
use crate::object::map_of;
use crate::output::Output;
use crate::process::signals::{self, Woken};

/// How long an event waits for its line at most while few come.
const LATENCY: Duration = Duration::from_millis(100);
/// How often losses are looked for while the tool runs.
const LOSSES: Duration = Duration::from_secs(1);

/// Hands each record of the map `events` to `on_record`, which writes rows, until the tool is asked to end.
///
/// Then detaches, prints what is still waiting and reports what was lost.
///
/// # Errors
/// The output cannot be written ([`crate::output::Closed`] where nobody reads it).
pub fn stream<'obj>(
    skel: &impl Skel<'obj>,
    links: Vec<Link>,
    out: Output,
    mut on_record: impl FnMut(&[u8], &mut Output),
) -> Result<()> {
    stream_batches(skel, links, out, |record, out| {
        if let Some(record) = record {
            on_record(record, out);
        }
    })
}

/// As [`stream`], for tools that do some of their work for many records at once: each time that no more are waiting,
/// `on_record` is given `None`.
///
/// # Errors
/// As [`stream`].
pub fn stream_batches<'obj>(
    skel: &impl Skel<'obj>,
    links: Vec<Link>,
    mut out: Output,
    mut on_record: impl FnMut(Option<&[u8]>, &mut Output),
) -> Result<()> {
    let events = events(skel)?;
    let wakeups = Wakeups::of(events.as_fd()).context("cannot watch the event buffer")?;
    let mut ring = Ring::of(&events)?;
    let mut lost = Lost::of(skel)?;
    let mut drain = |out: &mut Output| {
        out.clock.resync();
        ring.consume(|record| {
            on_record(Some(record), out);
            out.flush_if_full()
        });
        on_record(None, out);
        out.flush()
    };

    out.flush()?;
    let mut looked = Instant::now();
    let mut drained = Ok(());
    while drained.is_ok() && signals::wait(Some(wakeups.fd()), LATENCY) == Woken::Ready {
        wakeups.clear();
        drained = drain(&mut out);
        if looked.elapsed() >= LOSSES {
            looked = Instant::now();
            lost.report(&mut out);
        }
    }
    drop(links);
    // What is still waiting is printed, or counted where it cannot be.
    let rest = drain(&mut out);
    lost.report(&mut out);
    out.flush()?;
    drained.and(rest)
}

/// The ring buffer of bpf/include/event/events.bpf.h.
pub(crate) fn events<'obj, 'skel>(skel: &'obj impl Skel<'skel>) -> Result<Map<'obj>> {
    map_of(skel.object(), "events")
}

/// Wake-ups by the kernel side, apart from the mere presence of data.
///
/// A poll of the ring buffer itself returns at once while anything waits; at high rates the reader would run once per
/// event. An edge-triggered epoll instance tells only of wake-ups, which the kernel side sends for batches.
pub(crate) struct Wakeups {
    epoll: OwnedFd,
}

impl Wakeups {
    pub(crate) fn of(ring: BorrowedFd<'_>) -> io::Result<Self> {
        // SAFETY: epoll_create1(2) takes no pointers; the new descriptor has no other owner.
        let epoll = unsafe {
            let fd = libc::epoll_create1(libc::EPOLL_CLOEXEC);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(fd)
        };
        #[allow(clippy::cast_sign_loss, reason = "bits")]
        let mut event = libc::epoll_event { events: (libc::EPOLLIN | libc::EPOLLET) as u32, u64: 0 };
        // SAFETY: both descriptors are open and the pointer is to a local.
        let failed =
            unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, ring.as_raw_fd(), &raw mut event) };
        if failed != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { epoll })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }

    /// Forgets the wake-ups so far.
    pub(crate) fn clear(&self) {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: the pointer is to one local event, and one is asked for.
        unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), &raw mut event, 1, 0) };
    }
}
