//! The size of the event buffer: the settings of bpf/include/event/events.bpf.h.

use anyhow::Result;

use super::setup::Setup;
use crate::kernel;

/// The option of tools that stream events.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Common options")]
pub struct Buffer {
    /// Size of the event buffer, with K or M: what arrives while it is full is counted as lost
    #[arg(long, value_name = "SIZE", default_value = "512K", value_parser = size)]
    buffer: u64,
}

/// The buffer's limits: ring buffers are whole pages, and the kernel side wakes the reader by 128 KiB or less.
const SMALLEST: u64 = 4096;
const LARGEST: u64 = 1 << 30;
const WAKEUP: u64 = 128 * 1024;

impl Buffer {
    /// Of so many pages instead, where a tool has BCC's option for them.
    #[must_use]
    pub fn of_pages(&self, pages: Option<u32>) -> Self {
        Self { buffer: pages.map_or(self.buffer, |pages| u64::from(pages).saturating_mul(kernel::page_size())) }
    }

    /// Sizes the map `events` to the next power of two that holds two of the largest events as well.
    ///
    /// # Errors
    /// The object has no such map.
    pub fn apply(&self, setup: &mut Setup<'_>) -> Result<()> {
        self.apply_at_least(setup, setup.largest_event().saturating_mul(2))
    }

    /// The same where records of `record` bytes are built in the buffer itself if they are larger than others, each with all of
    /// its room as long as it is not done: eight of them at once, and as many that wait to be read.
    ///
    /// # Errors
    /// The object has no such map.
    pub fn apply_for(&self, setup: &mut Setup<'_>, record: u64) -> Result<()> {
        let scratch = setup.largest_event();
        self.apply_at_least(setup, if record > scratch { record.saturating_mul(16) } else { scratch.saturating_mul(2) })
    }

    fn apply_at_least(&self, setup: &mut Setup<'_>, least: u64) -> Result<()> {
        let size = self.buffer.max(kernel::page_size()).max(least).next_power_of_two().min(LARGEST);
        setup.size("events", u32::try_from(size)?)?;
        setup.set("wakeup_bytes", WAKEUP.min(size / 4))
    }
}

/// A number of bytes with an optional K, M or G.
///
/// # Errors
/// A sentence for what is no such size.
pub fn size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.char_indices().last() {
        Some((end, 'K' | 'k')) => (&text[..end], 10),
        Some((end, 'M' | 'm')) => (&text[..end], 20),
        Some((end, 'G' | 'g')) => (&text[..end], 30),
        _ => (text, 0),
    };
    let bytes =
        digits.parse::<u64>().ok().filter(|_| !digits.starts_with('+')).and_then(|size| size.checked_mul(1 << shift));
    match bytes {
        Some(bytes) if (SMALLEST..=LARGEST).contains(&bytes) => Ok(bytes),
        Some(_) => Err("the size must be between 4K and 1G".into()),
        None => Err("not a size, as 256K or 4M".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("256K"), Ok(262_144));
        assert_eq!(size("1m"), Ok(1_048_576));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "K", "0", "1", "-1", "+8192", "1T", "99999999999999999999", "18446744073709551615K", "é"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
