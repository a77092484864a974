//! All network namespaces, for what the kernel shows of one at a time.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use super::netns;
use crate::process::complain;

/// The namespaces that are known, each with a process that lives in it.
#[derive(Debug)]
pub struct Namespaces {
    own: u32,
    known: BTreeMap<u32, u32>,
    /// Those that no process lives in, or that cannot be entered.
    hidden: BTreeSet<u32>,
    verbose: bool,
}

impl Namespaces {
    /// All that processes live in now. With `verbose` it reports on standard error which ones cannot be read.
    ///
    /// # Errors
    /// There is no /proc, or no such thing as namespaces in it.
    pub fn new(verbose: bool) -> Result<Self> {
        let own = netns::own().context("cannot determine this process's network namespace")?;
        Ok(Self { own, known: netns::all(), hidden: BTreeSet::new(), verbose })
    }

    /// Whether there are others than that of this process.
    #[must_use]
    pub fn are_many(&self) -> bool {
        self.known.len() > 1
    }

    /// Calls `read` in the namespace of this process, and in each of the others that is `wanted`. One that cannot be read
    /// is passed over from then on.
    ///
    /// # Errors
    /// Those of `read` in the namespace of this process.
    pub fn each(&mut self, wanted: impl Fn(u32) -> bool, mut read: impl FnMut() -> Result<()>) -> Result<()> {
        let known: Vec<(u32, u32)> = self.known.iter().map(|(namespace, pid)| (*namespace, *pid)).collect();
        for (namespace, pid) in known {
            if namespace != self.own && !wanted(namespace) {
                continue;
            }
            match netns::within(namespace, pid, &mut read) {
                Err(error) if namespace == self.own => return Err(error),
                Err(error) => self.hide(namespace, &error),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Another process may live in that namespace; otherwise it is passed over.
    fn hide(&mut self, namespace: u32, error: &anyhow::Error) {
        let others = netns::all();
        if others.get(&namespace) == self.known.get(&namespace) {
            if self.verbose {
                complain(&format!("passes over a network namespace: {error:#}"));
            }
            self.hidden.insert(namespace);
        }
        self.know(others);
    }

    /// Something happened in these namespaces, which may be new.
    pub fn meet(&mut self, met: impl Iterator<Item = u32>) {
        let new: BTreeSet<u32> =
            met.filter(|namespace| !self.known.contains_key(namespace) && !self.hidden.contains(namespace)).collect();
        if !new.is_empty() {
            self.know(netns::all());
            self.hidden.extend(new.iter().filter(|namespace| !self.known.contains_key(namespace)));
        }
    }

    fn know(&mut self, all: BTreeMap<u32, u32>) {
        self.known = all;
        self.known.retain(|namespace, _| !self.hidden.contains(namespace));
    }
}

#[cfg(test)]
mod tests {
    use super::Namespaces;
    use std::cell::Cell;

    #[test]
    fn this_process_has_one_that_is_always_read() {
        let mut all = Namespaces::new(false).expect("/proc");
        let read = Cell::new(0);
        let count = || {
            read.set(read.get() + 1);
            Ok(())
        };
        all.each(|_| false, count).expect("nothing that fails");
        assert_eq!(read.get(), 1);
        assert!(all.each(|_| false, || Err(anyhow::anyhow!("unreadable"))).is_err());
    }

    #[test]
    fn one_without_processes_is_hidden() {
        let mut all = Namespaces::new(false).expect("/proc");
        let known = all.known.len();
        all.meet([1, all.own].into_iter());
        assert!(all.hidden.contains(&1) && !all.hidden.contains(&all.own) && all.known.len() == known);
    }
}
