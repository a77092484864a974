//! The sums that the kernel side keeps, read at the end of each interval.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};
use corescope::libbpf_rs::{MapCore, MapFlags};
use corescope::plain::Plain;

use crate::bpf::types::{offcputime_key as Key, offcputime_sum as Sum};

/// Sums are read this many at a time.
const BATCH: u32 = 4096;

/// What a thread lost with a pair of stacks in one interval.
pub(crate) struct Row {
    pub(crate) key: Key,
    pub(crate) total_ns: u64,
    pub(crate) count: u64,
}

/// The sums as they were at the last reading.
#[derive(Default)]
pub(crate) struct Sums {
    last: HashMap<Vec<u8>, (u64, u64)>,
}

impl Sums {
    /// Whose sums there are.
    pub(crate) fn keys(map: &impl MapCore) -> Result<Vec<Key>> {
        map.lookup_batch(BATCH, MapFlags::ANY, MapFlags::ANY)
            .context("cannot read the sums")?
            .map(|(key, _)| parse(&key))
            .collect()
    }

    /// What came since the last reading, the least first.
    ///
    /// The map is read while the kernel side adds to it. Nothing is taken out, so nothing that is added meanwhile can
    /// get lost; but for a long run the sums of threads that have ended, to which nothing is added any more, make room.
    pub(crate) fn read(&mut self, map: &impl MapCore) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        let mut now = HashMap::new();
        for (key, sum) in map.lookup_batch(BATCH, MapFlags::ANY, MapFlags::ANY).context("cannot read the sums")? {
            let (parsed, sum) = (parse::<Key>(&key)?, parse::<Sum>(&sum)?);
            let (last_ns, last_count) = self.last.get(&key).copied().unwrap_or_default();
            let row = Row { key: parsed, total_ns: sum.total_ns - last_ns, count: sum.count - last_count };
            if row.total_ns > 0 {
                rows.push(row);
            } else if has_ended(&parsed) {
                // That it is gone already would be no harm.
                let _ = map.delete(&key);
                continue;
            }
            now.insert(key, (sum.total_ns, sum.count));
        }
        self.last = now;
        rows.sort_by_key(|row| row.total_ns);
        Ok(rows)
    }
}

fn parse<T: Plain + Copy>(bytes: &[u8]) -> Result<T> {
    corescope::plain::from_bytes(bytes).copied().ok().context("the map's entries are not what they should be")
}

fn has_ended(key: &Key) -> bool {
    !Path::new(&format!("/proc/{}/task/{}", key.pid, key.tid)).exists()
}
