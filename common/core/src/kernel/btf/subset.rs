//! The types of the kernel that a BPF object mentions, as BTF of their own.
//!
//! libbpf adjusts a program to the fields of the running kernel (CO-RE), and for each type that the program mentions it
//! compares the names of all the kernel's types. Among some hundred types that takes no time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::{Btf, HEADER, MAGIC, MEMBER, Names, Type, kind};

/// Bytes of the header of a BTF file.
const FILE_HEADER: u32 = 24;

impl Btf<'_> {
    /// The names of the types that a program may ask the kernel's types for: those of its own, without the part behind
    /// `___` that tells several versions of a type from each other.
    pub(crate) fn mentioned(&self) -> Names {
        let mut names = Names::default();
        for found in self.iter().filter(|found| is_asked_for(found.kind)) {
            match essential(&self.name(&found)) {
                b"" => (),
                name => names.add(name),
            }
        }
        names
    }

    /// The types of these names, which were looked for, with all that they contain. Where they point to is void, unless it is
    /// among them: whoever follows a pointer names the type there.
    pub(crate) fn subset(&self, names: &Names) -> Vec<u8> {
        let mut subset = Subset { all: self, ids: HashMap::new(), types: Vec::new(), strings: Strings::default() };
        let of_name = |name| self.named.get(name).into_iter().flatten();
        let mut named: Vec<&Type> = names.iter().flat_map(of_name).filter(|found| is_asked_for(found.kind)).collect();
        named.sort_unstable_by_key(|found| found.id);
        for found in named {
            subset.add(*found);
        }
        // In rounds, each in the order of the numbers: neighbours are read together.
        let mut done = 0;
        while done < subset.types.len() {
            let mut parts: Vec<u32> = subset.types[done..].iter().flat_map(|found| self.parts(found)).collect();
            done = subset.types.len();
            parts.retain(|id| !subset.ids.contains_key(id));
            parts.sort_unstable();
            parts.dedup();
            for part in parts.into_iter().filter_map(|id| self.get(id)) {
                subset.add(part);
            }
        }
        subset.into_bytes()
    }

    /// The types that are part of one.
    fn parts(&self, found: &Type) -> Vec<u32> {
        let at = |offset| self.bytes.word(found.members + offset).unwrap_or(0);
        match found.kind {
            kind::STRUCT | kind::UNION => (0..found.count).map(|index| at(index * MEMBER + 4)).collect(),
            kind::ARRAY => vec![at(0), at(4)],
            kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => vec![found.target],
            _ => Vec::new(),
        }
    }
}

/// The kinds of types that have a name by which a program asks for them.
fn is_asked_for(kind: u8) -> bool {
    matches!(kind, kind::INT | kind::STRUCT | kind::UNION | kind::ENUM | kind::ENUM64 | kind::TYPEDEF | kind::FLOAT)
}

/// The kinds of types that others are made with.
fn is_between(kind: u8) -> bool {
    matches!(kind, kind::PTR | kind::ARRAY | kind::FWD | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG)
}

/// `task_struct` of `task_struct___old`.
fn essential(name: &[u8]) -> &[u8] {
    let is_separator = |five: &[u8]| five[0] != b'_' && &five[1..4] == b"___" && five[4] != b'_';
    name.windows(5).rposition(is_separator).map_or(name, |before| &name[..=before])
}

/// Strings, each once: where it is among all, and where here.
#[derive(Default)]
struct Strings {
    places: HashMap<u32, u32>,
    bytes: Vec<u8>,
}

impl Strings {
    fn place(&mut self, all: &Btf<'_>, old: u32) -> u32 {
        if old == 0 {
            return 0;
        }
        *self.places.entry(old).or_insert_with(|| {
            let new = u32::try_from(self.bytes.len()).unwrap_or(0);
            self.bytes.extend_from_slice(&all.string(old));
            self.bytes.push(0);
            new
        })
    }
}

struct Subset<'a> {
    all: &'a Btf<'a>,
    ids: HashMap<u32, u32>,
    types: Vec<Type>,
    strings: Strings,
}

impl Subset<'_> {
    fn add(&mut self, found: Type) {
        // A function's type may be somewhere behind a typedef: as good as void for what programs ask.
        if !is_asked_for(found.kind) && !is_between(found.kind) {
            return;
        }
        if let Entry::Vacant(entry) = self.ids.entry(found.id) {
            self.types.push(found);
            entry.insert(u32::try_from(self.types.len()).unwrap_or(0));
        }
    }

    fn into_bytes(mut self) -> Vec<u8> {
        self.strings.bytes.push(0);
        let mut types = Vec::new();
        for found in std::mem::take(&mut self.types) {
            self.write(&found, &mut types);
        }
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(0);
        let (types_length, strings_length) = (length(&types), length(&self.strings.bytes));
        let mut bytes = Vec::with_capacity(types.len() + self.strings.bytes.len() + 24);
        bytes.extend(MAGIC.to_ne_bytes());
        bytes.extend([1, 0]); // version, flags
        for number in [FILE_HEADER, 0, types_length, types_length, strings_length] {
            bytes.extend(number.to_ne_bytes());
        }
        bytes.extend(types);
        bytes.extend(self.strings.bytes);
        bytes
    }

    /// A copy with the numbers of this subset.
    fn write(&mut self, found: &Type, to: &mut Vec<u8>) {
        let start = to.len();
        to.extend_from_slice(&self.all.bytes.part(found.start..found.end).unwrap_or_default());
        let mut change = |offset: usize, change: &mut dyn FnMut(u32) -> u32| {
            if let Some(word) = to.get_mut(start + offset..).and_then(<[u8]>::first_chunk_mut) {
                *word = change(u32::from_ne_bytes(*word)).to_ne_bytes();
            }
        };
        let (all, ids, strings) = (self.all, &self.ids, &mut self.strings);
        let mut name = |old: u32| strings.place(all, old);
        let mut id = |old: u32| ids.get(&old).copied().unwrap_or(0);
        change(0, &mut name);
        match found.kind {
            kind::PTR | kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                change(8, &mut id);
            }
            kind::ARRAY => {
                change(HEADER, &mut id);
                change(HEADER + 4, &mut id);
            }
            kind::STRUCT | kind::UNION => {
                for member in (0..found.count).map(|index| HEADER + index * MEMBER) {
                    change(member, &mut name);
                    change(member + 4, &mut id);
                }
            }
            kind::ENUM => (0..found.count).for_each(|index| change(HEADER + index * 8, &mut name)),
            kind::ENUM64 => (0..found.count).for_each(|index| change(HEADER + index * 12, &mut name)),
            _ => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Btf, Names, kind};
    use super::essential;
    use crate::kernel::BTF;

    #[test]
    fn names_without_version() {
        for (name, expected) in [
            ("task_struct", "task_struct"),
            ("task_struct___state", "task_struct"),
            ("___a", "___a"),
            ("a____b", "a____b"),
        ] {
            assert_eq!(essential(name.as_bytes()), expected.as_bytes());
        }
    }

    #[test]
    fn a_subset_has_what_was_asked_for_as_it_was() {
        let names = ["task_struct", "bpf_func_id", "pid_t", "u8"];
        let wanted = Names::of(names);
        let all = Btf::read(BTF.as_ref(), wanted.clone()).expect("a kernel with BTF");
        let bytes = all.subset(&wanted);
        assert!(bytes.len() < 1 << 20, "{} bytes", bytes.len());
        let subset = Btf::of(&bytes).expect("BTF");
        for name in names {
            let (old, new) = (all.named(name).next().expect("there"), subset.named(name).next().expect("here"));
            assert_eq!((old.kind, old.count), (new.kind, new.count), "{name}");
        }
        let find = |types: &Btf<'_>| {
            let task = types.named("task_struct").find(|found| found.kind == kind::STRUCT).expect("a struct");
            let members = types.members(&task).map(std::borrow::Cow::into_owned).collect::<Vec<_>>();
            (task.target, members)
        };
        assert_eq!(find(&all), find(&subset));
        // All that is mentioned is there.
        let most = u32::try_from(subset.iter().count()).expect("few");
        assert!(subset.iter().all(|found| subset.parts(&found).iter().all(|id| *id <= most)));
    }
}
