//! What a process has mapped.

use std::path::PathBuf;

/// A line of /proc/PID/maps (proc_pid_maps(5)): `7f3c5a600000-7f3c5a628000 r-xp 00026000 fe:01 1234   /usr/lib/libc.so.6`.
#[derive(Debug, Clone, Copy)]
pub struct Mapping<'a> {
    /// Its first address.
    pub start: u64,
    /// The one behind its last.
    pub end: u64,
    /// Whether it is code.
    pub executable: bool,
    /// The place in the file where it starts, in bytes.
    pub offset: u64,
    /// Device and inode of the file, as they are written there.
    pub device: &'a [u8],
    /// See [`Self::device`].
    pub inode: &'a [u8],
    /// The file as the process sees it; `[heap]` and the like where there is none, and nothing for memory without a name.
    pub path: &'a [u8],
}

impl<'a> Mapping<'a> {
    /// All that are in the text of a /proc/PID/maps, by their addresses.
    pub fn all(maps: &'a [u8]) -> impl Iterator<Item = Self> {
        maps.split(|byte| *byte == b'\n').filter_map(Self::parse)
    }

    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = line.splitn(6, |byte| *byte == b' ');
        let (range, permissions, offset, device, inode) =
            (fields.next()?, fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let path = fields.next().unwrap_or_default().trim_ascii_start();
        let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
        let (start, end) = std::str::from_utf8(range).ok()?.split_once('-')?;
        let offset = hexadecimal(std::str::from_utf8(offset).ok()?)?;
        let executable = permissions.get(2) == Some(&b'x');
        Some(Self { start: hexadecimal(start)?, end: hexadecimal(end)?, executable, offset, device, inode, path })
    }

    /// The last part of the path.
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        self.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }

    /// The link to the very file, whatever its path means here, from /proc/PID on.
    #[must_use]
    pub fn link(&self) -> PathBuf {
        Self::link_of(self.start, self.end)
    }

    /// The same of what is mapped from `start` up to `end`.
    #[must_use]
    pub fn link_of(start: u64, end: u64) -> PathBuf {
        format!("map_files/{start:x}-{end:x}").into()
    }
}

fn hexadecimal(digits: &str) -> Option<u64> {
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::Mapping;
    use std::path::Path;

    #[test]
    fn a_mapping_is_taken_apart() {
        let line = b"00400000-0044c000 r-xp 00026000 fe:01 1234                   /opt/a b/libc.so.6 (deleted)";
        let mapping = Mapping::parse(line).expect("a mapping");
        assert_eq!((mapping.start, mapping.end, mapping.offset), (0x40_0000, 0x44_c000, 0x2_6000));
        assert_eq!((mapping.link().as_path(), mapping.executable), (Path::new("map_files/400000-44c000"), true));
        assert_eq!((mapping.name(), mapping.path), (&b"libc.so.6"[..], &b"/opt/a b/libc.so.6"[..]));
        assert_eq!((mapping.device, mapping.inode), (&b"fe:01"[..], &b"1234"[..]));
    }

    #[test]
    fn memory_without_a_file_has_no_name() {
        let all: Vec<_> = Mapping::all(b"7ffe0000-7ffe1000 rwxp 00000000 00:00 0\n\n").collect();
        assert_eq!((all.len(), all[0].executable, all[0].name()), (1, true, &b""[..]));
    }
}
