//! Numbers on a command line: an error says what is wanted.

use std::str::FromStr;

/// The kernel's `PID_MAX_LIMIT` on 64-bit systems.
const MOST: u32 = 4 * 1024 * 1024;

/// The id of a process or thread.
///
/// # Errors
/// A sentence for what is none.
pub fn id(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=MOST).contains(number));
    number.ok_or_else(|| format!("not a process or thread id (expected a number from 1 to {MOST})"))
}

/// How many, one at least.
///
/// # Errors
/// A sentence for what is no such number.
pub fn count<Number: FromStr + Default + PartialEq>(text: &str) -> Result<Number, String> {
    let number = text.parse().ok().filter(|number| *number != Number::default());
    number.filter(|_| !text.starts_with(['-', '+'])).ok_or_else(|| "expected a whole number from 1 on".into())
}

/// A number that is not negative.
///
/// # Errors
/// A sentence for what is no such number.
pub fn whole<Number: FromStr>(text: &str) -> Result<Number, String> {
    let number = text.parse().ok().filter(|_| !text.starts_with(['-', '+']));
    number.ok_or_else(|| "expected a whole number".into())
}

#[cfg(test)]
mod tests {
    use super::{count, id, whole};

    #[test]
    fn errors_say_what_is_wanted() {
        assert_eq!((id("1"), id("4194304")), (Ok(1), Ok(4_194_304)));
        for text in ["0", "-1", "", "init", "4194305", "99999999999"] {
            assert!(id(text).is_err_and(|error| error.contains("from 1 to 4194304")), "{text}");
        }
        assert_eq!((count::<u64>("7"), whole::<u32>("0")), (Ok(7), Ok(0)));
        assert!(["0", "-1", "+1", "", "1.5"].into_iter().all(|text| count::<u64>(text).is_err()));
        assert!(["-1", "+1", "", "x"].into_iter().all(|text| whole::<u64>(text).is_err()));
    }
}
