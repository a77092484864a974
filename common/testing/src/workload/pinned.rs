//! Sets of ids in a pinned BPF map, as BCC's --cgroupmap and --mntnsmap take them.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr;

use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType, libbpf_sys};

use crate::Scratch;

/// A pinned map, in a BPF file system of its own that is gone at the end.
#[derive(Debug)]
pub struct PinnedIds {
    scratch: Scratch,
}

impl PinnedIds {
    /// Pins a hash map that has these keys.
    pub fn new(ids: &[u64]) -> Self {
        let pinned = Self { scratch: Scratch::new("pinned") };
        let folder = pinned.folder();
        // SAFETY: the strings end in NUL.
        let failed = unsafe { libc::mount(c"bpf".as_ptr(), folder.as_ptr(), c"bpf".as_ptr(), 0, ptr::null()) };
        assert_eq!(failed, 0, "no BPF file system: {}", std::io::Error::last_os_error());
        let mut options = libbpf_sys::bpf_map_create_opts::default();
        options.sz = size_of_val(&options) as libbpf_sys::size_t;
        let map = MapHandle::create(MapType::Hash, Some("cs_ids"), 8, 4, 64, &options);
        let mut map = map.expect("a map");
        for id in ids {
            map.update(&id.to_ne_bytes(), &1u32.to_ne_bytes(), MapFlags::ANY).expect("room");
        }
        map.pin(pinned.path()).expect("a BPF file system");
        pinned
    }

    /// The pinned map.
    pub fn path(&self) -> PathBuf {
        self.scratch.join("ids")
    }

    fn folder(&self) -> CString {
        CString::new(self.scratch.path().as_os_str().as_bytes()).expect("no NUL in a path")
    }
}

impl Drop for PinnedIds {
    fn drop(&mut self) {
        // SAFETY: the string ends in NUL.
        unsafe { libc::umount2(self.folder().as_ptr(), libc::MNT_DETACH) };
    }
}
