//! Kernel time to wall-clock time.

use std::fs;
use std::sync::OnceLock;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::zone;

/// Turns the nanoseconds of `bpf_ktime_get_boot_ns()` into dates and into seconds since the tool started.
///
/// The distance between the two clocks is taken anew with [`resync`](Self::resync), so that a clock that is set while a
/// tool runs shows in later events and in no earlier one.
#[derive(Debug)]
pub struct Clock {
    started_ns: u64,
    offset_ns: i128,
    zone: Option<TimeZone>,
    /// The second that was formatted last, without its fraction: events come many to a second.
    second: i64,
    date: String,
    hms: String,
    zone_offset: String,
}

impl Clock {
    /// A clock whose seconds count from now.
    #[must_use]
    pub fn new() -> Self {
        let mut clock = Self {
            started_ns: boot_ns(),
            offset_ns: 0,
            zone: None,
            second: i64::MIN,
            date: String::new(),
            hms: String::new(),
            zone_offset: String::new(),
        };
        clock.resync();
        clock
    }

    /// Takes over a wall clock that was set since.
    pub fn resync(&mut self) {
        self.offset_ns = i128::from(real_ns()) - i128::from(boot_ns());
    }

    /// Shows times in UTC instead of local time.
    pub fn use_utc(&mut self) {
        self.zone = Some(TimeZone::UTC);
        self.second = i64::MIN;
    }

    /// What the time zone is called at present: `UTC`, `CEST`.
    #[must_use]
    pub fn zone_name(&mut self) -> String {
        let zone = self.zone.get_or_insert_with(zone::local);
        Timestamp::now().to_zoned(zone.clone()).strftime("%Z").to_string()
    }

    /// Now, as events carry it.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        boot_ns()
    }

    /// Seconds since the tool started.
    #[must_use]
    pub fn elapsed(&self, boot_ns: u64) -> Duration {
        Duration::from_nanos(boot_ns.saturating_sub(self.started_ns))
    }

    /// RFC 3339 in local time, to the nanosecond: `2026-08-20T17:05:09.123456789+02:00`.
    pub fn push_rfc3339(&mut self, out: &mut Vec<u8>, boot_ns: u64) {
        use std::io::Write;
        let fraction = self.format_second(boot_ns);
        let _ = write!(out, "{}T{}.{fraction:09}{}", self.date, self.hms, self.zone_offset);
    }

    /// Local time of day, `17:05:09`.
    pub fn hms(&mut self, boot_ns: u64) -> &str {
        self.format_second(boot_ns);
        &self.hms
    }

    /// Local time of day to the millisecond, `17:05:09.123`.
    pub fn hms_ms(&mut self, boot_ns: u64) -> String {
        let fraction = self.format_second(boot_ns);
        format!("{}.{:03}", self.hms, fraction / 1_000_000)
    }

    /// Formats the second that `boot_ns` lies in and gives the nanoseconds that are left over.
    fn format_second(&mut self, boot_ns: u64) -> u32 {
        let real = i128::from(boot_ns) + self.offset_ns;
        let second = i64::try_from(real.div_euclid(1_000_000_000)).unwrap_or(0);
        let fraction = u32::try_from(real.rem_euclid(1_000_000_000)).unwrap_or(0);
        if second != self.second {
            self.second = second;
            let zone = self.zone.get_or_insert_with(zone::local);
            let time = Timestamp::from_second(second).unwrap_or_default().to_zoned(zone.clone());
            self.date = time.strftime("%Y-%m-%d").to_string();
            self.hms = time.strftime("%H:%M:%S").to_string();
            self.zone_offset = time.strftime("%:z").to_string();
        }
        fraction
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

fn real_ns() -> i64 {
    let now = Timestamp::now();
    now.as_duration().as_nanos().try_into().unwrap_or(i64::MAX)
}

fn boot_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local of the right type. CLOCK_BOOTTIME is there since 2.6.39.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    let duration = SignedDuration::new(time.tv_sec, i32::try_from(time.tv_nsec).unwrap_or(0));
    u64::try_from(duration.as_nanos() - namespace_offset_ns()).unwrap_or(0)
}

/// How far CLOCK_BOOTTIME is ahead in the time namespace of this process (time_namespaces(7)): the kernel side has the time of
/// the initial one.
fn namespace_offset_ns() -> i128 {
    static OFFSET: OnceLock<i128> = OnceLock::new();
    let namespace = |name| fs::read_link(format!("/proc/self/ns/{name}")).ok();
    *OFFSET.get_or_init(|| {
        // The file has the offsets that children get, who may be in another one.
        let is_own = namespace("time") == namespace("time_for_children");
        if is_own { boot_offset_ns(&fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default()) } else { 0 }
    })
}

/// From lines such as `boottime 100000 0`: seconds and nanoseconds.
fn boot_offset_ns(offsets: &str) -> i128 {
    let line = offsets.lines().find_map(|line| line.strip_prefix("boottime")).unwrap_or_default();
    let mut numbers = line.split_whitespace().map(|number| number.parse::<i128>().unwrap_or(0));
    numbers.next().unwrap_or(0) * 1_000_000_000 + numbers.next().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Clock, boot_offset_ns};

    #[test]
    fn offsets_of_time_namespaces() {
        let offsets = "monotonic           7         8\nboottime       -100000         5\n";
        assert_eq!((boot_offset_ns(offsets), boot_offset_ns("")), (-99_999_999_999_995, 0));
    }

    #[test]
    fn a_time_stamp_is_exact_to_the_nanosecond() {
        let mut clock = Clock::new();
        clock.zone = Some(jiff::tz::TimeZone::fixed(jiff::tz::offset(2)));
        clock.offset_ns = 1_787_238_309_000_000_000;
        let mut out = Vec::new();
        clock.push_rfc3339(&mut out, 123_456_789);
        assert_eq!(String::from_utf8_lossy(&out), "2026-08-20T17:05:09.123456789+02:00");
        assert_eq!(clock.hms(1_000_000_000), "17:05:10");
        assert_eq!(clock.hms_ms(123_999_999), "17:05:09.123");
        clock.use_utc();
        assert_eq!(clock.hms_ms(123_999_999), "15:05:09.123");
        assert_eq!(clock.zone_name(), "UTC");
    }

    #[test]
    fn seconds_count_from_the_start() {
        let clock = Clock::new();
        assert_eq!(clock.elapsed(clock.started_ns + 1_500_000_000).as_millis(), 1500);
        assert!(clock.elapsed(0).is_zero());
    }
}
