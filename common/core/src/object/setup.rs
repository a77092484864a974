//! A BPF object between opening and loading.

use std::cell::OnceCell;
use std::fs;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use libbpf_rs::{AsRawLibbpf, Map, MapCore, MapFlags, MapHandle, Object, OpenObject, libbpf_sys};

use super::cgroup;
use crate::kernel::Types;
use crate::kernel::btf::{Btf, MODULES as FOLDER, Names};
use crate::kernel::section::Section;

/// The object that is being set up, and what is to be done once it is loaded.
#[derive(Debug)]
pub struct Setup<'a> {
    object: &'a mut OpenObject,
    btf: Option<&'a Path>,
    modules: Vec<String>,
    symbols: Vec<String>,
    types: OnceCell<(Types, Names)>,
    inner: Vec<(&'static str, MapHandle)>,
    cgroup: Option<PathBuf>,
}

/// What is left to do when the object is loaded.
#[derive(Debug)]
pub(crate) struct Rest {
    inner: Vec<(&'static str, MapHandle)>,
    cgroup: Option<PathBuf>,
}

impl<'a> Setup<'a> {
    pub(crate) fn of(object: &'a mut OpenObject, btf: Option<&'a Path>) -> Self {
        Self {
            object,
            btf,
            modules: Vec::new(),
            symbols: Vec::new(),
            types: OnceCell::new(),
            inner: Vec::new(),
            cgroup: None,
        }
    }

    /// Takes along the types of a module: its structs can be read and its functions and tracepoints be attached to, as if they
    /// were the kernel's own. Gives whether the module is there and shows its types, which modules do from 5.11 on; what is
    /// built in is among the kernel's own types. To be called before the types are asked anything.
    ///
    /// libbpf looks for types in modules only where it was given no file of types, and here it always is
    /// (`btf_vmlinux_override` in libbpf.c): so the file has the modules' as well.
    pub fn use_module(&mut self, name: &str) -> bool {
        let is_there = Path::new(FOLDER).join(name).exists();
        if is_there && !self.modules.iter().any(|known| known == name) {
            self.modules.push(name.into());
            self.types = OnceCell::new();
        }
        is_there
    }

    /// For a module that shows no types, as up to 5.10: lets kprobes be at functions that it has by its symbols. Nothing of a
    /// module that is not loaded or built in.
    pub fn use_symbols(&mut self, module: &str) {
        if Path::new("/sys/module").join(module).join("initstate").exists() {
            let symbols = fs::read_to_string("/proc/kallsyms").unwrap_or_default();
            self.symbols.extend(symbols.lines().filter_map(|line| symbol_of(line, module)).map(String::from));
        }
    }

    /// Whether that gave a function of this name.
    pub(super) fn has_symbol(&self, name: &str) -> bool {
        self.symbols.iter().any(|symbol| symbol == name)
    }

    /// The kernel's types, which are read at the first call.
    ///
    /// # Errors
    /// There are none to read.
    pub fn types(&self) -> Result<&Types> {
        self.types_and_names().map(|(types, _)| types)
    }

    /// With the names of those that the object's own types mention.
    fn types_and_names(&self) -> Result<&(Types, Names)> {
        if let Some(both) = self.types.get() {
            return Ok(both);
        }
        let mentioned = self.mentioned()?;
        let mut names = mentioned.clone();
        for name in self.progs().filter_map(|program| Section::of(program.section().to_str()?).telling_type()) {
            names.add(name);
        }
        let types = Types::read_for(self.btf, &self.modules, names)?;
        Ok(self.types.get_or_init(|| (types, mentioned)))
    }

    /// The kernel's types that those of the object mention, as BTF.
    pub(crate) fn mentioned_types(&self) -> Result<Vec<u8>> {
        let (types, mentioned) = self.types_and_names()?;
        Ok(types.subset(mentioned))
    }

    fn mentioned(&self) -> Result<Names> {
        // SAFETY: the object lives as long as `self`, and its BTF as long as the object.
        let own = unsafe {
            let btf = libbpf_sys::bpf_object__btf(self.object.as_libbpf_object().as_ptr());
            let mut size = 0;
            let bytes = libbpf_sys::btf__raw_data(btf, &raw mut size);
            ensure!(!bytes.is_null(), "the BPF object has no types");
            std::slice::from_raw_parts(bytes.cast(), size as usize)
        };
        Ok(Btf::of(own).context("the BPF object's types")?.mentioned())
    }

    /// Makes `map` the only inner map of the object's array of maps called `array`, once that exists.
    ///
    /// libbpf's own way to use a map that exists already gives the object's map that map's name, which the skeleton
    /// does not expect.
    pub fn insert_when_loaded(&mut self, array: &'static str, map: MapHandle) {
        self.inner.push((array, map));
    }

    /// Follows the cgroup at a path for the filter of bpf/include/task/filter.bpf.h.
    pub(crate) fn follow_when_loaded(&mut self, path: PathBuf) {
        self.cgroup = Some(path);
    }

    /// What is left to do when the object is loaded.
    pub(crate) fn into_rest(self) -> Rest {
        Rest { inner: self.inner, cgroup: self.cgroup }
    }
}

/// The function of a line of /proc/kallsyms, if it is one of the module: `ffffffffc000b030 t virtqueue_add_sgs\t[virtio_ring]`.
fn symbol_of<'a>(line: &'a str, module: &str) -> Option<&'a str> {
    let (rest, of) = line.split_once("\t[")?;
    let [_, kind, name] = rest.split(' ').collect::<Vec<_>>()[..] else { return None };
    (of.strip_suffix(']') == Some(module) && kind.eq_ignore_ascii_case("t")).then_some(name)
}

/// A map of a loaded object.
///
/// # Errors
/// It has none of this name.
pub(crate) fn map_of<'obj>(object: &'obj Object, name: &str) -> Result<Map<'obj>> {
    let found = object.maps().find(|map| map.name() == name);
    found.with_context(|| format!("the BPF object has no map `{name}`"))
}

impl Rest {
    /// Does it.
    ///
    /// # Errors
    /// The kernel refuses an inner map, or does not share the memory of a map.
    pub(crate) fn finish(self, object: &Object) -> Result<()> {
        for (array, map) in &self.inner {
            map_of(object, array)?.update(
                &0u32.to_ne_bytes(),
                &map.as_fd().as_raw_fd().to_ne_bytes(),
                MapFlags::ANY,
            )?;
        }
        self.cgroup.map_or(Ok(()), |path| cgroup::follow(object, path))
    }
}

impl Deref for Setup<'_> {
    type Target = OpenObject;

    fn deref(&self) -> &OpenObject {
        self.object
    }
}

impl DerefMut for Setup<'_> {
    fn deref_mut(&mut self) -> &mut OpenObject {
        self.object
    }
}

#[cfg(test)]
mod tests {
    use super::symbol_of;

    #[test]
    fn functions_of_a_module_by_its_symbols() {
        let line = "ffffffffc000bee0 t virtqueue_add_sgs\t[virtio_ring]";
        assert_eq!(symbol_of(line, "virtio_ring"), Some("virtqueue_add_sgs"));
        assert_eq!(symbol_of(line, "virtio"), None);
        assert_eq!(symbol_of("ffffffffc000bee0 d table\t[virtio_ring]", "virtio_ring"), None);
        assert_eq!(symbol_of("ffffffff81889540 t virtqueue_add_split", "virtio_ring"), None);
    }
}
