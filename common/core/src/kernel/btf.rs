//! The kernel's types in BTF (Documentation/bpf/btf.rst): what a tool asks about them, and the few that it needs. All names
//! that will be asked for are looked for at once, when the types are read.
//!
//! Why not libbpf's reader: a kernel has more than a hundred thousand types, libbpf keeps a list of all and looks through
//! the whole list, name by name, for each type that a program mentions. That was most of the time until a tool was attached.

mod bytes;
mod modules;
mod names;
mod subset;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
pub(crate) use modules::FOLDER as MODULES;
pub(crate) use names::Names;
use names::Places;

use crate::output::escape::c_string;

pub(crate) const MAGIC: u16 = 0xeb9f;

/// The kinds of types that are looked at, with their numbers in the format.
pub(crate) mod kind {
    pub(crate) const INT: u8 = 1;
    pub(crate) const PTR: u8 = 2;
    pub(crate) const ARRAY: u8 = 3;
    pub(crate) const STRUCT: u8 = 4;
    pub(crate) const UNION: u8 = 5;
    pub(crate) const ENUM: u8 = 6;
    pub(crate) const FWD: u8 = 7;
    pub(crate) const TYPEDEF: u8 = 8;
    pub(crate) const VOLATILE: u8 = 9;
    pub(crate) const CONST: u8 = 10;
    pub(crate) const RESTRICT: u8 = 11;
    pub(crate) const FUNC: u8 = 12;
    pub(crate) const FUNC_PROTO: u8 = 13;
    pub(crate) const VAR: u8 = 14;
    pub(crate) const DATASEC: u8 = 15;
    pub(crate) const FLOAT: u8 = 16;
    pub(crate) const DECL_TAG: u8 = 17;
    pub(crate) const TYPE_TAG: u8 = 18;
    pub(crate) const ENUM64: u8 = 19;
}

/// One type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Type {
    pub(crate) id: u32,
    pub(crate) kind: u8,
    /// Where its name is among the strings; 0 for none.
    name: u32,
    /// How many members, values or parameters it has.
    pub(crate) count: usize,
    /// Its size in bytes or the type that it refers to, as the kind has it.
    pub(crate) target: u32,
    /// Where it begins, where its members do, and where it ends.
    start: usize,
    members: usize,
    end: usize,
}

/// Types by number: void is 0 and not among them.
#[derive(Debug)]
pub(crate) struct Btf<'a> {
    bytes: Bytes<'a>,
    types: Range<usize>,
    strings: Range<usize>,
    /// Where every so many types begin: a list of all would take half a megabyte.
    marks: Vec<u32>,
    /// The types of the names that were looked for.
    named: HashMap<Vec<u8>, Vec<Type>>,
    /// Those of the names that something has, be it a type, a field or one of an enum's constants.
    there: HashSet<Vec<u8>>,
    /// The last type that is not a module's.
    last: u32,
}

/// Types from one mark to the next.
const STEP: usize = 16;
/// Bytes of a type before its members, and of a member of a struct.
const HEADER: usize = 12;
const MEMBER: usize = 12;

/// Bytes behind the header of a type of each kind, once and for each of what it counts. Not a `match`: kinds follow each
/// other in no order, and a processor that guesses them is wrong most of the time.
const SIZES: [(usize, usize); 32] = {
    let mut sizes = [(0, 0); 32];
    sizes[kind::INT as usize] = (4, 0);
    sizes[kind::VAR as usize] = (4, 0);
    sizes[kind::DECL_TAG as usize] = (4, 0);
    sizes[kind::ARRAY as usize] = (12, 0);
    sizes[kind::STRUCT as usize] = (0, MEMBER);
    sizes[kind::UNION as usize] = (0, MEMBER);
    sizes[kind::DATASEC as usize] = (0, MEMBER);
    sizes[kind::ENUM64 as usize] = (0, MEMBER);
    sizes[kind::ENUM as usize] = (0, 8);
    sizes[kind::FUNC_PROTO as usize] = (0, 8);
    sizes
};

impl Btf<'static> {
    /// Reads a file of BTF, of which types of these names are wanted; the kernel's own is mapped where the kernel can do that
    /// (6.16).
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub(crate) fn read(path: &Path, names: Names) -> Result<Self> {
        let bytes = Bytes::of(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(bytes, names).with_context(|| format!("{} is damaged", path.display()))
    }
}

impl<'a> Btf<'a> {
    /// Whether a type is the kernel's own, and not a module's.
    pub(crate) fn is_own(&self, found: &Type) -> bool {
        found.id <= self.last
    }

    /// Types that are in memory already.
    ///
    /// # Errors
    /// They are none.
    pub(crate) fn of(bytes: &'a [u8]) -> Result<Self> {
        Self::parse(Bytes::Lent(bytes), Names::default())
    }

    fn parse(bytes: Bytes<'a>, names: Names) -> Result<Self> {
        let number = |at| bytes.word(at).map(|number| number as usize);
        let half = bytes.part(0..2).map(|half| half == MAGIC.to_ne_bytes().as_slice());
        ensure!(half == Some(true), "no BTF");
        // Behind magic, version and flags: the header's length, then offset and length of types and of strings from its end.
        let section = |at| {
            let start = number(4)? + number(at)?;
            let end = start + number(at + 4)?;
            (end <= bytes.len()).then_some(start..end)
        };
        let (types, strings) = section(8).zip(section(16)).context("the header is cut off")?;
        let mut btf = Self {
            bytes,
            types,
            strings,
            marks: Vec::new(),
            named: HashMap::new(),
            there: HashSet::new(),
            last: u32::MAX,
        };
        let places = Places::of(&btf, &names);
        btf.there = places.names().cloned().collect();
        btf.named = names.0.into_iter().map(|name| (name, Vec::new())).collect();
        let (mut at, mut id) = (btf.types.start, 1);
        while at < btf.types.end {
            if (id as usize - 1).is_multiple_of(STEP) {
                btf.marks.push(u32::try_from(at)?);
            }
            let found = btf.type_at(id, at).context("a type is cut off")?;
            if let Some(of_name) = places.get(found.name).and_then(|name| btf.named.get_mut(name)) {
                of_name.push(found);
            }
            (at, id) = (found.end, id + 1);
        }
        Ok(btf)
    }

    /// All of them, in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Type> {
        self.iter_from(1, self.types.start)
    }

    /// The type of a number; none for void.
    pub(crate) fn get(&self, id: u32) -> Option<Type> {
        let index = id.checked_sub(1)? as usize;
        let mark = *self.marks.get(index / STEP)?;
        self.iter_from(id - u32::try_from(index % STEP).ok()?, mark as usize).nth(index % STEP)
    }

    fn iter_from(&self, first: u32, mut at: usize) -> impl Iterator<Item = Type> {
        (first..).map_while(move |id| {
            let found = self.type_at(id, at)?;
            at = found.end;
            Some(found)
        })
    }

    fn type_at(&self, id: u32, start: usize) -> Option<Type> {
        if start >= self.types.end {
            return None;
        }
        let header: [u8; HEADER] = self.bytes.at(start)?;
        let word = |index: usize| header[index * 4..].first_chunk().map_or(0, |word| u32::from_ne_bytes(*word));
        let (name, info, target) = (word(0), word(1), word(2));
        let members = start + HEADER;
        let (kind, count) = ((info >> 24 & 0x1f) as u8, (info & 0xffff) as usize);
        let (once, each) = SIZES[kind as usize];
        let end = members + once + count * each;
        (end <= self.types.end).then_some(Type { id, kind, name, count, target, start, members, end })
    }

    /// The name of a type; empty where it has none.
    pub(crate) fn name(&self, found: &Type) -> Cow<'_, [u8]> {
        self.string(found.name)
    }

    /// The names of a struct's or union's members.
    pub(crate) fn members(&self, found: &Type) -> impl Iterator<Item = Cow<'_, [u8]>> {
        (0..found.count).filter_map(move |index| Some(self.string(self.bytes.word(found.members + index * MEMBER)?)))
    }

    fn string(&self, offset: u32) -> Cow<'_, [u8]> {
        const LONGEST: usize = 512;
        let start = self.strings.start + offset as usize;
        match self.bytes.part(start..self.strings.end.min(start + LONGEST)).unwrap_or_default() {
            Cow::Borrowed(rest) => Cow::Borrowed(c_string(rest)),
            Cow::Owned(rest) => Cow::Owned(c_string(&rest).to_vec()),
        }
    }

    /// Whether anything has this name, which must be one of those that were looked for.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.there.contains(name.as_bytes())
    }

    /// The types of this name, of whatever kind.
    pub(crate) fn named(&self, name: &str) -> impl Iterator<Item = Type> {
        let name = name.as_bytes();
        let known = self.named.get(name);
        // Who asks for others has time.
        let others = self.iter().filter(move |found| *self.name(found) == *name);
        known.into_iter().flatten().copied().chain(others.take(if known.is_none() { usize::MAX } else { 0 }))
    }
}

#[cfg(test)]
mod tests {
    use super::{Btf, Bytes, Names, kind};
    use crate::kernel::BTF;

    #[test]
    fn types_are_found_by_name_and_number() {
        let types = Btf::read(BTF.as_ref(), Names::of(["task_struct", "none"])).expect("a kernel with BTF");
        let task = types.named("task_struct").find(|found| found.kind == kind::STRUCT).expect("in every kernel");
        assert!(types.members(&task).any(|name| *name == *b"tgid"));
        let same = types.get(task.id).expect("its number");
        assert_eq!((&*types.name(&same), same.id, same.start), (&b"task_struct"[..], task.id, task.start));
        assert_eq!(types.named("no such type").count(), 0);
        assert!(types.get(0).is_none() && types.get(u32::MAX).is_none());
    }

    /// Up to 6.15 the kernel's types cannot be mapped.
    #[test]
    fn read_piece_by_piece_they_are_the_same() {
        let names = Names::of(["task_struct", "btf_trace_sched_switch", "bpf_func_id"]);
        let mapped = Btf::read(BTF.as_ref(), names.clone()).expect("a kernel with BTF");
        let pieces = Bytes::in_pieces(BTF.as_ref()).expect("a file");
        let pieces = Btf::parse(pieces, names.clone()).expect("the same");
        assert!(mapped.subset(&names) == pieces.subset(&names));
        for name in ["task_struct", "btf_trace_sched_switch", "pid_t"] {
            let [mapped, pieces] = [&mapped, &pieces].map(|types| types.named(name).map(|found| found.id).collect());
            let (mapped, pieces): (Vec<u32>, Vec<u32>) = (mapped, pieces);
            assert!(mapped == pieces && !mapped.is_empty(), "{name}: {mapped:?} {pieces:?}");
        }
    }

    #[test]
    fn damaged_types_are_refused() {
        let whole = std::fs::read(BTF).expect("a kernel with BTF");
        for bytes in [&[][..], b"ELF", &whole[..8], &whole[..whole.len() / 2], &whole[..whole.len() - 1]] {
            assert!(Btf::of(bytes).is_err(), "{} bytes", bytes.len());
        }
    }
}
