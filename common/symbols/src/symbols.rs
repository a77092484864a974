//! Names for addresses.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use blazesym::Pid;
use blazesym::symbolize::source::{Process, Source};
use blazesym::symbolize::{CodeInfo, Input, Sym, Symbolized, Symbolizer};
use corescope::process::memory;

use crate::code::{self, Code};
use crate::frame::{Frame, Mark};
use crate::kernel::Kernel;
use crate::named::{End, Named, Space};
use crate::processes::Processes;
use crate::stack::Stack;

/// The symbolizer of a tool: one for its whole run, for it keeps what it read of executables.
#[derive(Debug)]
pub struct Symbols {
    symbolizer: Symbolizer,
    details: bool,
    wanted: BTreeMap<Space, BTreeSet<u64>>,
    known: HashMap<(Space, u64), Vec<Frame>>,
    kernel: Kernel,
    processes: Processes,
}

impl Symbols {
    /// Names from symbol tables; with `details` also inlined functions, files and lines from debug information, which may
    /// take hundreds of megabytes.
    #[must_use]
    pub fn new(details: bool) -> Self {
        let symbolizer = Symbolizer::builder().enable_code_info(details).enable_inlined_fns(details).build();
        Self {
            symbolizer,
            details,
            wanted: BTreeMap::new(),
            known: HashMap::new(),
            kernel: Kernel::default(),
            processes: Processes::default(),
        }
    }

    /// Notes that the names of this stack will be asked for.
    pub fn want(&mut self, space: Space, stack: &Stack) {
        let wanted = self.wanted.entry(space).or_default();
        wanted.extend(places(stack).map(|(_, place)| place).filter(|place| !self.known.contains_key(&(space, *place))));
    }

    /// Finds the names that are wanted and not yet known, process by process.
    pub fn resolve(&mut self) {
        for (space, wanted) in std::mem::take(&mut self.wanted) {
            let places: Vec<u64> = wanted.into_iter().collect();
            if places.is_empty() {
                continue;
            }
            let frames = match space {
                Space::Kernel => self.kernel.frames(&places).into_iter().map(|frame| vec![frame]).collect(),
                Space::Process(pid) => self.resolve_process(pid, &places),
            };
            self.known.extend(places.iter().map(|place| (space, *place)).zip(frames));
        }
    }

    /// Finds names while there is time, so that fewer are left to be found in the end: those of the kernel only where
    /// each costs next to nothing.
    pub fn resolve_ahead(&mut self) {
        let later = if self.kernel.is_quick() { None } else { self.wanted.remove(&Space::Kernel) };
        if self.wanted.values().any(|places| !places.is_empty()) {
            self.resolve();
            // Nobody knows when there will be others.
            memory::give_back();
        }
        self.processes.let_go_of_ended();
        self.wanted.extend(later.map(|places| (Space::Kernel, places)));
    }

    /// The stack with its names.
    #[must_use]
    pub fn name(&self, space: Space, stack: &Stack) -> Named {
        let mut frames = Vec::new();
        for (address, place) in places(stack) {
            let Some(known) = self.known.get(&(space, place)) else {
                frames.push(Frame::unknown(address));
                continue;
            };
            frames.extend(known.iter().map(|frame| {
                // What is inlined has no start of its own.
                let own = frame.symbol.is_some() && frame.mark == Mark::None;
                let offset = if own { frame.offset + (address - place) } else { 0 };
                let module_address = frame.module_address.map(|in_module| in_module + (address - place));
                Frame { address, offset, module_address, ..frame.clone() }
            }));
        }
        let end = match frames.last() {
            _ if matches!(stack, Stack::Cut(_)) => End::Depth,
            Some(Frame { mark: Mark::NotCode, .. }) => End::NotCode,
            _ => End::Walked,
        };
        Named { space, lost: *stack == Stack::Lost, frames, end }
    }

    /// Forgets the names of processes: by the next output their code may be another.
    pub fn forget_processes(&mut self) {
        self.known.retain(|(space, _), _| *space == Space::Kernel);
        self.processes.forget_ended();
    }

    /// Keeps what a process executes, its files open, so that its stacks have names also when it has ended by the time they are
    /// named. Of what it was before an exec nothing is kept; `comm` tells that it was one.
    pub fn remember(&mut self, pid: u32, comm: &[u8]) {
        if self.processes.remember(pid, comm) {
            // Another name is often another program, with other code at the same addresses.
            self.known.retain(|(space, _), _| *space != Space::Process(pid));
        }
    }

    fn resolve_process(&mut self, pid: u32, places: &[u64]) -> Vec<Vec<Frame>> {
        // It may have loaded more since.
        self.processes.look_again(pid);
        let reader = code::reader(pid);
        let living = reader.map(|reader| self.resolve_living(reader, places));
        // It may have ended right now.
        let is_good = |all: &Vec<Vec<Frame>>| {
            all.iter().flatten().any(|frame| frame.symbol.is_some()) || code::reader(pid).is_some()
        };
        let mut all = living
            .filter(is_good)
            .unwrap_or_else(|| self.processes.resolve(&self.symbolizer, self.details, pid, places));
        let mut unnamed = all.iter_mut().flatten().filter(|frame| frame.symbol.is_none()).peekable();
        if unnamed.peek().is_some() {
            let now = reader.map(Code::of);
            if let Some(code) = now.as_ref().or_else(|| self.processes.code(pid)) {
                unnamed.for_each(|frame| code.locate(frame));
            }
        }
        all
    }

    fn resolve_living(&self, pid: u32, places: &[u64]) -> Vec<Vec<Frame>> {
        let mut process = Process::new(Pid::from(pid));
        process.debug_syms = self.details;
        // Links to the very files, whatever their names mean here and whether or not they have been deleted.
        process.map_files = true;
        let source = Source::Process(process);
        match self.symbolizer.symbolize(&source, Input::AbsAddr(places)) {
            Ok(symbols) => places.iter().zip(symbols).map(|(place, symbol)| frames(*place, symbol)).collect(),
            // One that cannot be named, as in a mapped file that is no executable, must not take the others along.
            Err(_) => places.iter().map(|place| self.resolve_one(&source, *place)).collect(),
        }
    }

    fn resolve_one(&self, source: &Source<'_>, place: u64) -> Vec<Frame> {
        match self.symbolizer.symbolize_single(source, Input::AbsAddr(place)) {
            Ok(symbol) => frames(place, symbol),
            Err(_) => vec![Frame::unknown(place)],
        }
    }
}

/// The addresses of a stack, each with the place to look up: all but the innermost are those to return to, and where a
/// call is the last instruction of its function, that is in the next function already.
fn places(stack: &Stack) -> impl Iterator<Item = (u64, u64)> {
    stack
        .addresses()
        .iter()
        .enumerate()
        .map(|(index, address)| (*address, address.saturating_sub(u64::from(index > 0))))
}

/// The function at an address, and before it those that are inlined there, the innermost first.
pub(crate) fn frames(address: u64, symbol: Symbolized<'_>) -> Vec<Frame> {
    let Symbolized::Sym(symbol) = symbol else {
        return vec![Frame::unknown(address)];
    };
    let Sym { name, module, offset, code_info, inlined, .. } = symbol;
    let module = module.map(|module| PathBuf::from(module.into_owned()));
    let own = Frame {
        address,
        symbol: Some(name.into_owned()),
        offset: offset as u64,
        module: module.clone(),
        source: code_info.as_deref().and_then(source),
        ..Frame::default()
    };
    let inlined = inlined.iter().rev().map(|function| Frame {
        address,
        symbol: Some(function.name.to_string()),
        module: module.clone(),
        mark: Mark::Inlined,
        source: function.code_info.as_ref().and_then(source),
        ..Frame::default()
    });
    inlined.chain([own]).collect()
}

fn source(info: &CodeInfo<'_>) -> Option<(PathBuf, u32)> {
    Some((info.to_path().into_owned(), info.line?))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::{End, Frame, Mark, Space, Symbols};
    use crate::stack::Stack;

    #[inline(never)]
    fn here() {}

    fn name(space: Space, addresses: &[u64]) -> Vec<Frame> {
        let mut symbols = Symbols::new(false);
        let stack = Stack::Addresses(addresses.to_vec());
        symbols.want(space, &stack);
        symbols.resolve();
        symbols.name(space, &stack).frames
    }

    #[test]
    fn functions_of_a_process_have_names() {
        let address = here as *const () as u64;
        let frames = name(Space::Process(std::process::id()), &[address, address + 1]);
        assert_eq!(frames.len(), 2);
        for (frame, offset) in frames.iter().zip([0, 1]) {
            assert!(frame.symbol.as_deref().is_some_and(|symbol| symbol.contains("here")), "{frame:?}");
            assert_eq!(frame.offset, offset);
            assert!(frame.module.is_some());
        }
    }

    #[test]
    fn nobody_knows_the_rest() {
        let none = |address| Frame { mark: Mark::NotCode, ..Frame::unknown(address) };
        assert_eq!(name(Space::Process(std::process::id()), &[1, 0]), [none(1), none(0)]);
        assert_eq!(name(Space::Process(u32::MAX >> 2), &[0x1000]), [Frame::unknown(0x1000)]);
        assert_eq!(name(Space::Kernel, &[0x1000]), [Frame::unknown(0x1000)]);
    }

    #[test]
    fn an_address_in_some_other_file_does_not_disturb() {
        // SAFETY: a new mapping that nobody writes to, of a file that is no executable (shared memory without a name).
        let mapped = unsafe {
            let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
            libc::mmap(std::ptr::null_mut(), 4096, libc::PROT_READ | libc::PROT_EXEC, flags, -1, 0)
        };
        assert_ne!(mapped, libc::MAP_FAILED);
        let (mapped, known) = (mapped as u64 + 16, here as *const () as u64);
        let frames = name(Space::Process(std::process::id()), &[known, mapped]);
        assert!(frames[0].symbol.is_some(), "{frames:?}");
        assert_eq!(frames[1], Frame { module: Some("/dev/zero".into()), ..Frame::unknown(mapped) });
    }

    #[test]
    fn code_without_a_symbol_has_its_place_in_the_file() {
        let file = std::fs::File::open("/proc/self/exe").expect("this test");
        // SAFETY: a new mapping, that nobody writes to, of the beginning of a file in which no function is.
        let mapped = unsafe {
            let protection = libc::PROT_READ | libc::PROT_EXEC;
            libc::mmap(std::ptr::null_mut(), 4096, protection, libc::MAP_PRIVATE, file.as_raw_fd(), 0)
        };
        assert_ne!(mapped, libc::MAP_FAILED);
        // The second is the one to return to.
        let frames = name(Space::Process(std::process::id()), &[mapped as u64 + 16, mapped as u64 + 16]);
        let known: Vec<_> = frames.iter().map(|frame| (frame.module.clone(), frame.module_address)).collect();
        assert_eq!(known, vec![(std::env::current_exe().ok(), Some(16)); 2], "{frames:?}");
        // SAFETY: nobody else knows of it.
        unsafe { libc::munmap(mapped, 4096) };
    }

    #[test]
    fn a_stack_tells_why_it_ends() {
        let mut symbols = Symbols::new(false);
        let own = Space::Process(std::process::id());
        let address = here as *const () as u64;
        let mut end = |stack: Stack| {
            symbols.want(own, &stack);
            symbols.resolve();
            symbols.name(own, &stack).end
        };
        assert_eq!(end(Stack::Addresses(vec![address, 7])), End::NotCode);
        assert_eq!(end(Stack::Addresses(vec![7, address])), End::Walked);
        assert_eq!(end(Stack::Cut(vec![address, 7])), End::Depth);
    }

    /// Where a process has the code of the C library.
    fn c_library(pid: u32) -> Option<u64> {
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
        let line = maps.lines().find(|line| line.contains(" r-xp ") && line.contains("/libc"))?;
        u64::from_str_radix(line.split_once('-')?.0, 16).ok()
    }

    /// `sleep`, as a script with the folder `$0` starts it.
    fn sleep(start: &str, folder: &std::path::Path) -> (std::process::Child, u64) {
        let mut child = std::process::Command::new("sh").args(["-ec", start]).arg(folder).spawn().expect("a shell");
        loop {
            // Not before the exec, and not before the C library is loaded.
            let comm = std::fs::read_to_string(format!("/proc/{}/comm", child.id())).expect("a child");
            if let Some(start) = c_library(child.id()).filter(|_| comm == "sleep\n") {
                return (child, start);
            }
            assert!(child.try_wait().expect("a child").is_none(), "it does not start");
        }
    }

    /// What a function is called in a process that has ended since it was seen.
    fn named_after_the_end(start: &str, is_readable: bool, before_the_end: impl FnOnce(&std::path::Path)) {
        let scratch = corescope_testing::Scratch::new("symbols");
        let (mut child, theirs) = sleep(start, scratch.path());
        let mut symbols = Symbols::new(false);
        symbols.remember(child.id(), b"sleep");
        before_the_end(scratch.path());
        child.kill().expect("a child");
        child.wait().expect("a child");
        let ours = c_library(std::process::id()).expect("a C library");
        let address = libc::usleep as *const () as u64 - ours + theirs;
        let stack = Stack::Addresses(vec![address]);
        let space = Space::Process(child.id());
        // What comes to light at the last look still has a name; then its files are closed.
        symbols.resolve_ahead();
        symbols.want(space, &stack);
        symbols.resolve_ahead();
        let named = symbols.name(space, &stack);
        assert_eq!(named.frames[0].symbol.as_deref(), Some("usleep"), "{named:?}");
        assert!(symbols.processes.code(child.id()).is_some_and(|code| !code.keeps_files()));
        // Later there is only its path, if it is still that file's.
        let later = Stack::Addresses(vec![address + 1]);
        symbols.want(space, &later);
        symbols.resolve();
        let later = symbols.name(space, &later);
        assert_eq!(later.frames[0].symbol.as_deref(), is_readable.then_some("usleep"), "{later:?}");
        assert!(later.frames[0].module.is_some(), "{later:?}");
    }

    #[test]
    fn a_process_that_has_ended_is_remembered() {
        named_after_the_end("exec sleep 1000", true, |_| ());
    }

    const C_LIBRARY: &str = "cp -L $(ldd /bin/sleep | grep -o \"/[^ ]*/libc.so[^ ]*\") $0; \
                             LD_LIBRARY_PATH=$0 exec sleep 1000";

    #[test]
    fn deleted_code_of_a_process_that_has_ended_is_remembered() {
        let delete = |folder: &std::path::Path| {
            let files: Vec<_> = std::fs::read_dir(folder).expect("a folder").collect();
            assert!(!files.is_empty());
            for file in files {
                std::fs::remove_file(file.expect("a file").path()).expect("a file");
            }
        };
        named_after_the_end(C_LIBRARY, false, delete);
    }

    #[test]
    fn code_of_another_mount_namespace_is_remembered() {
        let hidden = |folder: &std::path::Path| assert!(std::fs::read_dir(folder).expect("a folder").next().is_none());
        let start = format!("exec unshare --mount sh -ec 'mount -t tmpfs none $0; {C_LIBRARY}' $0");
        named_after_the_end(&start, false, hidden);
    }
}
