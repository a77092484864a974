//! Text that comes from traced programs is hostile: a process may name itself with a newline, a terminal's escape
//! sequence or a mark that turns the reading direction. Such bytes are shown escaped, so that one event stays one line
//! and a log stays harmless.

use unicode_width::UnicodeWidthChar;

/// The bytes up to the first NUL, as C sees them.
#[must_use]
pub fn c_string(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    &bytes[..end]
}

/// Appends `bytes` fit for a terminal: control characters, invalid UTF-8, format characters (bidirectional marks, zero
/// width joiners) and the backslash itself are escaped as in C and Rust (`\n`, `\x1b`, `\u{202e}`).
///
/// Gives the number of terminal cells that it takes.
pub fn push(out: &mut Vec<u8>, bytes: &[u8]) -> usize {
    // Nearly everything is plain ASCII: one test and one copy.
    if bytes.iter().all(|byte| matches!(byte, b' '..=b'[' | b']'..=b'~')) {
        out.extend_from_slice(bytes);
        return bytes.len();
    }
    let mut cells = 0;
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            cells += push_character(out, character);
        }
        for byte in chunk.invalid() {
            cells += push_ascii(out, &format!("\\x{byte:02x}"));
        }
    }
    cells
}

/// The same in double quotes, with a backslash before those within.
pub fn push_quoted(out: &mut Vec<u8>, bytes: &[u8]) -> usize {
    out.push(b'"');
    let mut cells = 2;
    for (index, part) in bytes.split(|byte| *byte == b'"').enumerate() {
        if index > 0 {
            cells += push_ascii(out, "\\\"");
        }
        cells += push(out, part);
    }
    out.push(b'"');
    cells
}

fn push_character(out: &mut Vec<u8>, character: char) -> usize {
    match character {
        '\\' => push_ascii(out, "\\\\"),
        '\n' => push_ascii(out, "\\n"),
        '\r' => push_ascii(out, "\\r"),
        '\t' => push_ascii(out, "\\t"),
        c if c.is_ascii_control() => push_ascii(out, &format!("\\x{:02x}", u32::from(c))),
        c if is_invisible(c) => push_ascii(out, &format!("\\u{{{:x}}}", u32::from(c))),
        c => {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            c.width().unwrap_or(0)
        }
    }
}

fn push_ascii(out: &mut Vec<u8>, text: &str) -> usize {
    out.extend_from_slice(text.as_bytes());
    text.len()
}

/// Characters that change how others are shown, or show nothing: C1 controls, and what Unicode calls format characters,
/// separators of lines and paragraphs, variation selectors, tags and private use.
fn is_invisible(character: char) -> bool {
    matches!(u32::from(character),
        0x80..=0x9f | 0xad | 0x34f | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x8e2 | 0x115f..=0x1160 | 0x17b4..=0x17b5
        | 0x180b..=0x180f | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff
        | 0xffa0 | 0xfff0..=0xfffb | 0xe000..=0xf8ff | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0x10_ffff)
}

#[cfg(test)]
mod tests {
    use super::{c_string, push, push_quoted};

    fn escaped(bytes: &[u8]) -> (String, usize) {
        let mut out = Vec::new();
        let cells = push(&mut out, bytes);
        (String::from_utf8(out).expect("escaped text is UTF-8"), cells)
    }

    #[test]
    fn plain_text_is_left_alone() {
        assert_eq!(escaped(b"kworker/0:1-events"), ("kworker/0:1-events".into(), 18));
    }

    #[test]
    fn lines_and_terminal_sequences_are_escaped() {
        assert_eq!(escaped(b"a\nb\x1b[31m\t\x7f").0, "a\\nb\\x1b[31m\\t\\x7f");
    }

    #[test]
    fn escapes_cannot_be_forged() {
        assert_eq!(escaped(b"a\\nb").0, "a\\\\nb");
    }

    #[test]
    fn invalid_utf8_is_shown_by_byte() {
        assert_eq!(escaped(b"a\xff\xc3(b").0, "a\\xff\\xc3(b");
    }

    #[test]
    fn reading_direction_is_not_turned() {
        assert_eq!(escaped("a\u{202e}b\u{2066}\u{200d}".as_bytes()).0, "a\\u{202e}b\\u{2066}\\u{200d}");
    }

    #[test]
    fn wide_characters_take_two_cells() {
        assert_eq!(escaped("日本".as_bytes()), ("日本".into(), 4));
    }

    #[test]
    fn quotes_cannot_be_forged() {
        let mut out = Vec::new();
        assert_eq!(push_quoted(&mut out, b"a\", \"b\\\n"), out.len());
        assert_eq!(out, br#""a\", \"b\\\n""#);
    }

    #[test]
    fn c_strings_end_at_nul() {
        assert_eq!(c_string(b"ls\0garbage"), b"ls");
        assert_eq!(c_string(b"full"), b"full");
    }
}
