//! BPF iterators: a program that the kernel runs once for each of its sockets, files or tasks.

use std::io::{ErrorKind, Read};

use anyhow::{Context, Result};
use libbpf_rs::{Iter, Link};

/// How much is asked for at once: the kernel fills up to 32 KiB before it returns.
const CHUNK: usize = 32 * 1024;

/// Runs the iterator once and appends the records that its program wrote.
///
/// # Errors
/// The kernel refuses the iterator or ends it early.
pub fn read<Record: plain::Plain + Copy + Default>(link: &Link, records: &mut Vec<Record>) -> Result<()> {
    let mut iterator = Iter::new(link).context("cannot start a BPF iterator")?;
    let mut buffer = vec![0; CHUNK];
    let mut filled = 0;
    loop {
        match iterator.read(&mut buffer[filled..]) {
            Ok(0) => return Ok(()),
            Ok(count) => filled += count,
            // After a million objects that the program wrote nothing of, the kernel asks for another call.
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => continue,
            Err(error) => return Err(error).context("cannot read a BPF iterator"),
        }
        let whole = filled - filled % size_of::<Record>();
        for bytes in buffer[..whole].chunks_exact(size_of::<Record>()) {
            let mut record = Record::default();
            // Both have the same size, and the copy needs no alignment.
            if record.copy_from_bytes(bytes).is_ok() {
                records.push(record);
            }
        }
        buffer.copy_within(whole..filled, 0);
        filled -= whole;
    }
}
