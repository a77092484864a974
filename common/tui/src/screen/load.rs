//! The load average.

use std::fs;

/// The line of /proc/loadavg, or nothing where there is none.
pub(crate) fn line() -> String {
    fs::read_to_string("/proc/loadavg").map(|text| text.trim_end().to_string()).unwrap_or_default()
}

/// The three averages of that line.
pub(crate) fn averages(line: &str) -> String {
    line.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_averages_come_first() {
        assert_eq!(super::averages("0.52 0.40 0.30 1/123 4567"), "0.52 0.40 0.30");
        assert_eq!(super::averages(""), "");
    }
}
