//! Disks and what is asked of them, by name.

use std::ffi::OsStr;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::flags::{self, Flag};

/// The kernel's disks and partitions, a folder each.
const CLASS: &str = "/sys/class/block";

/// A disk, or a partition of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The disk's number, as the kernel keeps it: 20 bits of minor number.
    pub number: u32,
    /// The partition's sectors; none of a whole disk.
    pub sectors: Range<u64>,
}

/// `-d`, of tools that look at requests.
#[derive(Debug, Clone, clap::Args)]
pub struct DiskOption {
    /// Trace this disk or partition only, such as sda or nvme0n1p2
    #[arg(short, long, value_name = "DISK", value_parser = parse)]
    pub disk: Option<Disk>,
}

/// The disk or partition of a name, such as `sda`, `nvme0n1p2` or `/dev/sda`.
///
/// # Errors
/// A sentence: there is none of this name, or it does its I/O without requests.
pub fn parse(name: &str) -> Result<Disk, String> {
    let folder = folder(name)?;
    let partition = number(&folder, "partition").is_some();
    let disk = if partition { folder.parent().unwrap_or(&folder) } else { &folder };
    if !disk.join("mq").exists() {
        return Err(without_requests(disk));
    }
    let sectors = if partition {
        let (start, size) = (number(&folder, "start").unwrap_or(0), number(&folder, "size").unwrap_or(0));
        start..start + size
    } else {
        0..0
    };
    Ok(Disk { number: number_of(disk)?, sectors })
}

/// The number of an md array by its name, such as `md0`, `/dev/md0` or `/dev/md/home`.
///
/// # Errors
/// A sentence: there is none of this name.
pub fn parse_array(name: &str) -> Result<u32, String> {
    // mdadm(8) makes links to the devices.
    let linked = Path::new(name).canonicalize().ok().filter(|_| name.starts_with("/dev/"));
    let folder = folder(linked.as_deref().and_then(Path::to_str).unwrap_or(name))?;
    if !folder.join("md").exists() {
        return Err("this is no md array; /proc/mdstat has the names of all".into());
    }
    number_of(&folder)
}

/// The folder of a disk or partition, where the kernel says all about it.
fn folder(name: &str) -> Result<PathBuf, String> {
    // A name may have a slash, which is ! there: cciss/c0d0.
    let name = name.strip_prefix("/dev/").unwrap_or(name).replace('/', "!");
    let found = Path::new(CLASS).join(&name).canonicalize().ok().filter(|_| !name.starts_with('.') && !name.is_empty());
    found.ok_or_else(|| "no such disk; /sys/class/block has the names of all".to_string())
}

fn number_of(disk: &Path) -> Result<u32, String> {
    let text = fs::read_to_string(disk.join("dev")).ok();
    text.and_then(|text| device(text.trim())).ok_or_else(|| "its number cannot be read".into())
}

/// How many disks there are that have requests.
#[must_use]
pub fn count() -> usize {
    fs::read_dir("/sys/block").into_iter().flatten().flatten().filter(|disk| disk.path().join("mq").exists()).count()
}

fn number(folder: &Path, file: &str) -> Option<u64> {
    fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok()
}

/// `8:16` as the kernel keeps it.
fn device(text: &str) -> Option<u32> {
    let (major, minor) = text.split_once(':')?;
    Some(major.parse::<u32>().ok()? << 20 | minor.parse::<u32>().ok()?)
}

/// Why there is nothing to see of a disk, and where there is.
fn without_requests(disk: &Path) -> String {
    let mut below = Vec::new();
    disks_below(disk, &mut below);
    below.sort();
    below.dedup();
    let why = "this disk passes I/O on without requests of its own";
    if below.is_empty() { why.into() } else { format!("{why}; trace the disks below it: {}", below.join(", ")) }
}

/// Those that a disk of device mapper or md lies on, down to the ones with requests.
fn disks_below(disk: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(disk.join("slaves")).into_iter().flatten().flatten() {
        let path: PathBuf = entry.path().canonicalize().unwrap_or_else(|_| entry.path());
        let whole = if path.join("partition").exists() { path.parent().unwrap_or(&path) } else { &path };
        if whole.join("mq").exists() {
            found.push(path.file_name().unwrap_or(OsStr::new("")).to_string_lossy().replace('!', "/"));
        } else {
            disks_below(whole, found);
        }
    }
}

/// What a request asks for, `REQ_OP_*`: the low 8 bits of its flags.
const OPERATION: u32 = 0xff;

/// The operation of a request's flags (`cmd_flags`), in the words of BCC's biolatency.
#[must_use]
pub fn operation(flags: u32) -> &'static str {
    match flags & OPERATION {
        0 => "Read",
        1 => "Write",
        2 => "Flush",
        3 => "Discard",
        5 => "SecureErase",
        // request_flags() of block/request.bpf.h tells it from the next one, whose number it has up to 5.17.
        6 => "WriteSame",
        7 | 21 => "ZoneAppend",
        9 => "WriteZeroes",
        11 => "ZoneOpen",
        13 => "ZoneClose",
        15 => "ZoneFinish",
        17 => "ZoneReset",
        19 => "ZoneResetAll",
        32.. => "Passthrough",
        _ => "Unknown",
    }
}

/// The same as JSON has it, such as `write_zeroes`.
#[must_use]
pub fn operation_key(flags: u32) -> String {
    let mut key = String::new();
    for letter in operation(flags).chars() {
        if letter.is_uppercase() && !key.is_empty() {
            key.push('_');
        }
        key.push(letter.to_ascii_lowercase());
    }
    key
}

/// The same in a letter: `R`, `W`, `D` for a discard, `F` for a flush, `Z` for what is done to zones, `-` for others.
#[must_use]
pub fn letter(flags: u32) -> &'static str {
    match operation(flags) {
        "Read" => "R",
        "Write" | "WriteZeroes" | "WriteSame" | "ZoneAppend" => "W",
        "Discard" | "SecureErase" => "D",
        "Flush" => "F",
        "ZoneOpen" | "ZoneClose" | "ZoneFinish" | "ZoneReset" | "ZoneResetAll" => "Z",
        _ => "-",
    }
}

/// The error (errno) that a program sees where a request ends with a status (`blk_status_t`), as block/blk-core.c has them.
#[must_use]
pub fn status_errno(status: u32) -> i32 {
    match status {
        0 => 0,
        1 => libc::EOPNOTSUPP,
        2 => libc::ETIMEDOUT,
        3 => libc::ENOSPC,
        4 => libc::ENOLINK,
        5 => libc::EREMOTEIO,
        6 => libc::EBADE,
        7 => libc::ENODATA,
        8 => libc::EILSEQ,
        9 => libc::ENOMEM,
        12 => libc::EAGAIN,
        _ => libc::EIO,
    }
}

/// Flags that have the same number on all kernels: `enum req_flag_bits`.
const FLAGS: &[Flag] = &[
    (1 << 8, "FailFastDevice"),
    (1 << 9, "FailFastTransport"),
    (1 << 10, "FailFastDriver"),
    (1 << 11, "Sync"),
    (1 << 12, "Metadata"),
    (1 << 13, "Priority"),
    (1 << 14, "NoMerge"),
    (1 << 15, "Idle"),
    (1 << 16, "Integrity"),
    (1 << 17, "ForcedUnitAccess"),
    (1 << 18, "Preflush"),
    (1 << 19, "ReadAhead"),
    (1 << 20, "Background"),
    (1 << 21, "NoWait"),
];

/// A request's flags and its operation, as BCC writes them: `Sync-Metadata-Write`.
#[must_use]
pub fn flag_names(flags: u32) -> String {
    let bits = flags & !OPERATION;
    let names = if bits == 0 { String::new() } else { flags::names(bits.into(), FLAGS).replace('|', "-") + "-" };
    names + operation(flags)
}

#[cfg(test)]
mod tests {
    use super::{device, flag_names, operation_key, parse};

    #[test]
    fn flags_are_those_of_bcc() {
        assert_eq!(flag_names(0), "Read");
        assert_eq!(flag_names(0x1801), "Sync-Metadata-Write");
        assert_eq!(flag_names(34), "Passthrough");
        assert_eq!(operation_key(0x809), "write_zeroes");
    }

    #[test]
    fn what_is_no_disk_is_refused() {
        for name in ["", ".", "..", "no-such-disk", "/dev/", "../../devices", "/etc/passwd"] {
            assert!(parse(name).is_err_and(|sentence| sentence.contains("no such disk")), "{name}");
        }
    }

    #[test]
    fn numbers_are_the_kernels() {
        assert_eq!(device("8:17"), Some(0x80_0011));
        assert_eq!(device("8"), None);
    }
}
