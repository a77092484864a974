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

    /// The same where an empty text says that there is none.
    #[must_use]
    pub fn unless_empty(bytes: &'a [u8]) -> Self {
        if bytes.first().is_none_or(|byte| *byte == 0) { Self::Missing } else { Self::c_string(bytes) }
    }

    /// A number of which 0 says that there is none.
    #[must_use]
    pub fn unless_zero<Number: Into<Self> + Default + PartialEq>(number: Number) -> Self {
        if number == Number::default() { Self::Missing } else { number.into() }
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

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Missing, Into::into)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(text: &'a [u8]) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<Vec<u8>> for Value<'_> {
    fn from(text: Vec<u8>) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

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

/// What a key holds in JSON. Where a value is not known it is null, whatever the type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number, raw, in the unit that the key names.
    Number,
    /// A string. What is not UTF-8 in it is replaced, and then the key with `_bytes` has the bytes as they are.
    Text,
    /// A list of strings; `_bytes` likewise, with a list of bytes for each.
    Words,
    /// A date with time and offset, to the nanosecond.
    Time,
    /// True or false.
    Bool,
    /// A list of objects, of which the fields that follow describe the keys.
    Objects,
}

impl Kind {
    /// As docs/json.md has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Text => "string",
            Self::Words => "list of strings",
            Self::Time => "time",
            Self::Bool => "boolean",
            Self::Objects => "list of objects",
        }
    }
}

/// A column without its values: what table, screen, manual and docs/json.md say of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The header in text, as BCC prints it; without one it is in the JSON only.
    pub header: &'static str,
    /// Where the value stands in text.
    pub align: Align,
    /// Cells in text; what is wider pushes the rest of its row.
    pub width: usize,
    /// The key in JSON, with its unit; without one it is in the text only. `stack[].symbol` is a key of the objects in a
    /// list.
    pub key: &'static str,
    /// What the key holds.
    pub kind: Kind,
    /// What it means, for the manual.
    pub help: &'static str,
}

impl Field {
    /// The same in the JSON only.
    #[must_use]
    pub const fn json_only(self) -> Self {
        Self { header: "", width: 0, ..self }
    }

    /// The same in the text only.
    #[must_use]
    pub const fn text_only(self) -> Self {
        Self { key: "", ..self }
    }

    /// What is in the JSON only.
    #[must_use]
    pub const fn json(key: &'static str, kind: Kind, help: &'static str) -> Self {
        Self { header: "", align: Align::Left, width: 0, key, kind, help }
    }

    /// What is in the text only.
    #[must_use]
    pub const fn text(header: &'static str, align: Align, width: usize, help: &'static str) -> Self {
        Self { header, align, width, key: "", kind: Kind::Text, help }
    }

    /// The same under another header.
    #[must_use]
    pub const fn headed(self, header: &'static str, align: Align, width: usize) -> Self {
        Self { header, align, width, ..self }
    }

    /// The same with what it means in one tool.
    #[must_use]
    pub const fn meaning(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

    /// The unit of a number, by the end of its key.
    #[must_use]
    pub fn unit(&self) -> &'static str {
        match self.key.rsplit('_').next() {
            _ if self.kind != Kind::Number => "",
            Some("ns") => "nanoseconds",
            Some("s") => "seconds",
            Some("bytes") => "bytes",
            Some("pages") => "pages",
            _ => "",
        }
    }
}

/// One column of a tool's rows.
#[derive(Debug)]
pub struct Column<Row> {
    /// What it is.
    pub field: Field,
    /// Takes the value from a row.
    pub value: for<'a> fn(&'a Row) -> Value<'a>,
}

impl<Row> std::ops::Deref for Column<Row> {
    type Target = Field;

    fn deref(&self) -> &Field {
        &self.field
    }
}

/// The manual's view of a list of columns.
#[must_use]
pub fn fields<Row>(columns: &[Column<Row>]) -> Vec<Field> {
    columns.iter().map(|column| column.field).collect()
}

/// A list of columns, in the order of the text: what each is, and where the value comes from.
///
/// Most are in the [`vocabulary`](crate::output::vocabulary), which says header, width, key, type and meaning once for all
/// tools; `as` gives one another header, and what follows a colon is its meaning in this tool. Others have a header and a key
/// of their own. `json` and `text` lead what only one of the two has.
///
/// ```
/// struct Row { pid: u32, comm: [u8; 16], queue: u32, size: u64 }
/// const COLUMNS: &[corescope::Column<Row>] = corescope::columns![Row;
///     PID => |row| row.pid.into(),
///     COMM as "PCOMM" left 16: "Name of the parent" => |row| corescope::Value::c_string(&row.comm),
///     json "queue" number: "Number of the queue" => |row| row.queue.into(),
///     text "KB" right 7: "Size in KiB" => |row| (row.size / 1024).into(),
///     "BYTES" right 9 "size_bytes" number: "Size" => |row| row.size.into(),
/// ];
/// ```
#[macro_export]
macro_rules! columns {
    ($row:ty; $($columns:tt)+) => { $crate::columns!(@next $row; [] $($columns)+) };
    (@next $row:ty; [$($done:expr,)*]) => { &[$($done),*] };
    (@next $row:ty; [$($done:expr,)*] json $key:literal $kind:ident: $help:literal => $value:expr $(, $($rest:tt)*)?) => {
        $crate::columns!(@next $row; [$($done,)* $crate::Column::<$row> {
            field: $crate::column::Field::json($key, $crate::columns!(@kind $kind), $help),
            value: $value,
        },] $($($rest)*)?)
    };
    (@next $row:ty; [$($done:expr,)*] json $term:ident $(: $help:literal)? => $value:expr $(, $($rest:tt)*)?) => {
        $crate::columns!(@next $row; [$($done,)* $crate::Column::<$row> {
            field: $crate::output::vocabulary::$term.json_only() $(.meaning($help))?,
            value: $value,
        },] $($($rest)*)?)
    };
    (@next $row:ty; [$($done:expr,)*]
        text $term:ident $(as $header:literal $align:ident $width:literal)? $(: $help:literal)? => $value:expr
        $(, $($rest:tt)*)?
    ) => {
        $crate::columns!(@next $row; [$($done,)* $crate::Column::<$row> {
            field: $crate::output::vocabulary::$term.text_only()
                $(.headed($header, $crate::columns!(@align $align), $width))? $(.meaning($help))?,
            value: $value,
        },] $($($rest)*)?)
    };
    (@next $row:ty; [$($done:expr,)*]
        text $header:literal $align:ident $width:literal: $help:literal => $value:expr $(, $($rest:tt)*)?
    ) => {
        $crate::columns!(@next $row; [$($done,)* $crate::Column::<$row> {
            field: $crate::column::Field::text($header, $crate::columns!(@align $align), $width, $help),
            value: $value,
        },] $($($rest)*)?)
    };
    (@next $row:ty; [$($done:expr,)*]
        $header:literal $align:ident $width:literal $key:literal $kind:ident: $help:literal => $value:expr
        $(, $($rest:tt)*)?
    ) => {
        $crate::columns!(@next $row; [$($done,)* $crate::Column::<$row> {
            field: $crate::column::Field::json($key, $crate::columns!(@kind $kind), $help)
                .headed($header, $crate::columns!(@align $align), $width),
            value: $value,
        },] $($($rest)*)?)
    };
    (@next $row:ty; [$($done:expr,)*]
        $term:ident $(as $header:literal $align:ident $width:literal)? $(: $help:literal)? => $value:expr
        $(, $($rest:tt)*)?
    ) => {
        $crate::columns!(@next $row; [$($done,)* $crate::Column::<$row> {
            field: $crate::output::vocabulary::$term
                $(.headed($header, $crate::columns!(@align $align), $width))? $(.meaning($help))?,
            value: $value,
        },] $($($rest)*)?)
    };
    (@align left) => { $crate::column::Align::Left };
    (@align right) => { $crate::column::Align::Right };
    (@kind number) => { $crate::column::Kind::Number };
    (@kind text) => { $crate::column::Kind::Text };
    (@kind words) => { $crate::column::Kind::Words };
    (@kind time) => { $crate::column::Kind::Time };
    (@kind bool) => { $crate::column::Kind::Bool };
}
