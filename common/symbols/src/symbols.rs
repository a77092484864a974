//! Names for addresses.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::PathBuf;

use blazesym::Pid;
use blazesym::symbolize::cache::{Cache, Process as CacheProcess};
use blazesym::symbolize::source::{Process, Source};
use blazesym::symbolize::{CodeInfo, Input, Sym, Symbolized, Symbolizer};
use corescope::process::memory;

use crate::code::{self, Code};
use crate::frame::{Frame, Mark};
use crate::kernel::Kernel;
use crate::stack::Stack;

/// How many processes [`Symbols::remember`] looks at: their memory maps take some kilobytes each.
const REMEMBERED: usize = 4096;

/// Where an address lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// In the kernel.
    Kernel,
    /// In the process of this id.
    Process(u32),
}

/// A stack with names, the innermost function first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Where it is from.
    pub space: Space,
    /// Whether there was one that could not be stored; then it has no frames.
    pub lost: bool,
    /// Its functions.
    pub frames: Vec<Frame>,
    /// Why it has no more of them.
    pub end: End,
}

/// Why a stack ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum End {
    /// The kernel found no caller of its last function: the stack's own end, or code without frame pointers.
    #[default]
    Walked,
    /// It is as deep as stacks are kept.
    Depth,
    /// Its last frame lies in no code: what called the one before was built without frame pointers.
    NotCode,
}

impl End {
    /// As in JSON; nothing where there is nothing to be said.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Walked => None,
            Self::Depth => Some("depth"),
            Self::NotCode => Some("not_code"),
        }
    }
}

impl Named {
    /// Takes off what lies above the first function of this name: a stack that was taken at a tracepoint begins with the
    /// tracing itself, in functions that differ from kernel to kernel. At the exit of a function (fexit) the function
    /// itself may be missing: then what is left begins with its caller.
    pub fn begin_at(&mut self, function: &str) {
        const TRACING: usize = 10;
        let named = |frame: &Frame| frame.symbol.as_deref() == Some(function);
        // bpf_prog_..., bpf_trampoline_...; the kernel may hide these names.
        let other = |frame: &Frame| frame.symbol.as_ref().is_some_and(|symbol| !symbol.starts_with("bpf_"));
        let top = &self.frames[..self.frames.len().min(TRACING)];
        let start = top.iter().position(named).or_else(|| top.iter().position(other));
        self.frames.drain(..start.unwrap_or(0));
    }
}

/// The symbolizer of a tool: one for its whole run, for it keeps what it read of executables.
#[derive(Debug)]
pub struct Symbols {
    symbolizer: Symbolizer,
    details: bool,
    wanted: BTreeMap<Space, BTreeSet<u64>>,
    known: HashMap<(Space, u64), Vec<Frame>>,
    kernel: Kernel,
    /// Processes whose memory map the symbolizer keeps, each with its code.
    remembered: HashMap<u32, Code>,
    seen: HashSet<(u32, Vec<u8>)>,
    mount_namespace: Option<PathBuf>,
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
            remembered: HashMap::new(),
            seen: HashSet::new(),
            mount_namespace: fs::read_link("/proc/self/ns/mnt").ok(),
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
    }

    /// Keeps the memory map of a process, so that its stacks have names also when it has ended by the time they are
    /// named. Of what it was before an exec nothing is kept; `comm` tells that it was one.
    ///
    /// Executables that another mount namespace hides or that are deleted by then cannot be read any more.
    pub fn remember(&mut self, pid: u32, comm: &[u8]) {
        if self.seen.len() >= REMEMBERED || !self.seen.insert((pid, comm.to_vec())) {
            return;
        }
        // Another name is often another program, with other code at the same addresses.
        self.known.retain(|(space, _), _| *space != Space::Process(pid));
        // By its path a file of another mount namespace would be the wrong one.
        let theirs = fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
        if theirs.is_some() && theirs == self.mount_namespace && self.cache_maps(pid).is_ok() {
            self.remembered.insert(pid, Code::of(pid));
        }
    }

    fn cache_maps(&self, pid: u32) -> Result<(), blazesym::Error> {
        self.symbolizer
            .cache(&Cache::Process(CacheProcess { cache_perf_map: false, ..CacheProcess::new(Pid::from(pid)) }))
    }

    fn resolve_process(&self, pid: u32, places: &[u64]) -> Vec<Vec<Frame>> {
        let reader = code::reader(pid);
        if reader == Some(pid) && self.remembered.contains_key(&pid) {
            // It may have loaded more since. If it ends right now, what was kept before is still there.
            let _ = self.cache_maps(pid);
        }
        let mut process = Process::new(Pid::from(reader.unwrap_or(pid)));
        process.debug_syms = self.details;
        // Links to the very files, whatever their names mean here and whether or not they have been deleted.
        process.map_files = reader.is_some();
        let source = Source::Process(process);
        let mut all: Vec<Vec<Frame>> = match self.symbolizer.symbolize(&source, Input::AbsAddr(places)) {
            Ok(symbols) => places.iter().zip(symbols).map(|(place, symbol)| frames(*place, symbol)).collect(),
            // One that cannot be named, as in a mapped file that is no executable, must not take the others along.
            Err(_) if reader.is_some() || self.remembered.contains_key(&pid) => {
                places.iter().map(|place| self.resolve_one(&source, *place)).collect()
            }
            // It has ended: there is nobody to ask.
            Err(_) => places.iter().map(|place| vec![Frame::unknown(*place)]).collect(),
        };
        let unnamed = all.iter_mut().flatten().filter(|frame| frame.symbol.is_none());
        let mut unnamed = unnamed.peekable();
        if unnamed.peek().is_some() {
            let now = reader.map(Code::of);
            if let Some(code) = now.as_ref().or_else(|| self.remembered.get(&pid)) {
                unnamed.for_each(|frame| code.locate(frame));
            }
        }
        all
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
fn frames(address: u64, symbol: Symbolized<'_>) -> Vec<Frame> {
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

    use super::{End, Frame, Mark, Named, Space, Symbols};
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

    #[test]
    fn a_process_that_has_ended_is_remembered() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().expect("sleep");
        let theirs = loop {
            // Not before the exec, and not before the C library is loaded.
            let comm = std::fs::read_to_string(format!("/proc/{}/comm", child.id())).expect("a child");
            if let Some(start) = c_library(child.id()).filter(|_| comm == "sleep\n") {
                break start;
            }
        };
        let mut symbols = Symbols::new(false);
        symbols.remember(child.id(), b"sleep");
        child.kill().expect("a child");
        child.wait().expect("a child");
        let ours = c_library(std::process::id()).expect("a C library");
        let stack = Stack::Addresses(vec![libc::usleep as *const () as u64 - ours + theirs]);
        symbols.want(Space::Process(child.id()), &stack);
        symbols.resolve();
        let named = symbols.name(Space::Process(child.id()), &stack);
        assert_eq!(named.frames[0].symbol.as_deref(), Some("usleep"), "{named:?}");
    }

    #[test]
    fn the_tracing_is_taken_off() {
        let frame = |symbol: &str| Frame { symbol: Some(symbol.into()), ..Frame::default() };
        let frames = ["bpf_prog_1", "bpf_trace_run4", "__schedule", "schedule"].map(frame).to_vec();
        let mut named = Named { space: Space::Kernel, lost: false, frames, end: End::Walked };
        named.begin_at("__schedule");
        assert_eq!(named.frames, ["__schedule", "schedule"].map(frame));
        named.begin_at("missing");
        assert_eq!(named.frames.len(), 2);
        let frames = vec![frame("bpf_prog_1_exit"), Frame::unknown(1), frame("bpf_trampoline_2"), frame("caller")];
        let mut named = Named { space: Space::Kernel, lost: false, frames, end: End::Walked };
        named.begin_at("function");
        assert_eq!(named.frames, ["caller"].map(frame));
        named.frames = vec![Frame::unknown(1)];
        named.begin_at("function");
        assert_eq!(named.frames, [Frame::unknown(1)]);
    }
}
