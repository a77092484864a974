//! libbpf's own messages: kept back, and shown with `--verbose` or as part of a failure.

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use libbpf_rs::PrintLevel;

static VERBOSE: AtomicBool = AtomicBool::new(false);
static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Takes libbpf's messages over.
pub fn capture(verbose: bool) {
    VERBOSE.store(verbose, Ordering::Relaxed);
    let level = if verbose { PrintLevel::Debug } else { PrintLevel::Warn };
    libbpf_rs::set_print(Some((level, keep)));
}

fn keep(level: PrintLevel, message: String) {
    if VERBOSE.load(Ordering::Relaxed) {
        // Unlike eprint!, which panics where standard error is gone.
        let _ = std::io::stderr().lock().write_all(message.as_bytes());
    }
    if level == PrintLevel::Warn
        && let Ok(mut warnings) = WARNINGS.lock()
    {
        warnings.push(message);
    }
}

/// libbpf's warnings so far, without its prefix; they are forgotten.
#[must_use]
pub fn take_warnings() -> Vec<String> {
    let warnings = WARNINGS.lock().map(|mut warnings| std::mem::take(&mut *warnings)).unwrap_or_default();
    warnings.iter().map(|line| line.trim_end().trim_start_matches("libbpf: ").to_string()).collect()
}
