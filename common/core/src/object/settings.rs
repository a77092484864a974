//! Settings of a BPF object before it is loaded, by name: shared headers declare them, so no tool's skeleton type is
//! involved.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::ops::Deref;

use anyhow::{Context, Result, ensure};
use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::{DataSec, Var};
use libbpf_rs::{AsRawLibbpf, OpenMapMut, OpenObject, num_possible_cpus};

use super::setup::Setup;

/// What a constant of a BPF object can be set to.
pub trait Setting {
    /// As the object holds it.
    fn bytes(&self) -> Cow<'_, [u8]>;
}

macro_rules! numbers {
    ($($number:ty),*) => {
        $(impl Setting for $number {
            fn bytes(&self) -> Cow<'_, [u8]> {
                Cow::Owned(self.to_ne_bytes().to_vec())
            }
        }

        impl<const LENGTH: usize> Setting for [$number; LENGTH] {
            fn bytes(&self) -> Cow<'_, [u8]> {
                Cow::Owned(self.iter().flat_map(|number| number.to_ne_bytes()).collect())
            }
        })*
    };
}
numbers!(u8, u16, u32, u64, i32, i64);

impl Setting for bool {
    fn bytes(&self) -> Cow<'_, [u8]> {
        Cow::Owned(vec![u8::from(*self)])
    }
}

impl Setup<'_> {
    /// Sets the constant `name`.
    ///
    /// # Errors
    /// The object has no constant of that name and size: the tool and its BPF program do not belong together.
    pub fn set(&mut self, name: &str, value: impl Setting) -> Result<()> {
        let value = value.bytes();
        let offset = offset(self, name, value.len()).with_context(|| format!("the BPF object has no `{name}`"))?;
        let mut rodata = self
            .maps_mut()
            .find(|map| map.name().to_str().is_some_and(|name| name.ends_with(".rodata")))
            .context("the BPF object has no constants")?;
        let bytes = rodata.initial_value_mut().context("the BPF object's constants have no value")?;
        bytes[offset..offset + value.len()].copy_from_slice(&value);
        Ok(())
    }

    /// Loads a program only if `wanted`: where the options do not need it, or the kernel cannot have it, it is left out.
    ///
    /// # Errors
    /// The object has no program of this name.
    pub fn load_if(&mut self, program: &str, wanted: bool) -> Result<()> {
        let mut found = self.progs_mut().find(|candidate| candidate.name() == program);
        found.as_mut().with_context(|| format!("the BPF object has no program `{program}`"))?.set_autoload(wanted);
        Ok(())
    }

    /// A map.
    ///
    /// # Errors
    /// The object has no map of this name.
    pub fn map_mut(&mut self, name: &str) -> Result<OpenMapMut<'_>> {
        let found = self.maps_mut().find(|map| map.name() == name);
        found.with_context(|| format!("the BPF object has no map `{name}`"))
    }

    /// Sizes a map.
    ///
    /// # Errors
    /// The object has no map of this name, or the map cannot have that size.
    pub fn size(&mut self, map: &str, entries: u32) -> Result<()> {
        self.map_mut(map)?.set_max_entries(entries).map_err(Into::into)
    }

    /// Gives a map an element for each CPU that there may be.
    ///
    /// # Errors
    /// As [`size`](Self::size).
    pub fn size_per_cpu(&mut self, map: &str) -> Result<()> {
        self.size(map, u32::try_from(num_possible_cpus()?)?)
    }

    /// Makes no such map: no program that is loaded refers to it.
    ///
    /// # Errors
    /// The object has no map of this name.
    pub fn leave_out(&mut self, map: &str) -> Result<()> {
        self.map_mut(map)?.set_autocreate(false).map_err(Into::into)
    }

    /// Makes room for `room` bytes behind each event, where those are known only now (`EVENTS` of
    /// bpf/include/event/events.bpf.h).
    ///
    /// # Errors
    /// The object has no events.
    pub fn set_room(&mut self, room: u64) -> Result<()> {
        let declared = self.constant("event_room")?;
        self.set("event_room", room)?;
        let mut scratch = self.map_mut("scratch")?;
        let size = u64::from(scratch.value_size()) - declared + room;
        scratch.set_value_size(u32::try_from(size)?).map_err(Into::into)
    }

    /// What a constant of 64 bits is so far.
    fn constant(&self, name: &str) -> Result<u64> {
        let offset = offset(self, name, size_of::<u64>())?;
        let rodata = self.maps().find(|map| map.name().to_str().is_some_and(|name| name.ends_with(".rodata")));
        let bytes = rodata.as_ref().and_then(|map| map.initial_value()).context("the BPF object has no constants")?;
        Ok(u64::from_ne_bytes(bytes[offset..offset + size_of::<u64>()].try_into()?))
    }

    /// How many bytes the largest event has, with what follows its struct; 0 where the object builds its events elsewhere.
    #[must_use]
    pub fn largest_event(&self) -> u64 {
        let scratch = self.maps().find(|map| map.name() == "scratch");
        scratch.map_or(0, |map| u64::from(map.value_size()).saturating_sub(size_of::<u64>() as u64))
    }
}

/// Where a constant is among the others, if it is there and has `size` bytes.
fn offset(open: &OpenObject, name: &str, size: usize) -> Result<usize> {
    // SAFETY: the object lives as long as `open`, and the BTF is dropped before.
    let object = unsafe { open.as_libbpf_object().as_ref() };
    let btf = Btf::from_bpf_object(object)?.context("it has no BTF")?;
    let section = btf.type_by_name::<DataSec<'_>>(".rodata").context("it has no constants")?;
    let found = section.iter().find(|variable| {
        btf.type_by_id::<Var<'_>>(variable.ty).is_some_and(|found| found.deref().name() == Some(OsStr::new(name)))
    });
    let found = found.context("no such constant")?;
    ensure!(found.size == size, "`{name}` has {} bytes, not {size}", found.size);
    Ok(found.offset as usize)
}
