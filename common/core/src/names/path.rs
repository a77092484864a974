//! Paths that the kernel side walked: bpf/include/call/path.bpf.h gives names from the innermost out.

/// Where a walk ended: `enum path_end`, as the test below has it.
const ROOT: u32 = 1;
const OUTSIDE: u32 = 2;
const PSEUDO: u32 = 3;
const CUT: u32 = 4;

/// Joins the names of a walk that ended with `end` to a path, and `tail`, which starts there; nothing where the kernel
/// found no such file.
///
/// As the kernel does, a path that the process cannot reach starts with `(unreachable)`; one that was cut starts with
/// `...`, and what lies in no folder is `FILESYSTEM:NAME`, as `sockfs:TCP`.
#[must_use]
pub fn join(names: &[u8], end: u32, tail: &[u8]) -> Option<Vec<u8>> {
    let names = names.strip_suffix(b"\0").map(|names| names.split(|byte| *byte == 0).rev());
    let names: Vec<&[u8]> = names.map(Iterator::collect).unwrap_or_default();
    let mut path = match end {
        ROOT => Vec::new(),
        OUTSIDE => b"(unreachable)".to_vec(),
        CUT => b"...".to_vec(),
        PSEUDO => names.join(&b':'),
        _ => return None,
    };
    let names = if end == PSEUDO { Vec::new() } else { names };
    for name in names.into_iter().chain((!tail.is_empty()).then_some(tail)) {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    if path.is_empty() {
        path.push(b'/');
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::{CUT, OUTSIDE, PSEUDO, ROOT, join};

    fn joined(names: &[u8], end: u32, tail: &[u8]) -> Option<String> {
        join(names, end, tail).map(|path| String::from_utf8_lossy(&path).into_owned())
    }

    #[test]
    fn ends_are_those_of_the_kernel_side() {
        let ends = corescope_testing::headers::enumerators("call/path.bpf.h", "path_end");
        let named = [ROOT, OUTSIDE, PSEUDO, CUT].map(|end| ends[end as usize].as_str());
        assert_eq!(named, ["PATH_ROOT", "PATH_OUTSIDE", "PATH_PSEUDO", "PATH_CUT"]);
    }

    #[test]
    fn names_are_turned_round() {
        assert_eq!(joined(b"lib\0usr\0", ROOT, b"").as_deref(), Some("/usr/lib"));
        assert_eq!(joined(b"lib\0usr\0", ROOT, b"a/../b").as_deref(), Some("/usr/lib/a/../b"));
        assert_eq!(joined(b"", ROOT, b"").as_deref(), Some("/"));
        assert_eq!(joined(b"", ROOT, b"etc").as_deref(), Some("/etc"));
    }

    #[test]
    fn what_is_elsewhere_says_so() {
        assert_eq!(joined(b"a\0", OUTSIDE, b"b").as_deref(), Some("(unreachable)/a/b"));
        assert_eq!(joined(b"y\0x\0", CUT, b"z").as_deref(), Some(".../x/y/z"));
        assert_eq!(joined(b"TCP\0sockfs\0", PSEUDO, b"").as_deref(), Some("sockfs:TCP"));
        assert_eq!(joined(b"\0pipefs\0", PSEUDO, b"").as_deref(), Some("pipefs:"));
        assert_eq!(joined(b"memfd:x\0tmpfs\0", PSEUDO, b"rel").as_deref(), Some("tmpfs:memfd:x/rel"));
        assert_eq!(joined(b"", 0, b"b"), None);
    }
}
