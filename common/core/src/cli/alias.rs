//! Other names of a tool, each of which stands for some of its options: `ext4dist` is `fsdist -t ext4`.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// A name that a tool can run under.
#[derive(Debug, Clone, Copy)]
pub struct Alias {
    /// The name of a link to the tool.
    pub name: &'static str,
    /// The options that it stands for; the user's follow, and count where both say something.
    pub arguments: &'static [&'static str],
    /// What it does, in one line.
    pub about: &'static str,
}

/// The alias that a command line runs under, by the last part of its first word.
pub(crate) fn of<'a>(family: &'a [Alias], program: &OsStr) -> Option<&'a Alias> {
    let name = Path::new(program).file_name()?;
    family.iter().find(|alias| name == alias.name)
}

/// The command line with the options that the alias stands for.
pub(crate) fn expand(alias: Option<&Alias>, words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.into_iter().collect();
    let arguments = alias.map_or(&[][..], |alias| alias.arguments);
    let place = words.len().min(1);
    words.splice(place..place, arguments.iter().map(OsString::from));
    words
}

#[cfg(test)]
mod tests {
    use super::{Alias, expand, of};
    use std::ffi::OsString;

    const FAMILY: &[Alias] = &[Alias { name: "ext4dist", arguments: &["-t", "ext4"], about: "" }];

    #[test]
    fn a_name_stands_for_options() {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let alias = of(FAMILY, "/usr/sbin/ext4dist".as_ref());
        assert_eq!(
            expand(alias, words(&["/usr/sbin/ext4dist", "-m"])),
            words(&["/usr/sbin/ext4dist", "-t", "ext4", "-m"])
        );
        assert!(of(FAMILY, "fsdist".as_ref()).is_none() && of(FAMILY, "".as_ref()).is_none());
        assert_eq!(expand(None, words(&["fsdist", "-m"])), words(&["fsdist", "-m"]));
        assert_eq!(expand(alias, words(&[])), words(&["-t", "ext4"]));
    }
}
