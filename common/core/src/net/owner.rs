//! The process that a socket belongs to, and how that is known.

/// A process that owns a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Its process id.
    pub pid: u32,
    /// The name of its main thread.
    pub comm: [u8; 16],
    /// What told so.
    pub known: Known,
}

/// How an owner is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It was at work on the socket.
    Seen,
    /// It has the socket open.
    Found,
}

impl Owner {
    /// Of the fields of `struct sock_owner` (bpf/include/net/owner.bpf.h); nothing where the kernel side did not know it.
    #[must_use]
    pub fn new(pid: u32, comm: [u8; 16], known: Known) -> Option<Self> {
        (pid != 0).then_some(Self { pid, comm, known })
    }
}

/// What is known so far of who owns a socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Owned {
    owner: Option<Owner>,
    /// The number of the last search that it was found in, or that was in vain.
    search: u64,
}

impl Owned {
    /// The owner, if there is one that is known.
    #[must_use]
    pub fn get(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }

    /// For the column `OWNER`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self.owner.map(|owner| owner.known) {
            Some(Known::Seen) => "seen",
            Some(Known::Found) => "found",
            None => "unknown",
        }
    }

    /// An event tells of a process at work on the socket. Whoever is known already stays.
    pub fn seen(&mut self, owner: Option<Owner>) {
        self.owner = self.owner.or(owner);
    }

    /// A search found the socket open in a process. It goes by process id, and the first of several is the owner.
    pub fn found(&mut self, owner: Option<Owner>, search: u64) {
        if self.search != search {
            *self = Self { owner, search };
        }
    }

    /// A search is over, and what it did not find it will not find the next time.
    pub fn searched(&mut self, search: u64) {
        self.search = search;
    }

    /// Whether a search could tell more.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.owner.is_none() && self.search == 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Known, Owned, Owner};

    fn process(pid: u32, known: Known) -> Option<Owner> {
        Owner::new(pid, *b"name\0\0\0\0\0\0\0\0\0\0\0\0", known)
    }

    #[test]
    fn whoever_is_known_stays_until_a_search_tells_otherwise() {
        let mut owned = Owned::default();
        assert_eq!((owned.is_wanted(), owned.word()), (true, "unknown"));
        owned.seen(process(0, Known::Seen));
        assert!(owned.is_wanted());
        owned.seen(process(7, Known::Seen));
        owned.seen(process(8, Known::Seen));
        assert_eq!((owned.owner, owned.word()), (process(7, Known::Seen), "seen"));
        owned.found(process(9, Known::Found), 1);
        owned.found(process(10, Known::Found), 1);
        assert_eq!((owned.owner, owned.word()), (process(9, Known::Found), "found"));
    }

    #[test]
    fn a_search_in_vain_takes_nobody_away() {
        let mut owned = Owned::default();
        owned.seen(process(7, Known::Seen));
        owned.searched(1);
        assert_eq!(owned.owner, process(7, Known::Seen));
        let mut unknown = Owned::default();
        unknown.searched(1);
        assert!(!unknown.is_wanted());
    }
}
