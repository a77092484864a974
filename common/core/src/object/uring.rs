//! Which requests of io_uring(7) a program looks at: the settings of bpf/include/call/uring.bpf.h.

use anyhow::Result;

use super::hooks;
use super::setup::Setup;

/// `URING_OPCODES` of bpf/include/call/uring.bpf.h.
const OPCODES: usize = 256;

const FDATASYNC: usize = 255;

/// System calls that a ring does as well, and their opcodes: `enum io_uring_op` of linux/io_uring.h. The last one is no
/// opcode, but fsync with a flag: `URING_FDATASYNC` of the header.
const CALLS: &[(&str, usize)] =
    &[("fsync", 3), ("sync_file_range", 8), ("openat", 18), ("openat2", 28), ("fdatasync", FDATASYNC)];

impl Setup<'_> {
    /// Tells an object whose programs are those of call/uring.bpf.h which requests they are for: those that are the same as one
    /// of these system calls, each with the number of what the program does for it, as for
    /// [`trace_calls`](Self::trace_calls).
    ///
    /// Kernels before 6.0 do not tell which request has completed: there nothing is loaded.
    ///
    /// # Errors
    /// The object has no such programs, or the kernel's types cannot be read.
    pub fn trace_uring(&mut self, calls: &[(&str, u32)]) -> Result<()> {
        let mut actions = [0u8; OPCODES];
        for (call, action) in calls {
            if let Some((_, opcode)) = CALLS.iter().find(|(known, _)| known == call) {
                actions[*opcode] = u8::try_from(*action)?;
            }
        }
        self.set("uring_actions", actions)?;
        // What a request asks for was in a union before 6.0, and its completion did not tell the request before 5.19.
        let can = self.types()?.has_type("io_cmd_data") && self.types()?.has_field("io_kiocb", "cqe");
        let found = hooks::choose_if(self, can, &["uring_submit", "uring_submit_sqe"])?;
        self.load_if("uring_complete", found.is_some())?;
        if found.is_none() {
            self.leave_out("uring_kept")?;
        }
        Ok(())
    }
}
