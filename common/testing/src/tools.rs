//! What tools there are, and of what kind: each says it in its own Cargo.toml,
//!
//! ```toml
//! [package.metadata.corescope]
//! kind = "stream"  # stream, histogram, sums, top or stacks
//! work = "open"    # the action that is measured, see common/testing/src/actions.rs
//! walks = []       # programs that walk stacks: their cost has a yardstick of its own
//! updates = 1      # of how many maps its programs change the most, if more than one: so many the yardstick has
//! ```
//!
//! Where there are no sources (an emulated machine) `CORESCOPE_TOOLS` has the same: `opensnoop:stream:open:` and others,
//! separated by spaces; `scripts/lib/tools` prints it.

use std::sync::OnceLock;
use std::{env, fs};

/// What a tool prints, and so how it is tested and measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A row for each event.
    Stream,
    /// Histograms at intervals.
    Histogram,
    /// Sums at intervals.
    Sums,
    /// The busiest, on a live screen.
    Top,
    /// Sums by stack.
    Stacks,
}

impl Kind {
    /// All kinds by name.
    pub const ALL: [(&'static str, Self); 5] = [
        ("stream", Self::Stream),
        ("histogram", Self::Histogram),
        ("sums", Self::Sums),
        ("top", Self::Top),
        ("stacks", Self::Stacks),
    ];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find_map(|(known, kind)| (known == name).then_some(kind))
    }
}

/// A tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// The name of the action that is measured; empty for a bit of everything.
    pub work: String,
}

/// All tools, by name.
///
/// # Panics
/// There are none, or one does not say what it is.
pub fn all() -> &'static [Info] {
    static ALL: OnceLock<Vec<Info>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut all: Vec<Info> = match env::var("CORESCOPE_TOOLS") {
            Ok(list) => list.split_whitespace().map(of_word).collect(),
            Err(_) => of_sources(),
        };
        all.sort_by(|a, b| a.name.cmp(&b.name));
        assert!(!all.is_empty(), "no tools");
        all
    })
}

/// A tool by name; none for what is no tool of corescope.
#[must_use]
pub fn find(name: &str) -> Option<&'static Info> {
    all().iter().find(|tool| tool.name == name)
}

fn of_word(word: &str) -> Info {
    let mut parts = word.split(':');
    let name = parts.next().unwrap_or_default().to_string();
    let kind = parts.next().and_then(Kind::named).unwrap_or_else(|| panic!("{name} is of no kind"));
    Info { name, kind, work: parts.next().unwrap_or_default().into() }
}

fn of_sources() -> Vec<Info> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools");
    let entries = fs::read_dir(folder).expect("the tools' folder, or CORESCOPE_TOOLS").filter_map(Result::ok);
    let read = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        Some(of_manifest(name, &fs::read_to_string(entry.path().join("Cargo.toml")).ok()?))
    };
    entries.filter_map(read).collect()
}

fn of_manifest(name: String, manifest: &str) -> Info {
    let section = manifest.split_once("[package.metadata.corescope]").map_or("", |(_, rest)| rest);
    let value = |key: &str| {
        let lines = section.lines().skip(1).take_while(|line| !line.starts_with('['));
        let mut pairs = lines.filter_map(|line| line.split_once('='));
        pairs.find(|(known, _)| known.trim() == key).map(|(_, value)| value.trim().trim_matches('"').to_string())
    };
    let kind = value("kind").as_deref().and_then(Kind::named);
    let kind = kind.unwrap_or_else(|| panic!("{name}: its Cargo.toml does not say of what kind it is"));
    Info { name, kind, work: value("work").unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::{Kind, of_manifest, of_word};
    use crate::actions::Action;

    #[test]
    fn sources_and_words_say_the_same() {
        let manifest =
            "[package]\nname = \"x\"\n\n[package.metadata.corescope]\nkind = \"top\"\nwork = \"open\"\n\n[lib]\n";
        assert_eq!(of_manifest("x".into(), manifest), of_word("x:top:open:"));
        assert_eq!(of_word("x:top:open:").kind, Kind::Top);
    }

    #[test]
    fn the_work_of_each_tool_is_an_action() {
        for tool in super::all() {
            assert!(tool.work.is_empty() || Action::named(&tool.work).is_some(), "{tool:?}");
        }
    }
}
