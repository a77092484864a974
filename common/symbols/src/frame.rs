//! One line of a stack.

use std::path::PathBuf;

/// A function that was running, or was waiting for another one that it had called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// The instruction, or the one to return to.
    pub address: u64,
    /// The function's name, demangled; none if it is not known.
    pub symbol: Option<String>,
    /// Bytes from the function's start to `address`.
    pub offset: u64,
    /// The executable, library or kernel module that it belongs to.
    pub module: Option<PathBuf>,
    /// Without a symbol, the address in the file of that module, as objdump and addr2line have it.
    pub module_address: Option<u64>,
    /// What is special in it.
    pub mark: Mark,
    /// File and line of the source, where they were asked for and are known.
    pub source: Option<(PathBuf, u32)>,
}

/// What is special in a frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mark {
    /// Nothing: it was called.
    #[default]
    None,
    /// Its code lies within that of the next frame.
    Inlined,
    /// It lies in no code of its process: whatever the address was taken from, it was no frame.
    NotCode,
}

impl Frame {
    /// A frame of which just the address is known.
    #[must_use]
    pub fn unknown(address: u64) -> Self {
        Self { address, ..Self::default() }
    }
}
