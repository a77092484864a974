//! System calls by number and by name: those of the newest kernel that `scripts/syscalls` knew.

use anyhow::Result;
use libbpf_rs::OpenObject;

use crate::object;

/// `SYSCALLS` of bpf/include/syscall.bpf.h.
const NUMBERS: usize = 512;

/// Who calls: numbers differ between the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Abi {
    /// A 64-bit program.
    Native,
    /// A 32-bit program on a 64-bit kernel, or `int 0x80`.
    Compat,
}

impl Abi {
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

/// Tells an object whose program includes syscall.bpf.h which system calls it is for, of 64-bit and of 32-bit callers:
/// by name, each with the number of what the program does for it, which is not 0. A name that an ABI does not have is left
/// out there: old calls are not on every architecture.
///
/// # Errors
/// The object has no such table.
///
/// # Panics
/// With debug assertions: there is no system call of that name anywhere.
pub fn trace(open: &mut OpenObject, calls: &[(&str, u8)]) -> Result<()> {
    for (name, _) in calls {
        debug_assert!(exists(name), "there is no system call {name}");
    }
    let (native, compat) = (actions(Abi::Native, calls), actions(Abi::Compat, calls));
    object::set_bytes(open, "syscall_native", &native)?;
    object::set_bytes(open, "syscall_compat", &compat)
}

/// Whether any architecture has it.
fn exists(name: &str) -> bool {
    let tables = [
        include_str!("syscalls/x86_64.txt"),
        include_str!("syscalls/i386.txt"),
        include_str!("syscalls/aarch64.txt"),
        include_str!("syscalls/arm.txt"),
    ];
    tables.into_iter().flat_map(str::lines).any(|line| line.split_once(' ').is_some_and(|(_, known)| known == name))
}

fn actions(abi: Abi, calls: &[(&str, u8)]) -> [u8; NUMBERS] {
    let mut actions = [0; NUMBERS];
    for (number, name) in all(abi) {
        if let (Some((_, action)), Some(place)) =
            (calls.iter().find(|(wanted, _)| *wanted == name), actions.get_mut(number as usize))
        {
            *place = *action;
        }
    }
    actions
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
    use super::{Abi, NUMBERS, actions, all, name, number};

    #[test]
    fn names_are_those_of_libc() {
        for (known, call) in
            [(libc::SYS_openat, "openat"), (libc::SYS_exit_group, "exit_group"), (libc::SYS_clone3, "clone3")]
        {
            assert_eq!(number(Abi::Native, call).map(i64::from), Some(known));
            assert_eq!(u32::try_from(known).ok().and_then(|known| name(Abi::Native, known)), Some(call));
        }
        assert_eq!(name(Abi::Native, 511), None);
        assert!(super::exists("oldstat") && super::exists("arm_sync_file_range") && !super::exists("no_call"));
    }

    #[test]
    fn numbers_have_one_name_and_fit_the_kernel_side() {
        for abi in [Abi::Native, Abi::Compat] {
            let mut numbers: Vec<u32> = all(abi).map(|(number, _)| number).collect();
            let count = numbers.len();
            numbers.dedup();
            assert!(count > 300 && numbers.len() == count);
            assert!(numbers.iter().all(|number| (*number as usize) < NUMBERS));
        }
    }

    #[test]
    fn each_caller_has_numbers_of_its_own() {
        let calls = [("openat", 3), ("exit", 4)];
        for abi in [Abi::Native, Abi::Compat] {
            let actions = actions(abi, &calls);
            assert_eq!(actions.iter().filter(|action| **action > 0).count(), 2);
            let openat = number(abi, "openat").expect("both have it");
            assert_eq!(actions[openat as usize], 3);
        }
    }
}
