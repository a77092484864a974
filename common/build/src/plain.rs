//! `Plain` for the structs that a BPF program shares with its tool.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Result, ensure};

/// What `EXPORT(type)` of bpf/include/base/core.bpf.h names its globals.
const EXPORT: &str = "export_";

/// An implementation for each exported struct.
///
/// # Errors
/// An exported struct holds something else than integers, arrays of them and other such structs.
pub(crate) fn implementations(skeleton: &str) -> Result<String> {
    let structs = structs(skeleton);
    let mut code = String::new();
    for name in exported(skeleton) {
        ensure!(is_plain(name, &structs), "struct {name} is exported and holds more than integers");
        write!(
            code,
            "\n// SAFETY: the struct holds integers and arrays of integers only.\n\
             unsafe impl ::corescope::plain::Plain for types::{name} {{}}\n"
        )?;
    }
    Ok(code)
}

/// The exported structs: the globals that name them show up as fields of a section's struct.
fn exported(skeleton: &str) -> impl Iterator<Item = &str> {
    skeleton.lines().filter_map(|line| {
        let (name, _) = line.trim().strip_prefix("pub ")?.strip_prefix(EXPORT)?.split_once(':')?;
        Some(name)
    })
}

/// The types of each struct's fields.
fn structs(skeleton: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut structs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut current = None;
    for line in skeleton.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("pub struct ").and_then(|rest| rest.strip_suffix(" {")) {
            current = Some(name);
            structs.insert(name, Vec::new());
        } else if line == "}" {
            current = None;
        } else if let (Some(name), Some((_, field))) = (current, line.split_once(": "))
            && line.starts_with("pub ")
        {
            structs.entry(name).or_default().push(field.trim_end_matches(','));
        }
    }
    structs
}

fn is_plain(name: &str, structs: &BTreeMap<&str, Vec<&str>>) -> bool {
    structs
        .get(name)
        .is_some_and(|fields| !fields.is_empty() && fields.iter().all(|field| is_plain_field(element(field), structs)))
}

fn is_plain_field(field: &str, structs: &BTreeMap<&str, Vec<&str>>) -> bool {
    matches!(field, "u8" | "u16" | "u32" | "u64" | "u128" | "i8" | "i16" | "i32" | "i64" | "i128")
        || is_plain(field, structs)
}

/// The innermost element type of an array type, or the type itself.
fn element(field: &str) -> &str {
    match field.strip_prefix('[').and_then(|rest| rest.rsplit_once(';')) {
        Some((inner, _)) => element(inner.trim()),
        None => field,
    }
}

#[cfg(test)]
mod tests {
    use super::implementations;

    const SKELETON: &str = "pub mod types {\n\
        pub struct event {\n pub pid: u32,\n pub comm: [u8; 16],\n pub grid: [[i64; 2]; 3],\n pub sub: inner,\n}\n\
        pub struct inner {\n pub a: u64,\n}\n\
        pub struct pointing {\n pub next: *mut event,\n}\n\
        pub struct holding {\n pub p: pointing,\n}\n\
        pub struct flag {\n pub on: std::mem::MaybeUninit<bool>,\n}\n";

    #[test]
    fn integers_arrays_and_nested_structs_are_plain() {
        let code = implementations(&format!("{SKELETON} pub struct bss {{\n pub export_event: *mut event,\n}}\n}}\n"));
        let code = code.expect("all fields are integers");
        assert!(code.contains("for types::event {}"), "{code}");
        assert_eq!(code.matches("unsafe impl").count(), 1, "{code}");
    }

    #[test]
    fn pointers_and_bools_are_not() {
        for name in ["pointing", "holding", "flag", "missing"] {
            let skeleton = format!("{SKELETON} pub struct bss {{\n pub export_{name}: *mut {name},\n}}\n}}\n");
            assert!(implementations(&skeleton).is_err(), "{name}");
        }
    }
}
