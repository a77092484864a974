//! What code a process has mapped: a frame whose function nobody knows has at least a file, or is none.

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use corescope::attach::{Mapping, Segments};

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
    pieces: Box<[Piece]>,
}

#[derive(Debug)]
struct Piece {
    start: u64,
    end: u64,
    /// Where it starts in the file.
    offset: u64,
    /// The file as the process sees it; none if it is not from a file.
    file: Option<Box<Path>>,
    /// How the file is laid out, once it was asked for.
    segments: OnceCell<Option<Segments>>,
}

impl Code {
    /// Of a process that is there.
    pub(crate) fn of(pid: u32) -> Self {
        let maps = fs::read(format!("/proc/{pid}/maps")).unwrap_or_default();
        let code = Mapping::all(&maps).filter(|mapping| mapping.executable);
        Self { pid, pieces: code.map(|mapping| Piece::new(&mapping)).collect() }
    }

    /// Fills in the file of a frame that has no symbol, or marks it as one that is no code.
    pub(crate) fn locate(&self, frame: &mut Frame) {
        if self.pieces.is_empty() {
            // Nobody knows what it had.
            return;
        }
        let address = frame.address;
        match self.pieces.iter().find(|piece| (piece.start..piece.end).contains(&address)) {
            Some(piece) => {
                frame.module = piece.file.as_deref().map(Path::to_path_buf);
                frame.module_address = piece.address_in_file(self.pid, address);
            }
            None => frame.mark = Mark::NotCode,
        }
    }
}

impl Piece {
    fn new(mapping: &Mapping<'_>) -> Self {
        let is_file = mapping.path.starts_with(b"/");
        Self {
            start: mapping.start,
            end: mapping.end,
            offset: mapping.offset,
            file: is_file.then(|| Path::new(OsStr::from_bytes(mapping.path)).into()),
            segments: OnceCell::new(),
        }
    }

    fn address_in_file(&self, pid: u32, address: u64) -> Option<u64> {
        let path = self.file.as_deref()?;
        let read = || {
            let link = Path::new("/proc").join(pid.to_string()).join(Mapping::link_of(self.start, self.end));
            // A process that has ended has its path only.
            let file = File::open(link).or_else(|_| File::open(path)).ok()?;
            Segments::read(&file).ok()
        };
        let segments = self.segments.get_or_init(read).as_ref()?;
        segments.address(address - self.start + self.offset)
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
