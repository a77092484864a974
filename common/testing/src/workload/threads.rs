//! Where threads run, which they are, and what they have used.

use std::time::Duration;

/// The calling thread's id.
#[must_use]
pub fn tid() -> i32 {
    // SAFETY: gettid(2) takes nothing.
    unsafe { libc::gettid() }
}

/// Keeps the calling thread on one CPU.
///
/// # Panics
/// The machine has no such CPU.
pub fn pin(cpu: usize) {
    // SAFETY: the set is a local, zeroed as CPU_ZERO does.
    let failed = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set)
    };
    assert_eq!(failed, 0, "no CPU {cpu}");
}

/// The processor time that the calling thread has used.
#[must_use]
pub fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local; there is such a clock.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
