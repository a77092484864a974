//! Where threads run, and which they are.

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
