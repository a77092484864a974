//! Types of modules behind the kernel's own. A module has a file of only those types that the kernel itself does not have:
//! their numbers and strings follow the kernel's (split BTF, Documentation/bpf/btf.rst).

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{Btf, Bytes, HEADER, MAGIC, MEMBER, Names, Type, kind};

/// Where the kernel shows its own types and each module's.
pub(crate) const FOLDER: &str = "/sys/kernel/btf";

impl Btf<'static> {
    /// The types of a file and those of modules in one, of which types of these names are wanted. All are in memory: a tool
    /// that asks for modules takes some megabytes more.
    ///
    /// # Errors
    /// A file cannot be read, or is damaged.
    pub(crate) fn read_with_modules(path: &Path, modules: &[String], names: Names) -> Result<Self> {
        let whole = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        let kernel = whole(path)?;
        let base = Btf::of(&kernel).with_context(|| format!("{} is damaged", path.display()))?;
        let last = u32::try_from(base.iter().count())?;
        let (mut types, mut strings) = (kernel[base.types.clone()].to_vec(), kernel[base.strings.clone()].to_vec());
        let (own_strings, mut id) = (u32::try_from(strings.len())?, last);
        for module in modules {
            let path = Path::new(FOLDER).join(module);
            let bytes = whole(&path)?;
            let part = Btf::of(&bytes).with_context(|| format!("{} is damaged", path.display()))?;
            // What is the kernel's keeps its number; what is the module's follows what is there already.
            let ids = Shift { from: last, by: id - last };
            let places = Shift { from: own_strings - 1, by: u32::try_from(strings.len())? - own_strings };
            for found in part.iter() {
                write(&part, &found, ids, places, &mut types);
                id += 1;
            }
            strings.extend_from_slice(&bytes[part.strings.clone()]);
        }
        let mut all = Self::parse(Bytes::Owned(file(&types, &strings)?), names)?;
        all.last = last;
        Ok(all)
    }
}

/// Moves numbers above a limit.
#[derive(Clone, Copy)]
struct Shift {
    from: u32,
    by: u32,
}

impl Shift {
    fn of(self, number: u32) -> u32 {
        if number > self.from { number + self.by } else { number }
    }
}

fn file(types: &[u8], strings: &[u8]) -> Result<Vec<u8>> {
    const FILE_HEADER: u32 = 24;
    let (types_length, strings_length) = (u32::try_from(types.len())?, u32::try_from(strings.len())?);
    let mut bytes = Vec::with_capacity(types.len() + strings.len() + 24);
    bytes.extend(MAGIC.to_ne_bytes());
    bytes.extend([1, 0]); // version, flags
    for number in [FILE_HEADER, 0, types_length, types_length, strings_length] {
        bytes.extend(number.to_ne_bytes());
    }
    bytes.extend(types);
    bytes.extend(strings);
    Ok(bytes)
}

/// A copy of a module's type with the numbers of the whole.
fn write(part: &Btf<'_>, found: &Type, ids: Shift, places: Shift, to: &mut Vec<u8>) {
    let start = to.len();
    to.extend_from_slice(&part.bytes.part(found.start..found.end).unwrap_or_default());
    let mut change = |offset: usize, shift: Shift| {
        if let Some(word) = to.get_mut(start + offset..).and_then(<[u8]>::first_chunk_mut) {
            *word = shift.of(u32::from_ne_bytes(*word)).to_ne_bytes();
        }
    };
    change(0, places);
    let each = |size: usize| (0..found.count).map(move |index| HEADER + index * size);
    match found.kind {
        kind::PTR
        | kind::TYPEDEF
        | kind::VOLATILE
        | kind::CONST
        | kind::RESTRICT
        | kind::TYPE_TAG
        | kind::FUNC
        | kind::VAR
        | kind::DECL_TAG => change(8, ids),
        kind::ARRAY => {
            change(HEADER, ids);
            change(HEADER + 4, ids);
        }
        kind::STRUCT | kind::UNION => each(MEMBER).for_each(|member| {
            change(member, places);
            change(member + 4, ids);
        }),
        kind::FUNC_PROTO => {
            change(8, ids);
            each(8).for_each(|parameter| {
                change(parameter, places);
                change(parameter + 4, ids);
            });
        }
        kind::DATASEC => each(MEMBER).for_each(|variable| change(variable, ids)),
        kind::ENUM => each(8).for_each(|value| change(value, places)),
        kind::ENUM64 => each(MEMBER).for_each(|value| change(value, places)),
        _ => (),
    }
}

#[cfg(test)]
mod tests {
    use super::{Btf, FOLDER, Names, kind};
    use crate::kernel::BTF;
    use std::fs;

    /// Modules that are loaded and show types of their own, two at most.
    fn modules() -> Vec<String> {
        let files = fs::read_dir(FOLDER)
            .expect("a kernel with BTF")
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut modules: Vec<String> = files.filter(|name| name != "vmlinux").collect();
        modules.sort();
        modules.truncate(2);
        modules
    }

    #[test]
    fn types_of_modules_follow_the_kernels_own() {
        let names = Names::of(["task_struct"]);
        let own = Btf::read(BTF.as_ref(), names.clone()).expect("a kernel with BTF");
        let modules = modules();
        let all = Btf::read_with_modules(BTF.as_ref(), &modules, names.clone()).expect("the same and more");
        let (own_count, count) = (own.iter().count(), all.iter().count());
        assert_eq!(all.last as usize, own_count);
        assert!(if modules.is_empty() { count == own_count } else { count > own_count }, "{modules:?}");
        assert!(own.subset(&names) == all.subset(&names));
        // What a module's functions are of is a prototype, wherever that is.
        for function in all.iter().skip(own_count).filter(|found| found.kind == kind::FUNC) {
            assert!(!all.is_own(&function) && !all.name(&function).is_empty());
            assert_eq!(all.get(function.target).map(|found| found.kind), Some(kind::FUNC_PROTO));
        }
    }
}
