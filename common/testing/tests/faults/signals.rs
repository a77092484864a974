//! Signals that end a tool.

use std::os::unix::process::ExitStatusExt;
use std::thread;
use std::time::Instant;

use corescope_testing::process;

use crate::each_tool;
use corescope_testing::run::Run;

/// Moments from the start of a tool to a while after it is attached, which differ from tool to tool.
const MOMENTS: u32 = 3;

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
        let shift: u32 = name.bytes().map(u32::from).sum::<u32>() % 8;
        for moment in 0..MOMENTS {
            let signal = if (moment + shift).is_multiple_of(2) { libc::SIGINT } else { libc::SIGTERM };
            // Before the tool has started an ignored signal would be lost.
            let run = Run::start(name, |command| process::heed_signal(command, signal));
            thread::sleep(ready * (8 * moment + shift) / (8 * MOMENTS - 4));
            run.signal(signal);
            if moment == 1 {
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
