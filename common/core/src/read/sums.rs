//! Counters in maps: what each key's have grown by since the last reading.
//!
//! The kernel side only adds, and nothing is ever reset: no count can fall between two readings.
//!
//! ```no_run
//! use corescope::read::sums::{Counters, Sums};
//! # #[derive(Clone, Copy, Default)]
//! # #[repr(C)]
//! # struct Reads { calls: u64, bytes: u64 }
//! # // SAFETY: integers only.
//! # unsafe impl corescope::plain::Plain for Reads {}
//! # fn of(map: &corescope::libbpf_rs::Map<'_>) -> corescope::Result<()> {
//! impl Counters for Reads {}
//! let mut sums = Sums::<u32, Reads>::default();
//! for (pid, reads) in sums.take(map, |pid, _| corescope::read::sums::process_is_gone(*pid))? {
//!     println!("{pid} {} {}", reads.calls, reads.bytes);
//! }
//! # Ok(())
//! # }
//! ```

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};
use libbpf_rs::{MapCore, MapFlags, MapType};
use plain::Plain;

const WORD: usize = size_of::<u64>();

/// A value of counters, as the kernel side keeps it.
pub trait Counters: Plain + Copy + Default {
    /// How many of its first words count. What follows describes the key, and is taken as it is: of what several CPUs keep
    /// of one key the greatest, so that its first word is best when it was written.
    const COUNTED: usize = size_of::<Self>() / WORD;

    /// Whether anything was counted.
    fn is_zero(&self) -> bool {
        counted(self).iter().all(|byte| *byte == 0)
    }

    /// What has come since `earlier`.
    #[must_use]
    fn since(mut self, earlier: &Self) -> Self {
        each_word(&mut self, earlier, u64::wrapping_sub);
        self
    }

    /// Adds what another CPU has counted.
    fn add(&mut self, other: &Self) {
        let (own, others) = (described(self).to_vec(), described(other));
        let newer = words(others).gt(words(&own));
        each_word(self, other, u64::wrapping_add);
        if newer {
            let others = others.to_vec();
            bytes_mut(self)[Self::COUNTED * WORD..].copy_from_slice(&others);
        }
    }
}

impl Counters for u64 {}

fn bytes<Value: Plain>(value: &Value) -> &[u8] {
    // SAFETY: `Plain` promises a type without padding or pointers.
    unsafe { plain::as_bytes(value) }
}

fn bytes_mut<Value: Plain>(value: &mut Value) -> &mut [u8] {
    // SAFETY: as above, and any bytes are a value.
    unsafe { plain::as_mut_bytes(value) }
}

fn counted<Value: Counters>(value: &Value) -> &[u8] {
    &bytes(value)[..Value::COUNTED * WORD]
}

fn described<Value: Counters>(value: &Value) -> &[u8] {
    &bytes(value)[Value::COUNTED * WORD..]
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.as_chunks::<WORD>().0.iter().map(|word| u64::from_ne_bytes(*word))
}

fn each_word<Value: Counters>(value: &mut Value, other: &Value, operation: fn(u64, u64) -> u64) {
    let others = counted(other).to_vec();
    let own = &mut bytes_mut(value)[..Value::COUNTED * WORD];
    for (word, other) in own.as_chunks_mut::<WORD>().0.iter_mut().zip(words(&others)) {
        *word = operation(u64::from_ne_bytes(*word), other).to_ne_bytes();
    }
}

/// A value from the bytes that the kernel gave.
///
/// # Errors
/// They are fewer than the value has.
pub(crate) fn parse<Value: Plain + Default>(from: &[u8]) -> Result<Value> {
    let mut value = Value::default();
    value.copy_from_bytes(from).ok().context("a map's entries are smaller than they should be")?;
    Ok(value)
}

/// One value of counters, as it was at the last reading.
#[derive(Debug, Default)]
pub struct Growth<Value> {
    last: Value,
}

impl<Value: Counters> Growth<Value> {
    /// What has come since the last call.
    pub fn take(&mut self, now: Value) -> Value {
        let growth = now.since(&self.last);
        self.last = now;
        growth
    }
}

/// A map of counters by key, as it was at the last reading. Values of a map per CPU are added up.
#[derive(Debug)]
pub struct Sums<Key, Value> {
    last: HashMap<Box<[u8]>, Value>,
    /// Keys that have left the map since the last reading.
    gone: Vec<(Key, Value)>,
}

impl<Key, Value> Default for Sums<Key, Value> {
    fn default() -> Self {
        Self { last: HashMap::new(), gone: Vec::new() }
    }
}

impl<Key: Plain + Default, Value: Counters> Sums<Key, Value> {
    /// What each key's counters have grown by since the last call, of those that have. A key that is `gone` leaves the map,
    /// with what was last counted for it.
    ///
    /// # Errors
    /// The kernel does not give the map's entries, or they are not of these types.
    pub fn take(&mut self, map: &impl MapCore, gone: impl Fn(&Key, &Value) -> bool) -> Result<Vec<(Key, Value)>> {
        let grown = self.take_some(map, gone, true)?;
        let mut all = std::mem::take(&mut self.gone);
        all.extend(grown);
        Ok(all)
    }

    /// Takes keys that are `gone` out of the map, to make room for others: they are among those of the next output.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn make_room(&mut self, map: &impl MapCore, gone: impl Fn(&Key, &Value) -> bool) -> Result<()> {
        let grown = self.take_some(map, gone, false)?;
        self.gone.extend(grown);
        Ok(())
    }

    fn take_some(
        &mut self,
        map: &impl MapCore,
        gone: impl Fn(&Key, &Value) -> bool,
        others: bool,
    ) -> Result<Vec<(Key, Value)>> {
        let mut grown = Vec::new();
        for (bytes, mut now) in entries::<Value>(map)? {
            let key: Key = parse(&bytes)?;
            let is_gone = gone(&key, &now);
            if !is_gone && !others {
                continue;
            }
            if is_gone {
                // Once more: by now all CPUs have counted the last of it.
                now = entry(map, &bytes)?.unwrap_or(now);
                // That it is gone already would be no harm.
                let _ = map.delete(&bytes);
            }
            let before = if is_gone { self.last.remove(&bytes[..]) } else { self.last.insert(bytes.into(), now) };
            let growth = now.since(&before.unwrap_or_default());
            if !growth.is_zero() {
                grown.push((key, growth));
            }
        }
        Ok(grown)
    }

    /// The keys that are in the map, each with what was counted for it so far.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn all(map: &impl MapCore) -> Result<Vec<(Key, Value)>> {
        entries(map)?.into_iter().map(|(key, value)| Ok((parse(&key)?, value))).collect()
    }
}

fn is_per_cpu(map: &impl MapCore) -> bool {
    matches!(map.map_type(), MapType::PercpuHash | MapType::PercpuArray | MapType::LruPercpuHash)
}

/// All entries of a map. They are read before anything is taken out of it: where the key that was read last is gone, the
/// kernel begins again with the first one.
fn entries<Value: Counters>(map: &impl MapCore) -> Result<Vec<(Vec<u8>, Value)>> {
    const WHAT: &str = "cannot read a map of counters";
    if !is_per_cpu(map) {
        // All in one batch: the kernel ends one early if the next bucket does not fit, and libbpf-rs takes any that is not
        // full for the last one.
        let all = map.lookup_batch(map.max_entries(), MapFlags::ANY, MapFlags::ANY).context(WHAT)?;
        return all.map(|(key, value)| Ok((key, parse(&value)?))).collect();
    }
    let keys: Vec<Vec<u8>> = map.keys().collect();
    let values = keys.into_iter().map(|key| Ok(entry(map, &key)?.map(|value| (key, value))));
    values.filter_map(Result::transpose).collect()
}

/// The value of a key, if it is there.
fn entry<Value: Counters>(map: &impl MapCore, key: &[u8]) -> Result<Option<Value>> {
    if !is_per_cpu(map) {
        return map.lookup(key, MapFlags::ANY)?.map(|value| parse(&value)).transpose();
    }
    let Some(values) = map.lookup_percpu(key, MapFlags::ANY)? else { return Ok(None) };
    super::cpus::sum(values.iter().map(|value| parse(value))).map(Some)
}

/// Whether there is no process or thread of this id any more.
#[must_use]
pub fn process_is_gone(id: u32) -> bool {
    !Path::new(&format!("/proc/{id}")).exists()
}

/// Whether the process has no thread of this id any more.
#[must_use]
pub fn thread_is_gone(pid: u32, tid: u32) -> bool {
    !Path::new(&format!("/proc/{pid}/task/{tid}")).exists()
}

#[cfg(test)]
mod tests {
    use super::{Counters, Growth};

    #[derive(Debug, Clone, Copy, Default, PartialEq)]
    #[repr(C)]
    struct Named {
        calls: u64,
        errors: u64,
        named_ns: u64,
        name: [u8; 8],
    }
    // SAFETY: integers only, without padding.
    unsafe impl plain::Plain for Named {}
    impl Counters for Named {
        const COUNTED: usize = 2;
    }

    fn named(calls: u64, errors: u64, named_ns: u64, name: [u8; 8]) -> Named {
        Named { calls, errors, named_ns, name }
    }

    #[test]
    fn counters_are_subtracted_and_names_are_not() {
        let now = named(7, 3, 9, *b"now     ");
        assert_eq!(now.since(&named(5, 3, 8, *b"before  ")), named(2, 0, 9, *b"now     "));
        assert!(named(0, 0, 9, *b"now     ").is_zero() && !now.is_zero());
    }

    #[test]
    fn of_several_names_the_last_one_counts() {
        let mut sum = named(1, 0, 9, *b"newer   ");
        sum.add(&named(2, 1, 8, *b"older   "));
        assert_eq!(sum, named(3, 1, 9, *b"newer   "));
        sum.add(&named(0, 0, 10, *b"newest  "));
        assert_eq!(sum, named(3, 1, 10, *b"newest  "));
    }

    #[test]
    fn growth_is_what_came_since() {
        let mut growth = Growth::default();
        assert_eq!([5u64, 7, 7].map(|now| growth.take(now)), [5, 2, 0]);
    }
}
