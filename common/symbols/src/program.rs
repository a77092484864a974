//! The kernel's own name for an address, by bpf/symbols.bpf.c: some microseconds for each.

use std::fmt;
use std::mem::MaybeUninit;

use corescope::escape;
use corescope::kernel::log;
use corescope::libbpf_rs::skel::{OpenSkel, SkelBuilder};
use corescope::libbpf_rs::{MapCore, MapFlags, ProgramInput, Result};
use corescope::process::memory;

use crate::bpf::{SymbolsSkel, SymbolsSkelBuilder};
use crate::kallsyms::Function;

/// The program, loaded as long as this is there.
pub(crate) struct Program(SymbolsSkel<'static>);

impl Program {
    /// Loads it; none where the kernel has no such programs, or not for us.
    pub(crate) fn load() -> Option<Self> {
        // Never freed, which are two words for the run of a tool.
        let object = Box::leak(Box::new(MaybeUninit::uninit()));
        let skel = SymbolsSkelBuilder::default().open(object).and_then(OpenSkel::load);
        // There is another way, so nobody needs to know why.
        let _ = log::take_warnings();
        // What loading needs is not needed by what follows.
        memory::give_back();
        skel.ok().map(Self)
    }

    /// The function at an address, if one is there.
    pub(crate) fn function(&self, address: u64) -> Result<Option<Function>> {
        let mut question = address.to_ne_bytes();
        let input = ProgramInput { context_in: Some(&mut question), ..ProgramInput::default() };
        self.0.progs.symbols_look_up.test_run(input)?;
        let answer = self.0.maps.bss.lookup(&0u32.to_ne_bytes(), MapFlags::ANY)?.unwrap_or_default();
        Ok(parse(address, &String::from_utf8_lossy(escape::c_string(&answer))))
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Program")
    }
}

/// Name, extent and module of `name+0x12/0x40 [module]`, which is said of `address`.
fn parse(address: u64, answer: &str) -> Option<Function> {
    let (answer, module) = match answer.split_once(" [") {
        Some((answer, module)) => (answer, Some(module.trim_end_matches(']').to_string())),
        None => (answer, None),
    };
    let (name, place) = answer.rsplit_once("+0x")?;
    let (offset, size) = place.split_once("/0x")?;
    let number = |digits| u64::from_str_radix(digits, 16).ok();
    let (offset, size) = (number(offset)?, number(size)?);
    let start = address.checked_sub(offset)?;
    // Whatever size it has, the address is in it.
    let end = start.saturating_add(size).max(address.saturating_add(1));
    Some(Function { start, end, name: name.to_string(), module })
}

#[cfg(test)]
mod tests {
    use super::{Function, parse};

    #[test]
    fn the_answer_has_name_extent_and_module() {
        let function = |end, name: &str, module: Option<&str>| {
            Some(Function { start: 0x1000, end, name: name.into(), module: module.map(Into::into) })
        };
        assert_eq!(parse(0x1012, "schedule+0x12/0x40"), function(0x1040, "schedule", None));
        assert_eq!(parse(0x1000, "a.b+0x0/0x8 [ext4]"), function(0x1008, "a.b", Some("ext4")));
        assert_eq!(parse(0x1012, "of_no_size+0x12/0x0"), function(0x1013, "of_no_size", None));
    }

    #[test]
    fn an_address_is_no_name() {
        for answer in ["0xffffffff81000000", "", "cut+0x12/0x", "cut+0x12", "behind+0x2000/0x4000"] {
            assert_eq!(parse(0x1012, answer), None, "{answer}");
        }
    }
}
