//! The local time zone, as the C library finds it (tzset(3)).

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use jiff::tz::TimeZone;

use crate::process::complain;

/// Where zones are by name, unless `TZDIR` says otherwise.
const FOLDER: &str = "/usr/share/zoneinfo";
/// The zone of the system.
const LOCAL: &str = "/etc/localtime";
/// When daylight saving time begins and ends where `TZ` names it and does not say, as in `EST5EDT`: the C library's rule.
const RULE: &str = ",M3.2.0,M11.1.0";

/// The zone of `TZ`, or of the system where that is not set. One that cannot be found is UTC, as in the C library, and that is
/// reported.
pub(crate) fn local() -> TimeZone {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();
    let of_environment = |value: &OsStr| {
        let folder = env::var_os("TZDIR").unwrap_or_else(|| FOLDER.into());
        find(value, folder.as_ref()).unwrap_or_else(|| {
            complain(&format!("TZ={}: there is no such time zone; times are in UTC", value.to_string_lossy()));
            TimeZone::UTC
        })
    };
    let zone =
        || env::var_os("TZ").map_or_else(|| read(LOCAL.as_ref()).unwrap_or(TimeZone::UTC), |tz| of_environment(&tz));
    ZONE.get_or_init(zone).clone()
}

/// The zone that `TZ` means: nothing for UTC, a file, a name below `folder`, or a rule such as `CET-1CEST,M3.5.0,M10.5.0/3`. A
/// colon in front has no meaning.
fn find(value: &OsStr, folder: &Path) -> Option<TimeZone> {
    let value = value.to_str()?;
    let name = value.strip_prefix(':').unwrap_or(value);
    if name.is_empty() {
        return Some(TimeZone::UTC);
    }
    // A path that starts at the root stays what it is.
    read(&folder.join(name))
        .or_else(|| TimeZone::posix(name).ok())
        .or_else(|| TimeZone::posix(&format!("{name}{RULE}")).ok())
}

fn read(file: &Path) -> Option<TimeZone> {
    TimeZone::tzif("", &fs::read(file).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::{FOLDER, find};
    use jiff::Timestamp;

    /// The offset in January of 2026, and what the zone is called then.
    fn offset(tz: &str) -> Option<(i32, String)> {
        let winter =
            Timestamp::from_second(1_768_478_400).expect("a time").to_zoned(find(tz.as_ref(), FOLDER.as_ref())?);
        Some((winter.offset().seconds() / 60, winter.strftime("%Z").to_string()))
    }

    #[test]
    fn all_forms_of_the_c_library() {
        let named = |minutes, name: &str| Some((minutes, name.to_string()));
        assert_eq!(offset(""), named(0, "UTC"));
        assert_eq!(offset("IST-5:30"), named(330, "IST"));
        assert_eq!(offset("<+0330>-3:30"), named(210, "+0330"));
        assert_eq!(offset("CET-1CEST,M3.5.0,M10.5.0/3"), named(60, "CET"));
        assert_eq!(offset("XST5XDT"), named(-300, "XST"));
        assert_eq!(offset("no such zone"), None);
    }

    #[test]
    fn zones_have_names_and_files() {
        if !std::path::Path::new(FOLDER).exists() {
            return;
        }
        for tz in ["Europe/Berlin", ":Europe/Berlin", "/usr/share/zoneinfo/Europe/Berlin"] {
            assert_eq!(offset(tz), Some((60, "CET".into())), "{tz}");
        }
    }
}
