//! Copies of a library that processes use, wherever they are: in other mount namespaces, or deleted since.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// A file of which a process has code mapped.
#[derive(Debug)]
pub struct Library {
    /// Its path, as that process sees it.
    pub path: PathBuf,
    /// The very file, whatever its path means here.
    pub file: File,
}

/// Looks for files by name among what processes have mapped. Each is found once.
#[derive(Debug)]
pub struct Libraries {
    wanted: fn(&[u8]) -> bool,
    seen: HashSet<Identity>,
}

/// Device and inode number, as /proc/PID/maps has them.
type Identity = (Vec<u8>, Vec<u8>);

impl Libraries {
    /// Files whose name, without its folders, is `wanted`.
    #[must_use]
    pub fn new(wanted: fn(&[u8]) -> bool) -> Self {
        Self { wanted, seen: HashSet::new() }
    }

    /// Those that were not found before. It takes a look at each process, some tens of microseconds.
    ///
    /// Files of processes that end meanwhile, or that this process may not look at, are left out.
    pub fn look(&mut self) -> Vec<Library> {
        let processes = fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let processes = processes.filter(|path| path.file_name().is_some_and(|name| is_number(name.as_bytes())));
        processes.flat_map(|process| self.of(&process)).collect()
    }

    fn of(&mut self, process: &Path) -> Vec<Library> {
        let maps = fs::read(process.join("maps")).unwrap_or_default();
        let mut found = Vec::new();
        for mapping in maps.split(|byte| *byte == b'\n').filter_map(Mapping::parse) {
            let wanted = mapping.executable && (self.wanted)(mapping.name());
            if wanted && !self.seen.contains(&mapping.identity()) {
                // Not by /proc/PID/root and the path: that is another file, or none, once this one is deleted.
                let Ok(file) = File::open(process.join("map_files").join(mapping.range())) else { continue };
                self.seen.insert(mapping.identity());
                found.push(Library { path: OsString::from_vec(mapping.path.to_vec()).into(), file });
            }
        }
        found
    }
}

fn is_number(name: &[u8]) -> bool {
    name.iter().all(u8::is_ascii_digit)
}

/// A line of /proc/PID/maps (proc_pid_maps(5)): `7f3c5a600000-7f3c5a628000 r-xp 00026000 fe:01 1234   /usr/lib/libc.so.6`.
struct Mapping<'a> {
    range: &'a [u8],
    executable: bool,
    device: &'a [u8],
    inode: &'a [u8],
    path: &'a [u8],
}

impl<'a> Mapping<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = line.splitn(6, |byte| *byte == b' ');
        let (range, permissions, _, device, inode) =
            (fields.next()?, fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let path = fields.next()?.trim_ascii_start();
        let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
        Some(Self { range, executable: permissions.get(2) == Some(&b'x'), device, inode, path })
    }

    /// The last part of the path.
    fn name(&self) -> &'a [u8] {
        self.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }

    fn identity(&self) -> Identity {
        (self.device.to_vec(), self.inode.to_vec())
    }

    /// As the link in /proc/PID/map_files is called: without leading zeros.
    fn range(&self) -> String {
        let text = String::from_utf8_lossy(self.range);
        let short = |number: &str| {
            let digits = number.trim_start_matches('0');
            if digits.is_empty() { "0".to_string() } else { digits.to_string() }
        };
        text.split('-').map(short).collect::<Vec<_>>().join("-")
    }
}

#[cfg(test)]
mod tests {
    use super::Mapping;

    #[test]
    fn a_mapping_is_taken_apart() {
        let line = b"00400000-0044c000 r-xp 00026000 fe:01 1234                   /opt/a b/libc.so.6 (deleted)";
        let mapping = Mapping::parse(line).expect("a mapping");
        assert_eq!((mapping.range().as_str(), mapping.executable), ("400000-44c000", true));
        assert_eq!((mapping.name(), mapping.path), (&b"libc.so.6"[..], &b"/opt/a b/libc.so.6"[..]));
        assert_eq!(mapping.identity(), (b"fe:01".to_vec(), b"1234".to_vec()));
        assert!(Mapping::parse(b"7ffe0000-7ffe1000 rw-p 00000000 00:00 0").is_none());
        assert!(Mapping::parse(b"").is_none());
    }
}
