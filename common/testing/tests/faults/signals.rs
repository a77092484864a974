//! Signals that end a tool.

use std::os::unix::process::ExitStatusExt;
use std::thread;
use std::time::Instant;

use corescope_testing::process;

use crate::each_tool;
use crate::run::Run;

/// Moments from the start of a tool to a while after it is attached.
const MOMENTS: u32 = 5;

#[test]
fn signals_at_any_moment() {
    each_tool(|name| {
        let start = Instant::now();
        let mut run = Run::start(name, |command| process::ignore_signal(command, libc::SIGINT));
        run.must_attach();
        let ready = start.elapsed();
        // Inherited ignored, as of a shell's `command &`, and heard all the same.
        run.signal(libc::SIGINT);
        run.end().well();
        for moment in 0..MOMENTS {
            let signal = if moment % 2 == 0 { libc::SIGINT } else { libc::SIGTERM };
            let run = Run::start(name, |_| {});
            thread::sleep(ready * (2 * moment + 1) / (2 * MOMENTS - 2));
            run.signal(signal);
            if moment % 3 == 0 {
                run.signal(signal);
            }
            let ended = run.end();
            // Before main() the kernel ends it.
            if ended.status.signal() != Some(signal) {
                ended.well();
            }
        }
    });
}
