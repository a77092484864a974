//! Settings of a BPF object before it is loaded, by name: shared headers declare them, so no tool's skeleton type is
//! involved.

use std::ffi::OsStr;
use std::ops::Deref;

use anyhow::{Context, Result, ensure};
use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::{DataSec, Var};
use libbpf_rs::{AsRawLibbpf, OpenObject};

/// Sets the constant `name` of an object that is not loaded yet.
///
/// # Errors
/// The object has no constant of that name and size: the tool and its BPF program do not belong together.
pub fn set<Value: plain::Plain>(open: &mut OpenObject, name: &str, value: Value) -> Result<()> {
    // SAFETY: `Plain` promises a type without padding or pointers, of which any bytes are a value.
    set_bytes(open, name, unsafe { plain::as_bytes(&value) })
}

/// Sets a constant that is an array of bytes.
///
/// # Errors
/// As [`set`].
pub fn set_bytes(open: &mut OpenObject, name: &str, value: &[u8]) -> Result<()> {
    let offset = offset(open, name, value.len()).with_context(|| format!("the BPF object has no `{name}`"))?;
    let mut rodata = open
        .maps_mut()
        .find(|map| map.name().to_str().is_some_and(|name| name.ends_with(".rodata")))
        .context("the BPF object has no constants")?;
    let bytes = rodata.initial_value_mut().context("the BPF object's constants have no value")?;
    bytes[offset..offset + value.len()].copy_from_slice(value);
    Ok(())
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

/// Prevents the loading of a program that the options do not need or the kernel cannot have.
///
/// # Panics
/// The object has no program of this name.
pub fn set_autoload(open: &mut OpenObject, program: &str, load: bool) {
    let mut found = open.progs_mut().find(|candidate| candidate.name() == program);
    found.as_mut().expect("a program of the object").set_autoload(load);
}

/// Sizes a map.
///
/// # Errors
/// The object has no map of this name, or the map cannot have that size.
pub fn set_max_entries(open: &mut OpenObject, map: &str, entries: u32) -> Result<()> {
    let mut found = open.maps_mut().find(|candidate| candidate.name() == map);
    let map = found.as_mut().with_context(|| format!("the BPF object has no map `{map}`"))?;
    map.set_max_entries(entries).map_err(Into::into)
}

/// Makes room for `room` bytes behind each event of `event` bytes, where those are known only now (`EVENTS` of
/// bpf/include/events.bpf.h).
///
/// # Errors
/// The object has no events.
pub fn set_room(open: &mut OpenObject, event: usize, room: usize) -> Result<()> {
    set(open, "event_room", u64::try_from(room)?)?;
    let mut found = open.maps_mut().find(|candidate| candidate.name() == "scratch");
    // The number of its users stands before the event.
    let size = u32::try_from(size_of::<u64>() + event + room)?;
    found.as_mut().context("the BPF object has no events")?.set_value_size(size).map_err(Into::into)
}
