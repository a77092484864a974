//! Kernel functions by the table that the kernel shows, for kernels that cannot be asked otherwise ([`crate::program`]).
//!
//! A machine's `/proc/kallsyms` has some 200,000 lines, and a tool asks for a few hundred addresses. Instead of keeping
//! the table, which takes 8 to 15 MB, it is read through once for all addresses that are new: memory for those alone.

use std::fs::File;
use std::io::{self, BufRead, BufReader};

/// No function is longer: what lies farther behind the last one belongs to code that the table does not list.
const LONGEST: u64 = 1 << 20;

/// A function of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) start: u64,
    /// Where the next one starts, or this one cannot reach.
    pub(crate) end: u64,
    pub(crate) name: String,
    /// The module's name, as `ext4`; none for the kernel itself and for BPF programs.
    pub(crate) module: Option<String>,
}

/// What the table says of some addresses.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// In the order of the addresses.
    pub(crate) functions: Vec<Option<Function>>,
    /// The kernel keeps its addresses to itself (`kernel.kptr_restrict`): all are shown as zero.
    pub(crate) hidden: bool,
}

/// Looks `addresses` up, which are in ascending order, in the table of the running kernel.
pub(crate) fn look_up(addresses: &[u64]) -> io::Result<Answer> {
    read(BufReader::with_capacity(64 * 1024, File::open("/proc/kallsyms")?), addresses)
}

fn read(mut table: impl BufRead, addresses: &[u64]) -> io::Result<Answer> {
    // The lines are not in order: keep the nearest function before each address and after the address below it, and the
    // nearest after that one.
    let mut nearest: Vec<(u64, Vec<u8>)> = vec![(0, Vec::new()); addresses.len()];
    let mut first = vec![u64::MAX; addresses.len() + 1];
    let mut hidden = true;
    let mut line = Vec::new();
    loop {
        line.clear();
        if table.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let Some((start, kind, rest)) = parse(&line) else {
            continue;
        };
        hidden &= start == 0;
        if !matches!(kind, b't' | b'T' | b'w' | b'W') {
            continue;
        }
        let place = addresses.partition_point(|address| *address < start);
        first[place] = first[place].min(start);
        // Of several names for one address the first is as good as the others, and always the same.
        if let Some((best, name)) = nearest.get_mut(place)
            && start > *best
        {
            *best = start;
            name.clear();
            name.extend_from_slice(rest);
        }
    }
    // What is the nearest behind an address may lie behind others as well.
    for place in (0..addresses.len()).rev() {
        first[place] = first[place].min(first[place + 1]);
    }
    let mut functions: Vec<Option<Function>> = Vec::with_capacity(addresses.len());
    let mut last: Option<Function> = None;
    for ((address, next), (start, rest)) in addresses.iter().zip(&first[1..]).zip(nearest) {
        if start != 0 {
            last = Some(function(start, *next, &rest));
        }
        functions.push(last.clone().filter(|function| *address < function.end));
    }
    Ok(Answer { functions, hidden })
}

/// Address, kind and the rest of `ffffffff8e0001c0 T name\t[module]`.
fn parse(line: &[u8]) -> Option<(u64, u8, &[u8])> {
    let (address, rest) = line.split_at_checked(16)?;
    let [b' ', kind, b' ', rest @ ..] = rest.trim_ascii_end() else {
        return None;
    };
    let address = std::str::from_utf8(address).ok()?;
    Some((u64::from_str_radix(address, 16).ok()?, *kind, rest))
}

fn function(start: u64, next: u64, rest: &[u8]) -> Function {
    let text = String::from_utf8_lossy(rest);
    let (name, module) = text.split_once('\t').map_or((&*text, None), |(name, module)| (name, Some(module)));
    let module = module.map(|module| module.trim_matches(['[', ']'])).filter(|module| *module != "bpf");
    Function {
        start,
        end: next.min(start.saturating_add(LONGEST)),
        name: name.to_string(),
        module: module.map(str::to_string),
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Function, LONGEST, read};

    const TABLE: &str = "ffffffff81000000 T _text\n\
        ffffffff81000100 t first\n\
        ffffffff81000100 T alias\n\
        ffffffff81000180 d data\n\
        ffffffff81000200 T second\n\
        ffffffffc0001000 t in_module\t[ext4]\n\
        ffffffffc0000000 t earlier_in_module\t[ext4]\n\
        ffffffffc1000000 t bpf_prog_1\t[bpf]\n\
        0000000000000000 A fixed\n\
        broken\n";

    fn names(addresses: &[u64]) -> Vec<Option<(String, Option<String>)>> {
        let answer = read(TABLE.as_bytes(), addresses).expect("readable");
        assert!(!answer.hidden);
        answer.functions.into_iter().map(|found| found.map(|found| (found.name, found.module))).collect()
    }

    #[test]
    fn the_function_is_the_last_that_starts_before() {
        let known = |name: &str, module: Option<&str>| Some((name.to_string(), module.map(str::to_string)));
        assert_eq!(
            names(&[
                0x1000,
                0xffff_ffff_8100_0100,
                0xffff_ffff_8100_01ff,
                0xffff_ffff_8100_0200,
                0xffff_ffff_8100_0201,
                0xffff_ffff_c000_0fff,
                0xffff_ffff_c000_1000,
                0xffff_ffff_c100_0000,
                0xffff_ffff_f000_0000,
            ]),
            [
                None,
                known("first", None),
                known("first", None),
                known("second", None),
                known("second", None),
                known("earlier_in_module", Some("ext4")),
                known("in_module", Some("ext4")),
                known("bpf_prog_1", None),
                None,
            ]
        );
    }

    #[test]
    fn hidden_addresses_are_noticed() {
        let answer = read("0000000000000000 T _text\n".as_bytes(), &[0xffff_ffff_8100_0100]).expect("readable");
        assert_eq!(answer, Answer { functions: vec![None], hidden: true });
    }

    #[test]
    fn the_start_is_kept() {
        let answer = read(TABLE.as_bytes(), &[0xffff_ffff_8100_0204]).expect("readable");
        let start = 0xffff_ffff_8100_0200;
        // Nothing is listed within its reach.
        let second = Function { start, end: start + LONGEST, name: "second".into(), module: None };
        assert_eq!(answer.functions, [Some(second)]);
        let answer = read(TABLE.as_bytes(), &[start - 0xff, start - 1]).expect("readable");
        assert!(answer.functions.iter().flatten().all(|first| first.end == start), "{answer:?}");
    }
}
