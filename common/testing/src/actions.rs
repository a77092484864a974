//! Things that programs do and tools watch, each said once: the tests of all tools do a bit of everything, the bench and the
//! gate of instructions do one again and again.
//!
//! Which action is a tool's own is in its Cargo.toml (`work`, see [`crate::tools`]). Whoever adds a tool that watches
//! something else adds that here.

mod calls;
mod disks;
mod files;
mod memory;
mod mounting;
mod network;
mod privileges;
mod programs;
mod scheduling;
mod signals;
mod syncing;

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use crate::Scratch;
use crate::workload::{self, Cgroup, Forked};

/// How often each thing is done that costs little: a prime number, and more than the smallest buffer of a tool holds.
pub const ROUNDS: usize = 499;

/// What takes as long as many others is done in one of so many rounds.
const COSTLY: usize = 4;

/// What tells the time that an action takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The processor time of the thread.
    Thread,
    /// Of the process and those that it has waited for: others have a share in it.
    Processes,
    /// The wall clock: the kernel need not count what it does in soft interrupts as the sender's.
    Wall,
}

/// One thing to do.
#[derive(Debug)]
pub struct Action {
    /// By which tools name it.
    pub name: &'static str,
    /// One time of it, for people.
    pub what: &'static str,
    /// How many times fit into a second or so on a machine of today.
    pub times: u32,
    /// What tells its time.
    pub clock: Clock,
    /// When it is done in a bit of everything.
    pub when: When,
    prepare: fn(&Place) -> Box<dyn FnMut()>,
}

/// When an action is done in a bit of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// In each round.
    EachRound,
    /// In some rounds, because it takes long.
    SomeRounds,
    /// In some, and by a process outside of the cgroup, because it ends those within.
    Outside,
    /// Not at all: it is for one tool by itself.
    Never,
}

/// Where actions are done.
#[derive(Debug, Clone)]
pub struct Place {
    /// An empty folder.
    pub folder: PathBuf,
    /// What programs are called.
    pub name: OsString,
    /// For what needs a cgroup; without one it makes its own.
    pub cgroup: Option<PathBuf>,
}

const ALL: &[&[Action]] = &[
    calls::ALL,
    disks::ALL,
    files::ALL,
    mounting::ALL,
    privileges::ALL,
    signals::ALL,
    syncing::ALL,
    programs::ALL,
    memory::ALL,
    network::ALL,
    scheduling::ALL,
];

impl Action {
    /// All of them.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        ALL.iter().copied().flatten()
    }

    /// The action of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::all().find(|action| action.name == name)
    }

    /// Makes what it needs; what comes back does it once.
    #[must_use]
    pub fn prepare(&self, place: &Place) -> Box<dyn FnMut()> {
        (self.prepare)(place)
    }
}

/// Does all of it within a cgroup, in processes that have joined it.
///
/// `name` is what programs, files, folders and the process itself are called. Nothing of it is going on any more in the end.
///
/// # Panics
/// An action fails.
pub fn everything_in(cgroup: &Path, name: &OsStr, rounds: usize) {
    let scratch = Scratch::new("everything");
    let folder = scratch.path().join(name);
    std::fs::create_dir(&folder).expect("a writable folder");
    let place = Place { folder, name: name.into(), cgroup: Some(cgroup.into()) };
    let inside = Forked::new(|| {
        let done = catch_unwind(AssertUnwindSafe(|| {
            Cgroup::join(cgroup);
            rename(name);
            repeat(&place, When::EachRound, rounds);
            repeat(&place, When::SomeRounds, rounds / COSTLY);
        }));
        if done.is_err() {
            workload::exit_process(101);
        }
    });
    assert!(inside.wait().success(), "everything can be done");
    repeat(&place, When::Outside, rounds / COSTLY);
}

fn repeat(place: &Place, when: When, rounds: usize) {
    for action in Action::all().filter(|action| action.when == when) {
        let mut once = action.prepare(place);
        for _ in 0..rounds {
            once();
        }
    }
}

/// Gives the calling process this name.
fn rename(name: &OsStr) {
    // SAFETY: the string ends in NUL.
    let failed = unsafe { libc::prctl(libc::PR_SET_NAME, c_string(name).as_ptr()) };
    assert_eq!(failed, 0, "a name");
}

fn c_string(text: impl AsRef<OsStr>) -> CString {
    CString::new(text.as_ref().as_bytes()).expect("no NUL within")
}

/// A name for a file that is not there.
fn missing(place: &Place) -> CString {
    c_string(place.folder.join("missing"))
}

#[cfg(test)]
mod tests {
    use super::{Action, When};

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = Action::all().map(|action| action.name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(Action::named("no such action").is_none());
        assert!(Action::all().any(|action| action.when == When::Outside));
    }
}
