//! Names that are looked for among the kernel's: each is there once, and types say by its place which one is theirs.

use std::collections::{HashMap, HashSet};

use super::Btf;

/// Names of types.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(pub(super) HashSet<Vec<u8>>);

impl Names {
    #[cfg(test)]
    pub(crate) fn of<const COUNT: usize>(names: [&str; COUNT]) -> Self {
        Self(names.iter().map(|name| name.as_bytes().to_vec()).collect())
    }

    pub(crate) fn add(&mut self, name: impl Into<Vec<u8>>) {
        self.0.insert(name.into());
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }
}

/// Where they are among the strings.
pub(super) struct Places {
    names: HashMap<u32, Vec<u8>>,
    filter: Filter,
}

impl Places {
    pub(super) fn of(all: &Btf<'_>, wanted: &Names) -> Self {
        let starts = Filter::of(wanted.iter().map(start));
        let mut names = HashMap::new();
        if !wanted.0.is_empty() {
            each_string(all, |place, string| {
                if starts.may_have(start(string))
                    && let Some(name) = wanted.0.get(string)
                {
                    names.insert(place, name.clone());
                }
            });
        }
        let filter = Filter::of(names.keys().copied());
        Self { names, filter }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.names.values()
    }

    /// The name at a place, if it is wanted.
    pub(super) fn get(&self, place: u32) -> Option<&[u8]> {
        self.filter.may_have(place).then(|| self.names.get(&place).map(Vec::as_slice)).flatten()
    }
}

/// The strings with their places, in their order.
fn each_string(all: &Btf<'_>, mut each: impl FnMut(u32, &[u8])) {
    let (mut place, mut cut) = (0, Vec::new());
    all.bytes.pieces(all.strings.clone(), |piece| {
        let mut rest = piece;
        while let Some(end) = find_nul(rest) {
            let string = if cut.is_empty() {
                &rest[..end]
            } else {
                cut.extend_from_slice(&rest[..end]);
                &cut
            };
            each(place, string);
            place += u32::try_from(string.len()).unwrap_or(0) + 1;
            cut.clear();
            rest = &rest[end + 1..];
        }
        cut.extend_from_slice(rest);
    });
}

fn find_nul(bytes: &[u8]) -> Option<usize> {
    // SAFETY: the length is that of the slice.
    let found = unsafe { libc::memchr(bytes.as_ptr().cast(), 0, bytes.len()) };
    (!found.is_null()).then(|| found.addr() - bytes.as_ptr().addr())
}

/// The first four bytes of a name.
fn start(name: &[u8]) -> u32 {
    let mut start = [0; 4];
    let length = name.len().min(4);
    start[..length].copy_from_slice(&name[..length]);
    u32::from_ne_bytes(start)
}

/// Says quickly of most numbers that they are not wanted: some bits for all that are.
struct Filter([u64; 128]);

impl Filter {
    fn of(numbers: impl Iterator<Item = u32>) -> Self {
        let mut bits = [0; 128];
        for number in numbers {
            let (index, bit) = Self::place(number);
            bits[index] |= bit;
        }
        Self(bits)
    }

    fn may_have(&self, number: u32) -> bool {
        let (index, bit) = Self::place(number);
        self.0[index] & bit != 0
    }

    fn place(number: u32) -> (usize, u64) {
        let hash = number.wrapping_mul(0x9e37_79b1) >> 19;
        ((hash / 64) as usize, 1 << (hash % 64))
    }
}
