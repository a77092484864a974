//! Kernel functions by address, each asked for once.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use corescope::complain;

use crate::frame::Frame;
use crate::kallsyms::{self, Function};
use crate::program::Program;

/// What is known of the kernel's functions.
#[derive(Debug, Default)]
pub(crate) struct Kernel {
    /// By their starts.
    functions: BTreeMap<u64, Function>,
    /// Loaded when it is asked first; where there is none, the kernel's table is read.
    program: OnceCell<Option<Program>>,
    remarked: bool,
}

impl Kernel {
    /// Whether a name costs microseconds; otherwise the table takes a twentieth of a second, however many are looked for.
    pub(crate) fn is_quick(&self) -> bool {
        self.program().is_some()
    }

    /// A frame for each place; they are in ascending order.
    pub(crate) fn frames(&mut self, places: &[u64]) -> Vec<Frame> {
        if self.ask(places).is_none() {
            self.program = OnceCell::from(None);
            self.read_table(places);
        }
        let frame = |place: &u64| match self.function(*place) {
            None => Frame::unknown(*place),
            Some(function) => Frame {
                address: *place,
                symbol: Some(function.name.clone()),
                offset: place - function.start,
                module: function.module.as_ref().map(PathBuf::from),
                ..Frame::default()
            },
        };
        places.iter().map(frame).collect()
    }

    fn program(&self) -> Option<&Program> {
        self.program.get_or_init(Program::load).as_ref()
    }

    /// The function at an address, if it is known already.
    fn function(&self, place: u64) -> Option<&Function> {
        let (_, function) = self.functions.range(..=place).next_back()?;
        (place < function.end).then_some(function)
    }

    /// Has the program find the functions at these places; none where it cannot be asked.
    fn ask(&mut self, places: &[u64]) -> Option<()> {
        for place in places {
            if self.function(*place).is_none() {
                let found = self.program()?.function(*place).ok()?;
                self.functions.extend(found.map(|function| (function.start, function)));
            }
        }
        Some(())
    }

    fn read_table(&mut self, places: &[u64]) {
        let new: Vec<u64> = places.iter().copied().filter(|place| self.function(*place).is_none()).collect();
        match kallsyms::look_up(&new) {
            Ok(answer) => {
                if answer.hidden {
                    let why = "the kernel hides its addresses (kernel.kptr_restrict); it needs CAP_SYSLOG, and less \
                        than 2 there";
                    self.remark(&io::Error::other(why));
                }
                self.functions
                    .extend(answer.functions.into_iter().flatten().map(|function| (function.start, function)));
            }
            Err(error) => self.remark(&error),
        }
    }

    /// Says once that there will be no names.
    fn remark(&mut self, why: &io::Error) {
        if !self.remarked {
            self.remarked = true;
            complain(&format!("kernel functions have no names, their addresses are shown: {why}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::OnceCell;
    use std::fs;

    use super::Kernel;

    #[test]
    fn the_program_says_what_the_table_says() {
        let table = fs::read_to_string("/proc/kallsyms").expect("the kernel's table");
        // Not those that may be gone in a moment, and not the mark behind the last function (_etext).
        let functions = table.lines().filter(|line| line[16..].starts_with(" t ") && !line.ends_with([']', 't']));
        let mut places: Vec<u64> = functions.filter_map(|line| u64::from_str_radix(&line[..16], 16).ok()).collect();
        places.sort_unstable();
        places.dedup();
        places = [0, 0x1000].into_iter().chain(places.into_iter().step_by(100)).chain([u64::MAX]).collect();
        let named = Kernel::default().frames(&places);
        let by_table = Kernel { program: OnceCell::from(None), ..Kernel::default() }.frames(&places);
        for (named, by_table) in named.iter().zip(&by_table) {
            assert_eq!(named, by_table);
        }
        assert!(named.iter().filter(|frame| frame.symbol.is_some()).count() > 100);
    }

    #[test]
    fn each_function_is_asked_for_once() {
        let mut kernel = Kernel::default();
        let table = fs::read_to_string("/proc/kallsyms").expect("the kernel's table");
        let line = table.lines().find(|line| line.ends_with(" T schedule")).expect("in every kernel");
        let start = u64::from_str_radix(&line[..16], 16).expect("an address");
        kernel.frames(&[start + 8]);
        let function = kernel.function(start).expect("named");
        assert_eq!((function.name.as_str(), function.start), ("schedule", start));
        assert_eq!(kernel.function(start + 8), Some(function));
        assert_eq!(kernel.functions.len(), 1);
    }
}
