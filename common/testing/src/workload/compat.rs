//! System calls as 32-bit programs make them: `int 0x80` from a 64-bit process counts as one.

use std::ffi::CStr;
use std::ptr::NonNull;

/// Makes a system call by its i386 number, with up to five arguments; gives what the kernel returns, an error as a
/// negative errno. Pointers must be below 4 GiB: see [`LowMemory`].
///
/// # Safety
/// As of the system call.
#[must_use]
pub unsafe fn compat(number: u32, arguments: [u32; 5]) -> i32 {
    let [first, second, third, fourth, fifth] = arguments.map(u64::from);
    let mut result = u64::from(number);
    // SAFETY: rbx, which the compiler keeps for itself, is put back; the kernel may clear r8 to r11.
    unsafe {
        std::arch::asm!(
            "xchg {first}, rbx", "int 0x80", "xchg {first}, rbx",
            first = inout(reg) first => _,
            inout("rax") result,
            in("rcx") second, in("rdx") third, in("rsi") fourth, in("rdi") fifth,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    #[allow(clippy::cast_possible_truncation, reason = "32 bits are what such a program gets")]
    {
        result as i32
    }
}

/// Memory below 4 GiB, for the strings and structs of such calls: 64 KiB, zeroed.
#[derive(Debug)]
pub struct LowMemory {
    start: NonNull<u8>,
    used: usize,
}

const SIZE: usize = 64 * 1024;

impl LowMemory {
    /// # Panics
    /// There is no such memory.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "it panics")]
    pub fn new() -> Self {
        // SAFETY: new memory, wherever the kernel finds room.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                SIZE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT,
                -1,
                0,
            )
        };
        assert_ne!(start, libc::MAP_FAILED, "memory below 4 GiB");
        Self { start: NonNull::new(start.cast()).expect("no null page"), used: 0 }
    }

    /// Copies bytes there; gives their address.
    ///
    /// # Panics
    /// There is no room left.
    pub fn put(&mut self, bytes: &[u8]) -> u32 {
        assert!(self.used + bytes.len() <= SIZE, "too much");
        // SAFETY: it fits, as was just checked.
        let address = unsafe {
            let to = self.start.add(self.used);
            to.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
            to.addr().get()
        };
        self.used = (self.used + bytes.len()).next_multiple_of(16);
        u32::try_from(address).expect("below 4 GiB")
    }

    /// The same with a string.
    pub fn put_string(&mut self, text: &CStr) -> u32 {
        self.put(text.to_bytes_with_nul())
    }
}

impl Drop for LowMemory {
    fn drop(&mut self) {
        // SAFETY: it is this value's own memory, and addresses into it are plain numbers.
        unsafe { libc::munmap(self.start.as_ptr().cast(), SIZE) };
    }
}

#[cfg(test)]
mod tests {
    use super::{LowMemory, compat};

    #[test]
    fn the_kernel_takes_it_for_a_32_bit_call() {
        let mut memory = LowMemory::new();
        let path = memory.put_string(c"/dev/null");
        // open(2) and close(2) of i386.
        // SAFETY: the path ends in NUL, and the descriptor is this test's own.
        unsafe {
            let fd = compat(5, [path, 0, 0, 0, 0]);
            assert!(fd > 2, "{fd}");
            assert_eq!(compat(6, [fd.unsigned_abs(), 0, 0, 0, 0]), 0);
            assert_eq!(compat(6, [u32::MAX, 0, 0, 0, 0]), -libc::EBADF);
        }
    }
}
