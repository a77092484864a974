//! Waits with a known stack: functions with frame pointers and with names that nothing else has, whatever the compiler
//! makes of the rest of the test.

use std::arch::naked_asm;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::ptr;
use std::time::{Duration, Instant};

/// A function `$outer` that calls a function `$inner` that makes a system call: number and four arguments.
macro_rules! system_call {
    ($outer:ident, $inner:ident) => {
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        extern "C" fn $outer(number: i64, a: usize, b: usize, c: usize, d: usize) -> i64 {
            #[cfg(target_arch = "x86_64")]
            naked_asm!("push rbp", "mov rbp, rsp", "call {}", "pop rbp", "ret", sym $inner);
            #[cfg(target_arch = "aarch64")]
            naked_asm!("stp x29, x30, [sp, #-16]!", "mov x29, sp", "bl {}", "ldp x29, x30, [sp], #16", "ret", sym $inner);
        }

        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        extern "C" fn $inner(number: i64, a: usize, b: usize, c: usize, d: usize) -> i64 {
            #[cfg(target_arch = "x86_64")]
            naked_asm!(
                "push rbp", "mov rbp, rsp", "mov rax, rdi", "mov rdi, rsi", "mov rsi, rdx", "mov rdx, rcx", "mov r10, r8",
                "syscall", "pop rbp", "ret",
            );
            #[cfg(target_arch = "aarch64")]
            naked_asm!(
                "stp x29, x30, [sp, #-16]!", "mov x29, sp", "mov x8, x0", "mov x0, x1", "mov x1, x2", "mov x2, x3",
                "mov x3, x4", "svc 0", "ldp x29, x30, [sp], #16", "ret",
            );
        }
    };
}

system_call!(corescope_sleep_caller, corescope_sleep);
system_call!(corescope_futex_caller, corescope_futex);
system_call!(corescope_call_caller, corescope_call);
system_call!(corescope_read_caller, corescope_read);
system_call!(corescope_write_caller, corescope_write);

/// Calls what `sleep` calls from two places.
#[unsafe(no_mangle)]
#[unsafe(naked)]
extern "C" fn corescope_sleep_twice(number: i64, a: usize, b: usize, c: usize, d: usize) -> i64 {
    #[cfg(target_arch = "x86_64")]
    naked_asm!(
        "push rbp", "mov rbp, rsp", "push rdi", "push rsi", "call {0}", "pop rsi", "pop rdi", "call {0}", "pop rbp", "ret",
        sym corescope_sleep_caller
    );
    #[cfg(target_arch = "aarch64")]
    naked_asm!(
        "stp x29, x30, [sp, #-32]!", "mov x29, sp", "stp x0, x1, [sp, #16]", "bl {0}", "ldp x0, x1, [sp, #16]", "bl {0}",
        "ldp x29, x30, [sp], #32", "ret", sym corescope_sleep_caller
    );
}

/// The functions of [`sleep`] on the user stack, the innermost first.
pub const SLEEP: [&str; 2] = ["corescope_sleep", "corescope_sleep_caller"];
/// Those of [`sleep_twice`].
pub const SLEEP_TWICE: [&str; 3] = ["corescope_sleep", "corescope_sleep_caller", "corescope_sleep_twice"];
/// Those of [`wait_on_futex`].
pub const FUTEX: [&str; 2] = ["corescope_futex", "corescope_futex_caller"];

/// Those of [`call`].
pub const CALL: [&str; 2] = ["corescope_call", "corescope_call_caller"];

/// Makes a system call; gives what the kernel answers, an error as a negative number.
///
/// # Safety
/// As that of the system call: pointers among the arguments must be what it wants.
pub unsafe fn call(number: i64, [a, b, c, d]: [usize; 4]) -> i64 {
    corescope_call_caller(number, a, b, c, d)
}

/// Those of [`read_at`].
pub const READ: [&str; 2] = ["corescope_read", "corescope_read_caller"];
/// Those of [`write_at`].
pub const WRITE: [&str; 2] = ["corescope_write", "corescope_write_caller"];

/// Reads all of `memory` from a place in a file, by `pread64(2)`.
///
/// # Panics
/// There is less to be read.
pub fn read_at(file: &File, memory: &mut [u8], place: usize) {
    let (fd, start) = (file.as_raw_fd().cast_unsigned(), memory.as_mut_ptr() as usize);
    let read = corescope_read_caller(libc::SYS_pread64, fd as usize, start, memory.len(), place);
    assert_eq!(usize::try_from(read), Ok(memory.len()));
}

/// Writes all of `memory` to a place in a file, by `pwrite64(2)`.
///
/// # Panics
/// There is no room.
pub fn write_at(file: &File, memory: &[u8], place: usize) {
    let (fd, start) = (file.as_raw_fd().cast_unsigned(), memory.as_ptr() as usize);
    let written = corescope_write_caller(libc::SYS_pwrite64, fd as usize, start, memory.len(), place);
    assert_eq!(usize::try_from(written), Ok(memory.len()));
}

fn timespec(duration: Duration) -> libc::timespec {
    libc::timespec { tv_sec: duration.as_secs().try_into().unwrap_or(0), tv_nsec: duration.subsec_nanos().into() }
}

/// Sleeps in `nanosleep(2)`; gives how long it really took.
///
/// # Panics
/// The sleep was cut short.
pub fn sleep(duration: Duration) -> Duration {
    let start = Instant::now();
    let time = timespec(duration);
    let failed = corescope_sleep_caller(libc::SYS_nanosleep, ptr::from_ref(&time) as usize, 0, 0, 0);
    assert_eq!(failed, 0, "an undisturbed sleep");
    start.elapsed()
}

/// The same twice, from two places in one function.
///
/// # Panics
/// The second sleep was cut short.
pub fn sleep_twice(duration: Duration) {
    let time = timespec(duration);
    let failed = corescope_sleep_twice(libc::SYS_nanosleep, ptr::from_ref(&time) as usize, 0, 0, 0);
    assert_eq!(failed, 0, "an undisturbed sleep");
}

/// Waits on a futex that nobody wakes; gives how long it really took.
///
/// # Panics
/// The wait ended before its time.
pub fn wait_on_futex(duration: Duration) -> Duration {
    const WAIT_PRIVATE: usize = 128;
    let start = Instant::now();
    let time = timespec(duration);
    let word = 0u32;
    let word = ptr::from_ref(&word) as usize;
    let error = corescope_futex_caller(libc::SYS_futex, word, WAIT_PRIVATE, 0, ptr::from_ref(&time) as usize);
    assert_eq!(error, -i64::from(libc::ETIMEDOUT), "nobody wakes it");
    start.elapsed()
}
