//! What tools document of their JSON, and what they print.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::tool::binary;

/// A key that a tool documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its name; `stack[].symbol` is in the objects of a list.
    pub path: String,
    /// Its type, in the words of docs/json.md.
    pub kind: String,
    /// The unit of a number, or nothing.
    pub unit: String,
    /// Whether it is of the vocabulary that tools share.
    pub shared: bool,
    /// What it means.
    pub meaning: String,
}

/// All types, in the words of docs/json.md.
#[must_use]
pub fn kinds() -> [&'static str; 6] {
    ["number", "string", "list of strings", "time", "boolean", "list of objects"]
}

/// The keys that a tool documents: `--generate json` prints a line for each.
///
/// # Panics
/// The tool does not answer.
#[must_use]
pub fn keys(tool: &str) -> Vec<Key> {
    let output = Command::new(binary(tool)).args(["--generate", "json"]).output().expect("the tool starts");
    assert!(output.status.success(), "{tool} --generate json");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let key = |line: &str| {
        let parts: Vec<&str> = line.split('\t').collect();
        let [path, kind, unit, shared, meaning] = parts[..] else { panic!("{tool}: {line}") };
        Key {
            path: path.into(),
            kind: kind.into(),
            unit: unit.into(),
            shared: shared == "shared",
            meaning: meaning.into(),
        }
    };
    text.lines().map(key).collect()
}

/// Fails unless a line is an object of just these keys and types; gives whether it is a row, and no report of losses.
///
/// # Panics
/// It is something else.
pub fn check(tool: &str, keys: &[Key], line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line);
    let record: Value = serde_json::from_slice(line).unwrap_or_else(|error| panic!("{tool}: {error}: {text}"));
    let object = record.as_object().unwrap_or_else(|| panic!("{tool}: no object: {text}"));
    if object.contains_key("lost") || object.contains_key("skipped") {
        return false;
    }
    let known = |path: &str| keys.iter().find(|key| key.path == path);
    for (name, value) in object {
        let Some(key) = known(name) else {
            let exact = name.strip_suffix("_bytes").and_then(known);
            assert!(exact.is_some_and(|key| key.kind.contains("string")), "{tool}: {name} is not documented: {text}");
            continue;
        };
        assert!(fits(&key.kind, value), "{tool}: {name} is no {}: {text}", key.kind);
        for object in value.as_array().into_iter().flatten().filter_map(Value::as_object) {
            for (field, value) in object {
                let path = format!("{name}[].{field}");
                let key = known(&path).or_else(|| known(path.strip_suffix("_bytes")?));
                let key = key.unwrap_or_else(|| panic!("{tool}: {path} is not documented: {text}"));
                assert!(path != key.path || fits(&key.kind, value), "{tool}: {path} is no {}: {text}", key.kind);
            }
            let lead = format!("{name}[].");
            for field in keys.iter().filter_map(|key| key.path.strip_prefix(&lead)) {
                assert!(object.contains_key(field), "{tool}: {lead}{field} is missing: {text}");
            }
        }
    }
    for key in keys.iter().filter(|key| !key.path.contains("[]")) {
        assert!(object.contains_key(&key.path), "{tool}: {} is missing: {text}", key.path);
    }
    true
}

/// The objects that a file of documentation shows: examples in JSON, whose lines may be broken.
///
/// # Panics
/// There is no such file, or an example is no object.
#[must_use]
pub fn examples(file: &str) -> Vec<String> {
    let path = format!("{}/../../{file}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut lines = text.lines();
    let mut found = Vec::new();
    while let Some(first) = lines.find(|line| line.starts_with("    {\"")) {
        let mut object = first.trim().to_string();
        while serde_json::from_str::<Value>(&object).is_err() {
            let next = lines.next().filter(|line| line.starts_with("     "));
            object.push_str(next.unwrap_or_else(|| panic!("{path}: no object: {object}")).trim_end());
        }
        found.push(object);
    }
    found
}

fn fits(kind: &str, value: &Value) -> bool {
    let all = |is: fn(&Value) -> bool| value.as_array().is_some_and(|list| list.iter().all(is));
    value.is_null()
        || match kind {
            "number" => value.is_number(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "list of strings" => all(Value::is_string),
            "list of objects" => all(Value::is_object),
            "time" => value.as_str().is_some_and(is_time),
            _ => false,
        }
}

/// `2026-11-20T20:10:37.102817695+00:00`.
fn is_time(text: &str) -> bool {
    let digits = |range: std::ops::Range<usize>| {
        text.get(range).is_some_and(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    text.len() == 35 && digits(0..4) && text.as_bytes()[10] == b'T' && digits(20..29) && text.as_bytes()[32] == b':'
}

#[cfg(test)]
mod tests {
    use super::{Key, check, examples, fits, keys};
    use serde_json::json;

    fn key(path: &str, kind: &str) -> Key {
        Key { path: path.into(), kind: kind.into(), unit: String::new(), shared: false, meaning: String::new() }
    }

    #[test]
    fn types_are_told_apart() {
        assert!(fits("number", &json!(7)) && fits("number", &json!(null)) && !fits("number", &json!("7")));
        assert!(fits("list of strings", &json!(["a"])) && !fits("list of strings", &json!([1])));
        assert!(fits("time", &json!("2026-11-20T20:10:37.102817695+00:00")) && !fits("time", &json!("now")));
    }

    #[test]
    fn a_row_has_what_is_documented() {
        let keys =
            [key("pid", "number"), key("comm", "string"), key("list", "list of objects"), key("list[].a", "number")];
        assert!(check("x", &keys, br#"{"pid":7,"comm":"a","comm_bytes":[97],"list":[{"a":1}]}"#));
        assert!(!check("x", &keys, br#"{"lost":7,"reason":"buffer"}"#));
    }

    #[test]
    fn examples_are_what_tools_print() {
        let mut shown = 0;
        for tool in crate::tools::all() {
            let keys = keys(&tool.name);
            let files = [format!("tools/{}/manual.md", tool.name)];
            // The README's are execsnoop's.
            let readme = (tool.name == "execsnoop").then(|| "README.md".to_string());
            for example in files.into_iter().chain(readme).flat_map(|file| examples(&file)) {
                assert!(check(&tool.name, &keys, example.as_bytes()));
                shown += 1;
            }
        }
        assert!(shown > 10);
    }

    #[test]
    #[should_panic(expected = "tid is not documented")]
    fn a_key_that_is_not_documented_is_found() {
        check("x", &[key("pid", "number")], br#"{"pid":7,"tid":8}"#);
    }

    #[test]
    #[should_panic(expected = "list[].b is missing")]
    fn a_key_that_is_missing_in_a_list_is_found() {
        let keys = [key("list", "list of objects"), key("list[].a", "number"), key("list[].b", "number")];
        check("x", &keys, br#"{"list":[{"a":1,"b":null},{"a":1}]}"#);
    }

    #[test]
    #[should_panic(expected = "comm is missing")]
    fn a_key_that_is_missing_is_found() {
        check("x", &[key("comm", "string")], b"{}");
    }
}
