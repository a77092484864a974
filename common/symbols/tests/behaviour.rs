//! Names of kernel functions, compared with the table that the kernel shows of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use corescope::kernel::Types;
use corescope_symbols::{Frame, Space, Stack, Symbols};
use corescope_testing::loaded;
use corescope_testing::workload::NullBlock;

/// The functions at an address, each with its module.
type Names = BTreeSet<(String, Option<String>)>;

/// All functions by address, as `ffffffff8e0001c0 T name\t[module]` tells them.
fn table() -> BTreeMap<u64, Names> {
    let text = fs::read_to_string("/proc/kallsyms").expect("the kernel's table");
    let mut all: BTreeMap<u64, Names> = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(start), Some(kind), Some(name)) = (words.next(), words.next(), words.next()) else { continue };
        if !matches!(kind, "t" | "T" | "w" | "W") {
            continue;
        }
        let start = u64::from_str_radix(start, 16).expect("an address");
        let module = words.next().map(|module| module.trim_matches(['[', ']']).to_string());
        // BPF programs are in no module.
        all.entry(start).or_default().insert((name.into(), module.filter(|module| module != "bpf")));
    }
    assert!(all.len() > 10_000, "only root sees all of it, where kernel.kptr_restrict is less than 2");
    all
}

/// Some functions of the kernel and all of a module and of BPF programs, as far as there are some.
fn sample(all: &BTreeMap<u64, Names>) -> Vec<(u64, Names)> {
    let next = all.keys().skip(1);
    all.iter()
        .zip(next)
        .filter(|((start, names), next)| {
            let named = |wanted: &str| names.iter().any(|(name, _)| name.starts_with(wanted));
            let of_module = |wanted: &str| names.iter().any(|(_, module)| module.as_deref() == Some(wanted));
            let chosen = *start % 1009 == 0 || of_module("null_blk") || named("bpf_prog_");
            // What lies farther behind the last function of a section belongs to none.
            chosen && (2..1 << 16).contains(&(*next - *start)) && !names.iter().any(|(name, _)| name.ends_with("text"))
        })
        .map(|((start, names), _)| (*start, names.clone()))
        .collect()
}

/// The frames at a byte behind each function's start.
fn name(symbols: &mut Symbols, functions: &[(u64, Names)]) -> Vec<Frame> {
    let named = functions.iter().map(|(start, _)| {
        let stack = Stack::Addresses(vec![start + 1]);
        symbols.want(Space::Kernel, &stack);
        symbols.resolve();
        symbols.name(Space::Kernel, &stack).frames.remove(0)
    });
    named.collect()
}

fn assert_named(frames: &[Frame], functions: &[(u64, Names)]) {
    for (frame, (start, names)) in frames.iter().zip(functions) {
        let module = frame.module.as_deref().and_then(Path::to_str).map(str::to_string);
        let found = frame.symbol.clone().map(|symbol| (symbol, module));
        assert!(found.is_some_and(|found| names.contains(&found)), "{start:#x} {names:?} {frame:?}");
        assert_eq!((frame.address, frame.offset), (start + 1, 1), "{frame:?}");
    }
}

/// Whether the kernel names an address for the asking, so that its table is not read.
fn asks_the_kernel() -> bool {
    Types::read(None).expect("a kernel with BTF").has_type("bpf_prog_test_run_syscall")
}

#[test]
fn functions_have_the_names_of_the_table() {
    // A module, where the kernel has it.
    let _disk = NullBlock::new(Duration::from_millis(1));
    let mut symbols = Symbols::new(false);
    // Its own program is another function from then on.
    symbols.resolve_ahead();
    let mut functions = sample(&table());
    if !asks_the_kernel() {
        // Each takes as long as all.
        functions.truncate(10);
    }
    assert_named(&name(&mut symbols, &functions), &functions);
}

#[test]
fn hidden_addresses_have_names_where_the_kernel_is_asked() {
    let functions = sample(&table());
    let hidden = Hidden::new();
    let mut symbols = Symbols::new(false);
    let first = &functions[..1];
    let frames = name(&mut symbols, first);
    drop(hidden);
    if asks_the_kernel() {
        assert_named(&frames, first);
    } else {
        assert_eq!(frames, [Frame::unknown(first[0].0 + 1)]);
    }
}

/// The kernel shows nobody its addresses meanwhile.
struct Hidden(String);

const RESTRICT: &str = "/proc/sys/kernel/kptr_restrict";

impl Hidden {
    fn new() -> Self {
        let before = fs::read_to_string(RESTRICT).expect("a sysctl");
        fs::write(RESTRICT, "2").expect("root may do that");
        Self(before)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = fs::write(RESTRICT, &self.0);
    }
}

#[test]
fn nothing_stays_loaded() {
    let mut symbols = Symbols::new(false);
    symbols.resolve_ahead();
    assert_eq!(!loaded::programs("symbols").is_empty(), asks_the_kernel());
    drop(symbols);
    loaded::assert_nothing_left("symbols");
}
