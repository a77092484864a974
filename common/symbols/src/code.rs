//! What code a process has mapped: a frame whose function nobody knows has at least a file, or is none.

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use corescope::attach::{Mapping, Segments};

use crate::files::Files;
use crate::frame::{Frame, Mark};

/// The id by which /proc shows the memory of a process: that of its first thread, or of another one where the first has
/// ended; none if nobody is left.
pub(crate) fn reader(pid: u32) -> Option<u32> {
    // A zombie has the file, and nothing in it.
    let has_memory = |id: u32| {
        let maps = File::open(format!("/proc/{id}/maps"));
        maps.and_then(|mut maps| maps.read(&mut [0])).is_ok_and(|read| read > 0)
    };
    let others = || {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
        tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok())
    };
    if has_memory(pid) { Some(pid) } else { others().find(|id| has_memory(*id)) }
}

/// All code that a process has mapped, by its addresses.
#[derive(Debug, Default)]
pub(crate) struct Code {
    /// By which it is found in /proc.
    pid: u32,
    /// Whether its paths mean here what they mean to it.
    is_here: bool,
    pieces: Box<[Piece]>,
}

/// Code that follows each other in memory and in its file.
#[derive(Debug)]
pub(crate) struct Piece {
    start: u64,
    end: u64,
    /// Where it starts in the file.
    offset: u64,
    /// The file as the process sees it; none if it is not from a file.
    file: Option<Box<Path>>,
    inode: u64,
    /// The file itself.
    kept: Option<Rc<File>>,
    /// How the file is laid out, once it was asked for.
    segments: OnceCell<Option<Segments>>,
}

impl Code {
    /// Of a process that is there.
    pub(crate) fn of(pid: u32) -> Self {
        Self::with(pid, |_| None)
    }

    /// The same, its files kept open.
    pub(crate) fn kept(pid: u32, files: &mut Files) -> Self {
        Self::with(pid, |mapping| files.keep(pid, mapping))
    }

    fn with(pid: u32, mut keep: impl FnMut(&Mapping<'_>) -> Option<Rc<File>>) -> Self {
        let maps = fs::read(format!("/proc/{pid}/maps")).unwrap_or_default();
        let code = Mapping::all(&maps).filter(|mapping| mapping.executable);
        let pieces = code.map(|mapping| Piece::new(&mapping, &mut keep)).collect();
        let namespace = |id: &str| fs::read_link(format!("/proc/{id}/ns/mnt")).ok();
        let theirs = namespace(&pid.to_string());
        Self { pid, is_here: theirs.is_some() && theirs == namespace("self"), pieces }
    }

    /// Whether nothing is known of it.
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Whether it keeps files open.
    pub(crate) fn keeps_files(&self) -> bool {
        self.pieces.iter().any(|piece| piece.kept.is_some())
    }

    /// Keeps none open any more.
    pub(crate) fn let_go(&mut self) {
        self.pieces.iter_mut().for_each(|piece| piece.kept = None);
    }

    /// The number of the piece at an address.
    pub(crate) fn find(&self, address: u64) -> Option<usize> {
        self.pieces.iter().position(|piece| (piece.start..piece.end).contains(&address))
    }

    /// A piece by its number.
    pub(crate) fn piece(&self, number: usize) -> &Piece {
        &self.pieces[number]
    }

    /// By what path the file of a piece can be read after the end of the process.
    pub(crate) fn readable(&self, piece: &Piece) -> Option<PathBuf> {
        if let Some(kept) = &piece.kept {
            return Some(format!("/proc/self/fd/{}", kept.as_raw_fd()).into());
        }
        let path = piece.file.as_deref().filter(|_| self.is_here)?;
        // Another file may have taken its place.
        (fs::metadata(path).ok()?.ino() == piece.inode).then(|| path.into())
    }

    /// Fills in the file of a frame that has no symbol, or marks it as one that is no code.
    pub(crate) fn locate(&self, frame: &mut Frame) {
        if self.is_empty() {
            // Nobody knows what it had.
            return;
        }
        match self.find(frame.address).map(|number| &self.pieces[number]) {
            Some(piece) => {
                frame.module = piece.path();
                frame.module_address = self.address_in_file(piece, frame.address);
            }
            None => frame.mark = Mark::NotCode,
        }
    }

    fn address_in_file(&self, piece: &Piece, address: u64) -> Option<u64> {
        piece.file.as_ref()?;
        let read = || {
            let link = Path::new("/proc").join(self.pid.to_string()).join(Mapping::link_of(piece.start, piece.end));
            let file = File::open(link).or_else(|error| File::open(self.readable(piece).ok_or(error)?)).ok()?;
            Segments::read(&file).ok()
        };
        let segments = piece.segments.get_or_init(read).as_ref()?;
        segments.address(piece.offset_of(address))
    }
}

impl Piece {
    fn new(mapping: &Mapping<'_>, keep: impl FnOnce(&Mapping<'_>) -> Option<Rc<File>>) -> Self {
        let is_file = mapping.path.starts_with(b"/");
        Self {
            start: mapping.start,
            end: mapping.end,
            offset: mapping.offset,
            file: is_file.then(|| Path::new(OsStr::from_bytes(mapping.path)).into()),
            inode: std::str::from_utf8(mapping.inode).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0),
            kept: if is_file { keep(mapping) } else { None },
            segments: OnceCell::new(),
        }
    }

    /// The file as the process sees it.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        self.file.as_deref().map(Path::to_path_buf)
    }

    /// The place of an address of the piece in the file.
    pub(crate) fn offset_of(&self, address: u64) -> u64 {
        address - self.start + self.offset
    }
}

#[cfg(test)]
mod tests {
    use super::Code;
    use crate::frame::{Frame, Mark};

    fn located(code: &Code, address: u64) -> Frame {
        let mut frame = Frame::unknown(address);
        code.locate(&mut frame);
        frame
    }

    fn here() {}

    #[test]
    fn an_address_is_found_in_its_file() {
        let code = Code::of(std::process::id());
        let (first, second) = (here as *const () as u64, here as *const () as u64 + 3);
        let (first, second) = (located(&code, first), located(&code, second));
        assert_eq!((first.module, first.mark), (std::env::current_exe().ok(), Mark::None));
        assert_eq!(first.module_address.map(|address| address + 3), second.module_address);
    }

    #[test]
    fn data_is_no_code() {
        let data = Box::new(7u8);
        let code = Code::of(std::process::id());
        let frame = located(&code, &raw const *data as u64);
        assert_eq!((frame.module, frame.mark), (None, Mark::NotCode));
        // Of who is not there nothing is known.
        assert_eq!(located(&Code::of(u32::MAX >> 2), 0x1000), Frame::unknown(0x1000));
    }
}
