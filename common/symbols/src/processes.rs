//! Processes whose stacks were seen: what they executed is kept, so that their functions have names after their end, too.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;

use blazesym::symbolize::source::{Elf, Source};
use blazesym::symbolize::{Input, Symbolizer};

use crate::code::{self, Code};
use crate::files::Files;
use crate::frame::Frame;
use crate::symbols::frames;

/// How many are kept: each takes some kilobytes.
const MOST: usize = 4096;

#[derive(Debug, Default)]
pub(crate) struct Processes {
    known: HashMap<u32, Known>,
    files: Files,
}

#[derive(Debug, Default)]
struct Known {
    /// What it has been called: another name is often another program, and may be a thread's.
    names: Vec<Box<[u8]>>,
    code: Code,
    has_ended: bool,
}

impl Processes {
    /// Notes what a process executes, unless that is known under this name; whether it does so now.
    pub(crate) fn remember(&mut self, pid: u32, comm: &[u8]) -> bool {
        if !self.known.contains_key(&pid) && self.known.len() >= MOST {
            return false;
        }
        let known = self.known.entry(pid).or_default();
        if known.names.iter().any(|name| **name == *comm) {
            return false;
        }
        known.names.push(comm.into());
        self.look_again(pid);
        true
    }

    /// Notes what it has loaded since, if it is there and remembered.
    pub(crate) fn look_again(&mut self, pid: u32) {
        let Some(known) = self.known.get_mut(&pid) else { return };
        // Of a zombie only the threads know.
        let code = Code::kept(code::reader(pid).unwrap_or(pid), &mut self.files);
        if !code.is_empty() {
            known.code = code;
        }
    }

    /// What a process has executed.
    pub(crate) fn code(&self, pid: u32) -> Option<&Code> {
        self.known.get(&pid).map(|known| &known.code)
    }

    /// Closes the files of those that have ended, which may hold up who wants to unmount them. To be called where all that was
    /// wanted until now has names: what comes to light of a process in its last moments still needs them the first time.
    pub(crate) fn let_go_of_ended(&mut self) {
        for (pid, known) in &mut self.known {
            if known.has_ended {
                known.code.let_go();
            } else if known.code.keeps_files() {
                known.has_ended = fs::metadata(format!("/proc/{pid}")).is_err();
            }
        }
    }

    /// Forgets those that have ended.
    pub(crate) fn forget_ended(&mut self) {
        self.known.retain(|_, known| !known.has_ended);
    }

    /// The functions at these addresses of a process that has ended; nothing of one that was not remembered.
    pub(crate) fn resolve(&self, symbolizer: &Symbolizer, details: bool, pid: u32, places: &[u64]) -> Vec<Vec<Frame>> {
        let mut all: Vec<_> = places.iter().map(|place| vec![Frame::unknown(*place)]).collect();
        let Some(code) = self.code(pid) else { return all };
        let mut by_piece: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, place) in places.iter().enumerate() {
            if let Some(piece) = code.find(*place) {
                by_piece.entry(piece).or_default().push(index);
            }
        }
        for (piece, indices) in by_piece {
            let piece = code.piece(piece);
            let Some(path) = code.readable(piece) else { continue };
            let offsets: Vec<u64> = indices.iter().map(|index| piece.offset_of(places[*index])).collect();
            for (index, mut found) in indices.iter().zip(resolve_file(symbolizer, details, path, &offsets)) {
                for frame in &mut found {
                    frame.address = places[*index];
                    frame.module = frame.module.take().and_then(|_| piece.path());
                }
                all[*index] = found;
            }
        }
        all
    }
}

/// The functions at these places of a file.
fn resolve_file(symbolizer: &Symbolizer, details: bool, path: PathBuf, offsets: &[u64]) -> Vec<Vec<Frame>> {
    let mut elf = Elf::new(path);
    elf.debug_syms = details;
    // One that is no executable has none.
    let found = symbolizer.symbolize(&Source::Elf(elf), Input::FileOffset(offsets)).unwrap_or_default();
    offsets.iter().zip(found).map(|(offset, symbol)| frames(*offset, symbol)).collect()
}
