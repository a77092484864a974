//! Processes and threads that the user asked for by id: they must be there at the start, and the tool ends with the last of
//! them. What comes later under the same id is another one, and nobody asked for it.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Result, bail};

use super::complain;

/// What an id stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Process,
    Thread,
}

/// One of them.
#[derive(Debug)]
struct Subject {
    what: What,
    id: u32,
    /// Readable when it has ended (pidfd_open(2)). Of a thread there is none up to 6.8: it is looked for in /proc.
    end: Option<OwnedFd>,
    path: PathBuf,
}

static SUBJECTS: Mutex<Vec<Subject>> = Mutex::new(Vec::new());

fn subjects() -> MutexGuard<'static, Vec<Subject>> {
    SUBJECTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes over that these are asked for, all of one kind. Of several some may just have ended, which is reported.
///
/// # Errors
/// None of them is there, or one of them is of the other kind.
pub(crate) fn ask_for(what: What, ids: &[u32]) -> Result<()> {
    let mut missing = Vec::new();
    for id in ids {
        match Subject::open(what, *id)? {
            Some(subject) => subjects().push(subject),
            None => missing.push(format!("there is no {} {id}", what.word())),
        }
    }
    if missing.len() == ids.len() && !ids.is_empty() {
        bail!(missing.join(", "));
    }
    for sentence in &missing {
        complain(sentence);
    }
    Ok(())
}

/// Descriptors that are readable when one of them has ended.
pub(crate) fn ends() -> Vec<RawFd> {
    subjects().iter().filter_map(|subject| subject.end.as_ref().map(AsRawFd::as_raw_fd)).collect()
}

/// Whether there were any, and the last of them has ended; this is reported, once.
pub(crate) fn have_ended() -> bool {
    let mut subjects = subjects();
    let Some(last) = subjects.last().map(Subject::name) else { return false };
    subjects.retain(|subject| !subject.has_ended());
    if subjects.is_empty() {
        complain(&format!("{last} has ended"));
    }
    subjects.is_empty()
}

impl What {
    fn word(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Thread => "thread",
        }
    }
}

impl Subject {
    fn open(what: What, id: u32) -> Result<Option<Self>> {
        /// `PIDFD_THREAD` of pidfd_open(2), Linux 6.9.
        const THREAD: libc::c_uint = libc::O_EXCL.unsigned_abs();
        let path = Path::new("/proc").join(id.to_string());
        // /proc shows threads to those who know their ids.
        let Some(process) = process_of(&path) else { return Ok(None) };
        if what == What::Process && process != id {
            bail!("{id} is a thread of process {process}, and no process");
        }
        let end = open(id, if what == What::Thread { THREAD } else { 0 });
        match end {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
            end => Ok(Some(Self { what, id, end: end.ok(), path })),
        }
    }

    fn name(&self) -> String {
        format!("{} {}", self.what.word(), self.id)
    }

    fn has_ended(&self) -> bool {
        let Some(end) = &self.end else { return !self.path.exists() };
        let mut watch = libc::pollfd { fd: end.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: the pointer is to one local.
        unsafe { libc::poll(&raw mut watch, 1, 0) > 0 }
    }
}

fn open(id: u32, flags: libc::c_uint) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open(2) takes no pointers; a new descriptor has no other owner.
    unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, id, flags);
        if fd < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(OwnedFd::from_raw_fd(RawFd::try_from(fd).unwrap_or(-1)))
        }
    }
}

/// The process that the task at a path in /proc belongs to.
fn process_of(path: &Path) -> Option<u32> {
    let status = fs::read_to_string(path.join("status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::{Subject, What};
    use std::process::Command;

    #[test]
    fn a_process_is_there_until_it_has_ended() {
        let mut child = Command::new("sleep").arg("1000").spawn().expect("sleep");
        let subject = Subject::open(What::Process, child.id()).expect("a process").expect("it is there");
        assert!(!subject.has_ended());
        child.kill().expect("a child");
        child.wait().expect("a child");
        assert!(subject.has_ended());
        assert!(Subject::open(What::Process, child.id()).expect("no thread").is_none());
    }

    #[test]
    fn threads_are_no_processes() {
        std::thread::spawn(|| {
            // SAFETY: gettid(2) takes nothing.
            let id = unsafe { libc::gettid() }.unsigned_abs();
            let error = Subject::open(What::Process, id).expect_err("a thread").to_string();
            assert!(error.contains(&format!("thread of process {}", std::process::id())), "{error}");
            assert!(Subject::open(What::Thread, id).expect("a thread").is_some_and(|subject| !subject.has_ended()));
        })
        .join()
        .expect("a thread");
    }
}
