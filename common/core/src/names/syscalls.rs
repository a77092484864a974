//! System calls by number and by name: those of the newest kernel that `scripts/syscalls` knew.

/// Who calls: numbers differ between the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Abi {
    /// A 64-bit program.
    Native,
    /// A 32-bit program on a 64-bit kernel, or `int 0x80`.
    Compat,
}

impl Abi {
    /// That of a call, by what the kernel side says of it.
    #[must_use]
    pub fn of(compat: bool) -> Self {
        if compat { Self::Compat } else { Self::Native }
    }

    /// As in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Compat => "compat",
        }
    }
}

/// The system calls that a tool traces, by kind: where the kernel side finds their arguments.
///
/// The action of a call, which an event brings along, is its place in the list times the number of kinds, and its kind.
#[derive(Debug, Clone, Copy)]
pub struct Calls {
    /// How many kinds there are, as the kernel side has it.
    pub kinds: u32,
    /// Kinds below `kinds`, each with the names of its calls.
    pub by_kind: &'static [(u32, &'static [&'static str])],
}

impl Calls {
    /// All of them, each with its kind.
    fn iter(&self) -> impl Iterator<Item = (&'static str, u32)> {
        self.by_kind.iter().flat_map(|(kind, names)| names.iter().map(|name| (*name, *kind)))
    }

    /// The calls with their actions, for [`Setup::trace_calls`](crate::Setup::trace_calls).
    #[must_use]
    pub fn actions(&self) -> Vec<(&'static str, u32)> {
        self.iter().zip(0..).map(|((name, kind), place)| (name, place * self.kinds + kind)).collect()
    }

    /// The call of an action, with its kind.
    #[must_use]
    pub fn of(&self, action: u32) -> (&'static str, u32) {
        self.iter().nth((action / self.kinds) as usize).unwrap_or(("?", 0))
    }
}

/// All system calls of an ABI, by number.
pub fn all(abi: Abi) -> impl Iterator<Item = (u32, &'static str)> {
    table(abi).lines().filter_map(|line| {
        let (number, name) = line.split_once(' ')?;
        Some((number.parse().ok()?, name))
    })
}

/// The name of a system call, as its manual page has it; none for one that is newer than the table.
#[must_use]
pub fn name(abi: Abi, number: u32) -> Option<&'static str> {
    all(abi).find_map(|(known, name)| (known == number).then_some(name))
}

/// The number of a system call.
#[must_use]
pub fn number(abi: Abi, name: &str) -> Option<u32> {
    all(abi).find_map(|(number, known)| (known == name).then_some(number))
}

/// Whether any architecture has it.
#[must_use]
pub fn exists(name: &str) -> bool {
    let tables = [
        include_str!("syscalls/x86_64.txt"),
        include_str!("syscalls/i386.txt"),
        include_str!("syscalls/aarch64.txt"),
        include_str!("syscalls/arm.txt"),
    ];
    tables.into_iter().flat_map(str::lines).any(|line| line.split_once(' ').is_some_and(|(_, known)| known == name))
}

#[cfg(target_arch = "x86_64")]
fn table(abi: Abi) -> &'static str {
    match abi {
        Abi::Native => include_str!("syscalls/x86_64.txt"),
        Abi::Compat => include_str!("syscalls/i386.txt"),
    }
}

#[cfg(target_arch = "aarch64")]
fn table(abi: Abi) -> &'static str {
    match abi {
        Abi::Native => include_str!("syscalls/aarch64.txt"),
        Abi::Compat => include_str!("syscalls/arm.txt"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Abi, Calls, all, exists, name, number};

    #[test]
    fn an_action_is_a_call_and_its_kind() {
        let calls = Calls { kinds: 8, by_kind: &[(2, &["fsync", "syncfs"]), (1, &["sync"])] };
        assert_eq!(calls.actions(), [("fsync", 2), ("syncfs", 10), ("sync", 17)]);
        assert_eq!([10, 17, 24].map(|action| calls.of(action)), [("syncfs", 2), ("sync", 1), ("?", 0)]);
    }

    #[test]
    fn names_are_those_of_libc() {
        for (known, call) in
            [(libc::SYS_openat, "openat"), (libc::SYS_exit_group, "exit_group"), (libc::SYS_clone3, "clone3")]
        {
            assert_eq!(number(Abi::Native, call).map(i64::from), Some(known));
            assert_eq!(u32::try_from(known).ok().and_then(|known| name(Abi::Native, known)), Some(call));
        }
        assert_eq!(name(Abi::Native, 511), None);
    }

    #[test]
    fn old_calls_exist_somewhere() {
        assert!(exists("oldstat") && exists("arm_sync_file_range") && !exists("no_call"));
    }

    #[test]
    fn numbers_have_one_name() {
        for abi in [Abi::Native, Abi::Compat] {
            let mut numbers: Vec<u32> = all(abi).map(|(number, _)| number).collect();
            let count = numbers.len();
            numbers.dedup();
            assert!(count > 300 && numbers.len() == count);
        }
    }
}
