//! What the headers of the kernel side say, for constants that have no other way into Rust: a library has no skeleton.

use std::fs;

/// The names of an enum in a header of bpf/include/, in their order, which is that of their values from 0 on.
///
/// # Panics
/// There is no such header or enum.
#[must_use]
pub fn enumerators(header: &str, name: &str) -> Vec<String> {
    let path = format!("{}/../../bpf/include/{header}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let (_, rest) = text.split_once(&format!("enum {name} {{\n")).unwrap_or_else(|| panic!("{path}: no enum {name}"));
    let lines = rest.lines().take_while(|line| *line != "};").map(str::trim);
    lines.filter_map(|line| line.split_once(',').map(|(name, _)| name.into())).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_in_their_order() {
        let reasons = super::enumerators("base/lost.bpf.h", "lost_reason");
        assert_eq!(reasons, ["LOST_BUFFER", "LOST_MAP", "LOST_STACK", "LOST_REASONS"]);
    }
}
