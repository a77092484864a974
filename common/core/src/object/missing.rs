//! Names that a tool's sources give to its BPF object, and that object does not have: what a test finds without privileges,
//! and a run only with the options that lead there. `skeleton!()` brings that test along.

use std::fs;
use std::path::Path;

/// Methods of [`Setup`](super::Setup) that take a name.
const METHODS: [&str; 5] = ["set", "size", "size_per_cpu", "load_if", "leave_out"];

/// The names in the Rust files of a folder that the generated skeleton does not mention.
///
/// # Panics
/// The folder cannot be read.
#[must_use]
pub fn missing(sources: &Path, skeleton: &str) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(sources).expect("the sources") {
        let path = entry.expect("a file").path();
        if path.is_dir() {
            names.extend(missing(&path, skeleton));
        } else if path.extension().is_some_and(|end| end == "rs") {
            names.extend(given(&fs::read_to_string(&path).expect("UTF-8")));
        }
    }
    names.retain(|name| !skeleton.contains(&format!("pub {name}:")));
    names
}

/// The names that a source gives to the object: `setup.set("name", ...)`.
fn given(source: &str) -> Vec<String> {
    let of_method = |method: &&str| source.split(&format!("setup.{method}(\"")).skip(1).collect::<Vec<_>>();
    let calls = METHODS.iter().flat_map(of_method);
    calls.filter_map(|rest| rest.split_once('"').map(|(name, _)| name.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::given;

    #[test]
    fn names_are_found_in_sources() {
        let source = r#"setup.set("one", true)?; setup.load_if("two", x)?; table.show("three", y); setup.set(four, 1)"#;
        assert_eq!(given(source), ["one", "two"]);
    }
}
