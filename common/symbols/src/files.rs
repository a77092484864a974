//! Files that processes execute, kept open: what is deleted, or seen only in another mount namespace, cannot be found by its path
//! once the process has ended.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::rc::{Rc, Weak};

use corescope::attach::Mapping;

/// How many are kept open. Processes share most of theirs.
const MOST: usize = 256;

/// Those that somebody still has, by device and inode.
#[derive(Debug, Default)]
pub(crate) struct Files {
    open: HashMap<Box<[u8]>, Weak<File>>,
}

impl Files {
    /// The file of a mapping of this process; none if it may not be opened, or if there are too many.
    pub(crate) fn keep(&mut self, pid: u32, mapping: &Mapping<'_>) -> Option<Rc<File>> {
        let key = [mapping.device, b" ", mapping.inode].concat().into_boxed_slice();
        if let Some(file) = self.open.get(&key).and_then(Weak::upgrade) {
            return Some(file);
        }
        if self.open.len() >= MOST {
            self.open.retain(|_, file| file.strong_count() > 0);
        }
        if self.open.len() >= MOST {
            return None;
        }
        let file = Rc::new(File::open(Path::new("/proc").join(pid.to_string()).join(mapping.link())).ok()?);
        self.open.insert(key, Rc::downgrade(&file));
        Some(file)
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::{Files, MOST};
    use corescope::attach::Mapping;

    #[test]
    fn a_file_is_opened_once_and_closed_with_its_last_owner() {
        let maps = std::fs::read("/proc/self/maps").expect("this test");
        let own = Mapping::all(&maps).find(|mapping| mapping.executable && mapping.path.starts_with(b"/"));
        let own = own.expect("this test");
        let mut files = Files::default();
        let keep = |files: &mut Files, inode: &str| {
            files.keep(std::process::id(), &Mapping { inode: inode.as_bytes(), ..own }).map(|file| Rc::as_ptr(&file))
        };
        let file = files.keep(std::process::id(), &own).expect("a file");
        let again = files.keep(std::process::id(), &own).expect("a file");
        assert!(Rc::ptr_eq(&file, &again));
        // The others are closed at once, and make room.
        for other in 0..2 * MOST {
            assert!(keep(&mut files, &format!("none {other}")).is_some());
        }
        let kept: Vec<_> = (0..MOST)
            .map(|other| files.keep(std::process::id(), &Mapping { inode: format!("kept {other}").as_bytes(), ..own }))
            .collect();
        assert!(kept.last().is_some_and(Option::is_none));
        drop((kept, again));
        assert_eq!(Rc::strong_count(&file), 1);
    }
}
