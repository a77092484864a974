//! Where a function is in an executable or library.

use std::fs::File;

use anyhow::{Context, Result};
use object::read::{ReadCache, ReadRef};
use object::{Object, ObjectSegment, ObjectSymbol, SymbolKind};

/// `endbr64`, the first instruction of a function that is called indirectly, where it was built for that
/// (`-fcf-protection`, which distributions' compilers do by themselves).
const ENDBR64: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];

/// The place in the file of a function's first instruction that may be probed, by the name of the function; none if the file
/// has no such function.
///
/// On `endbr64` the kernel single-steps each call, which takes it 25 us; the instruction behind takes it 1.5 us
/// (arch/x86/kernel/uprobes.c emulates some instructions only). It has no effect on stack or registers, so arguments and
/// return address are the same there.
///
/// # Errors
/// The file is no executable or library.
pub(super) fn place(file: &File, function: &str) -> Result<Option<u64>> {
    let cache = ReadCache::new(file);
    let parsed = object::File::parse(&cache).context("not an executable or library")?;
    let wanted = |symbol: &object::Symbol<'_, '_, &ReadCache<&File>>| {
        symbol.is_definition() && symbol.kind() == SymbolKind::Text && symbol.name() == Ok(function)
    };
    let symbol = parsed.dynamic_symbols().find(wanted).or_else(|| parsed.symbols().find(wanted));
    let Some(address) = symbol.map(|symbol| symbol.address()) else { return Ok(None) };
    Ok(Segments::of(&parsed).place(address).map(|place| place + skipped(&cache, place)))
}

/// Where the parts of an executable or library are, in the file and by the addresses that are written in it: those of its
/// symbols, of objdump and addr2line. Of each part its address, and its place and length in the file.
#[derive(Debug, Clone)]
pub struct Segments(Vec<(u64, (u64, u64))>);

impl Segments {
    /// Reads them.
    ///
    /// # Errors
    /// The file is no executable or library.
    pub fn read(file: &File) -> Result<Self> {
        let cache = ReadCache::new(file);
        let parsed = object::File::parse(&cache).context("not an executable or library")?;
        Ok(Self::of(&parsed))
    }

    fn of<'data>(parsed: &impl Object<'data>) -> Self {
        Self(parsed.segments().map(|segment| (segment.address(), segment.file_range())).collect())
    }

    /// The place in the file of what is at an address.
    #[must_use]
    pub fn place(&self, address: u64) -> Option<u64> {
        self.0.iter().find_map(|(start, (place, length))| within(address, *start, *length).map(|offset| place + offset))
    }

    /// The address of what is at a place in the file.
    #[must_use]
    pub fn address(&self, place: u64) -> Option<u64> {
        self.0
            .iter()
            .find_map(|(address, (start, length))| within(place, *start, *length).map(|offset| address + offset))
    }
}

/// How far behind `start` something lies, in what is `length` long.
fn within(what: u64, start: u64, length: u64) -> Option<u64> {
    what.checked_sub(start).filter(|offset| *offset < length)
}

/// How many bytes to pass over at a place.
fn skipped<'data>(file: impl ReadRef<'data>, place: u64) -> u64 {
    let starts = cfg!(target_arch = "x86_64") && file.read_bytes_at(place, 4) == Ok(&ENDBR64);
    if starts { 4 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::{ENDBR64, Segments, place, skipped};
    use std::fs::File;

    #[test]
    fn endbr64_is_passed_over() {
        let with = [&ENDBR64[..], &[0x55]].concat();
        assert_eq!(skipped(&with[..], 0), if cfg!(target_arch = "x86_64") { 4 } else { 0 });
        assert_eq!((skipped(&with[..], 1), skipped(&with[..], 9)), (0, 0));
    }

    #[test]
    fn addresses_are_in_segments() {
        let segments = Segments(vec![(0x1000, (0, 0x500)), (0x2000, (0x600, 0x100))]);
        assert_eq!(
            [0x1004, 0x2010, 0x2100, 0].map(|address| segments.place(address)),
            [Some(4), Some(0x610), None, None]
        );
        assert_eq!(
            [4, 0x610, 0x550, 0x700].map(|place| segments.address(place)),
            [Some(0x1004), Some(0x2010), None, None]
        );
    }

    #[test]
    fn functions_are_found_by_name() {
        let own = File::open("/proc/self/exe").expect("this test");
        assert!(place(&own, "main").expect("an executable").is_some());
        assert_eq!(place(&own, "no_such_function").expect("an executable"), None);
        let text = File::open("/proc/self/status").expect("a file");
        assert!(place(&text, "main").is_err());
    }
}
