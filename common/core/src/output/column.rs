//! Columns are data: the text table, JSON lines, the live screen and the manual all read the same list.

use std::borrow::Cow;
use std::cmp::Ordering;

/// What a column shows of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// A count, an id, a size.
    Unsigned(u64),
    /// A number that may be negative, as a return value.
    Signed(i64),
    /// A number that people read in a larger unit: text shows `raw / per`, JSON keeps `raw`.
    Scaled {
        /// In the unit that the JSON key names.
        raw: u64,
        /// How many of these make one of the unit that the header names.
        per: u64,
        /// Digits behind the point, in text.
        decimals: usize,
    },
    /// A number that is counted in fractions, as the load: `raw` 123 with 2 decimals is 1.23 in text and JSON.
    Fixed {
        /// In the smallest fraction.
        raw: u64,
        /// Digits behind the point.
        decimals: u32,
    },
    /// Text that may come from a traced program; text output escapes it, JSON keeps it exact.
    Text(Cow<'a, [u8]>),
    /// Text that was put together of escaped parts ([`escape`](super::escape)), and is not to be escaped again.
    Escaped(String),
    /// A command line: separated by spaces in text, an array in JSON.
    Words(Vec<&'a [u8]>),
    /// As [`Words`](Self::Words), each in double quotes in text.
    Quoted(Vec<&'a [u8]>),
    /// A moment in ns of `CLOCK_BOOTTIME`: `HH:MM:SS` in text, RFC 3339 in JSON.
    Time(u64),
    /// The same as `HH:MM:SS.mmm`.
    TimeMs(u64),
    /// The same as seconds since the tool started.
    Elapsed(u64),
    /// A length of time in ns: seconds in text and JSON.
    Seconds(u64),
    /// Bytes, or bytes per second: text shows two or three digits and a unit (`1.2M` is 1.2 * 1024 * 1024), JSON all.
    Size(u64),
    /// Permissions of a file: octal in text, a plain number in JSON.
    Octal(u32),
    /// Yes or no.
    Bool(bool),
    /// Nothing is known: `-` in text, `null` in JSON.
    Missing,
}

impl<'a> Value<'a> {
    /// The text of a `char[]`, up to its NUL.
    #[must_use]
    pub fn c_string(bytes: &'a [u8]) -> Self {
        Self::Text(Cow::Borrowed(super::escape::c_string(bytes)))
    }

    /// The order that sorting by this column gives: numbers by size, all else by bytes.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Escaped(a), Self::Escaped(b)) => a.cmp(b),
            (Self::Words(a) | Self::Quoted(a), Self::Words(b) | Self::Quoted(b)) => a.cmp(b),
            (a, b) => a.magnitude().cmp(&b.magnitude()),
        }
    }

    fn magnitude(&self) -> i128 {
        match self {
            Self::Unsigned(number)
            | Self::Time(number)
            | Self::TimeMs(number)
            | Self::Elapsed(number)
            | Self::Seconds(number)
            | Self::Size(number) => i128::from(*number),
            Self::Scaled { raw, .. } | Self::Fixed { raw, .. } => i128::from(*raw),
            Self::Signed(number) => i128::from(*number),
            Self::Octal(number) => i128::from(*number),
            Self::Bool(flag) => i128::from(*flag),
            _ => i128::MIN,
        }
    }
}

macro_rules! from_number {
    ($($type:ty => $variant:ident),*) => {
        $(impl From<$type> for Value<'_> {
            fn from(number: $type) -> Self {
                Self::$variant(number.into())
            }
        })*
    };
}
from_number!(u8 => Unsigned, u16 => Unsigned, u32 => Unsigned, u64 => Unsigned, i32 => Signed, i64 => Signed, bool => Bool);

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text.as_bytes()))
    }
}

impl<'a> From<Cow<'a, str>> for Value<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text.into_bytes()))
    }
}

/// Where a value stands in its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text, and most of what BCC prints.
    Left,
    /// Amounts.
    Right,
}

/// One column of a tool's rows.
#[derive(Debug)]
pub struct Column<Row> {
    /// The header in text, as BCC prints it; without one the column is in the JSON only.
    pub header: &'static str,
    /// Cells in text; what is wider pushes the rest of its row.
    pub width: usize,
    /// Where the value stands.
    pub align: Align,
    /// The key in JSON, with its unit; without one the column is in the text only.
    pub key: &'static str,
    /// What it means, for the manual.
    pub help: &'static str,
    /// Takes the value from a row.
    pub value: for<'a> fn(&'a Row) -> Value<'a>,
}

/// What the manual says of a column or a JSON key.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The header in text, or nothing.
    pub header: &'static str,
    /// The key in JSON, or nothing.
    pub key: &'static str,
    /// What it means.
    pub help: &'static str,
}

/// The manual's view of a list of columns.
#[must_use]
pub fn fields<Row>(columns: &[Column<Row>]) -> Vec<Field> {
    columns.iter().map(|column| Field { header: column.header, key: column.key, help: column.help }).collect()
}

/// A list of columns: header, alignment and width, JSON key, meaning, and where the value comes from.
///
/// ```
/// struct Row { pid: u32, comm: [u8; 16] }
/// const COLUMNS: &[corescope::Column<Row>] = corescope::columns![Row;
///     "PID", left 7, "pid", "Process id" => |row| row.pid.into(),
///     "COMM", left 16, "comm", "Process name" => |row| corescope::Value::c_string(&row.comm),
/// ];
/// ```
#[macro_export]
macro_rules! columns {
    (@align left) => { $crate::column::Align::Left };
    (@align right) => { $crate::column::Align::Right };
    ($row:ty; $($header:literal, $align:ident $width:literal, $key:literal, $help:literal => $value:expr),+ $(,)?) => {
        &[$($crate::Column::<$row> {
            header: $header,
            width: $width,
            align: $crate::columns!(@align $align),
            key: $key,
            help: $help,
            value: $value,
        }),+]
    };
}
