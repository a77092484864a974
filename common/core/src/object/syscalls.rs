//! Which system calls a program looks at: the settings of bpf/include/call/syscall.bpf.h.

use anyhow::Result;

use super::setup::Setup;
use crate::names::syscalls::{Abi, all, exists};

/// `SYSCALLS` of bpf/include/call/syscall.bpf.h.
const NUMBERS: usize = 512;

impl Setup<'_> {
    /// Tells an object whose program includes call/syscall.bpf.h which system calls it is for, of 64-bit and of 32-bit
    /// callers: by name, each with the number of what the program does for it, which is not 0. A name that an ABI does not
    /// have is left out there: old calls are not on every architecture.
    ///
    /// # Errors
    /// The object has no such table.
    ///
    /// # Panics
    /// A number is larger than 255; with debug assertions also where there is no system call of that name anywhere.
    pub fn trace_calls(&mut self, calls: &[(&str, u32)]) -> Result<()> {
        for (name, _) in calls {
            debug_assert!(exists(name), "there is no system call {name}");
        }
        self.set("syscall_native", actions(Abi::Native, calls))?;
        self.set("syscall_compat", actions(Abi::Compat, calls))
    }
}

fn actions(abi: Abi, calls: &[(&str, u32)]) -> [u8; NUMBERS] {
    let mut actions = [0; NUMBERS];
    for (number, name) in all(abi) {
        if let (Some((_, action)), Some(place)) =
            (calls.iter().find(|(wanted, _)| *wanted == name), actions.get_mut(number as usize))
        {
            *place = u8::try_from(*action).expect("a program knows fewer than 256 kinds of calls");
        }
    }
    actions
}

#[cfg(test)]
mod tests {
    use super::{NUMBERS, actions};
    use crate::names::syscalls::{Abi, all, number};

    #[test]
    fn numbers_fit_the_kernel_side() {
        for abi in [Abi::Native, Abi::Compat] {
            assert!(all(abi).all(|(number, _)| (number as usize) < NUMBERS));
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
