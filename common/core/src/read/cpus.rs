//! Counters that each CPU keeps for itself.

use anyhow::{Context, Result};
use libbpf_rs::{MapCore, MapFlags, MapType};

use super::sums::{Counters, parse};

/// What all CPUs have counted: of an array with an element for each CPU, or of the one element of an array per CPU.
///
/// # Errors
/// The kernel does not give the map's elements, or they are not of this type.
pub fn sum_of_cpus<Value: Counters>(map: &impl MapCore) -> Result<Value> {
    const MISSING: &str = "an array lacks an element";
    if map.map_type() == MapType::PercpuArray {
        let values = map.lookup_percpu(&0u32.to_ne_bytes(), MapFlags::ANY)?.context(MISSING)?;
        return sum(values.iter().map(|value| parse(value)));
    }
    let element = |cpu: u32| parse(&map.lookup(&cpu.to_ne_bytes(), MapFlags::ANY)?.context(MISSING)?);
    sum((0..map.max_entries()).map(element))
}

/// Adds values of several CPUs.
pub(crate) fn sum<Value: Counters>(values: impl Iterator<Item = Result<Value>>) -> Result<Value> {
    let mut sum = Value::default();
    for value in values {
        sum.add(&value?);
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    #[test]
    fn values_of_cpus_add_up() {
        assert_eq!(super::sum([1u64, 2, 3].into_iter().map(Ok)).expect("three values"), 6);
        assert_eq!(super::sum::<u64>(std::iter::empty()).expect("no value"), 0);
    }
}
