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
    use super::{Abi, all, exists, name, number};

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
