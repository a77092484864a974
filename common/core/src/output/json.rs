//! JSON, written straight into the output buffer: one object per line.

/// An object that is being written. Each key is written once, in the order of the calls.
#[derive(Debug)]
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    /// Opens an object; [`end`](Self::end) closes it.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Writes `"key":` and gives the place for the value.
    pub fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        text(self.out, key.as_bytes());
        self.out.push(b':');
        self.out
    }

    /// A key with a number.
    pub fn number(&mut self, key: &str, value: impl std::fmt::Display) {
        let out = self.key(key);
        number(out, value);
    }

    /// A key with a text.
    pub fn text(&mut self, key: &str, value: &[u8]) {
        let out = self.key(key);
        text(out, value);
    }

    /// A key with a text, or null; where the text is not UTF-8 its bytes follow under the key with `_bytes`.
    pub fn exact_text(&mut self, key: &str, value: Option<&[u8]>) {
        let Some(value) = value else { return self.null(key) };
        self.text(key, value);
        if str::from_utf8(value).is_err() {
            self.list(&format!("{key}_bytes"), value, number);
        }
    }

    /// A key of which nothing is known.
    pub fn null(&mut self, key: &str) {
        self.key(key).extend_from_slice(b"null");
    }

    /// A key with a list, each item written by `write`.
    pub fn list<T>(&mut self, key: &str, items: impl IntoIterator<Item = T>, write: impl FnMut(&mut Vec<u8>, T)) {
        list(self.key(key), items, write);
    }

    /// Closes the object.
    pub fn end(self) {
        self.out.push(b'}');
    }
}

/// Appends a number.
pub fn number(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    use std::io::Write;
    // Writing to a Vec does not fail.
    let _ = write!(out, "{value}");
}

/// Appends a list, each item written by `write`.
pub fn list<T>(out: &mut Vec<u8>, items: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut Vec<u8>, T)) {
    out.push(b'[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

/// Appends a string. What is not UTF-8 in it, and so has no form as a JSON string, is replaced by U+FFFD.
pub fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    if bytes.iter().all(|byte| !matches!(byte, 0..=0x1f | b'"' | b'\\' | 0x7f..)) {
        out.extend_from_slice(bytes);
    } else {
        for character in String::from_utf8_lossy(bytes).chars() {
            character_escaped(out, character);
        }
    }
    out.push(b'"');
}

fn character_escaped(out: &mut Vec<u8>, character: char) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        ' '..='~' => out.push(character as u8),
        // All else is ASCII on the wire, so that printing the JSON is harmless too.
        _ => {
            use std::io::Write;
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Object, text};

    #[test]
    fn an_object_of_each_kind() {
        let mut out = Vec::new();
        let mut object = Object::new(&mut out);
        object.number("pid", 7);
        object.text("comm", b"a \"b\"\n\x1b\\");
        object.list("args", ["x", ""], |out, item| text(out, item.as_bytes()));
        object.end();
        let parsed: serde_json::Value = serde_json::from_slice(&out).expect("valid JSON");
        assert_eq!(parsed, serde_json::json!({"pid": 7, "comm": "a \"b\"\n\u{1b}\\", "args": ["x", ""]}));
    }

    #[test]
    fn other_scripts_are_exact_and_ascii() {
        let mut out = Vec::new();
        text(&mut out, "é日😀\u{202e}".as_bytes());
        assert!(out.is_ascii());
        assert_eq!(serde_json::from_slice::<String>(&out).expect("valid JSON"), "é日😀\u{202e}");
    }

    #[test]
    fn what_is_replaced_is_there_as_bytes() {
        let mut out = Vec::new();
        let mut object = Object::new(&mut out);
        object.exact_text("a", Some(b"x"));
        object.exact_text("b", Some(b"x\xff"));
        object.exact_text("c", None);
        object.end();
        assert_eq!(out, br#"{"a":"x","b":"x\ufffd","b_bytes":[120,255],"c":null}"#);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let mut out = Vec::new();
        text(&mut out, b"a\xff");
        assert_eq!(out, b"\"a\\ufffd\"");
    }
}
