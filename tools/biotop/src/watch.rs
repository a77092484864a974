//! The sums in the kernel, interval by interval.

use std::collections::HashMap;

use anyhow::Result;
use corescope::cgroup;
use corescope::libbpf_rs::Map;
use corescope::read::sums::{Sums, process_is_gone};
use corescope_tui::Span;

use crate::bpf::types::{biotop_key as Key, biotop_sum as Sum};
use crate::row::{Row, id_of};

/// A row stays on the live screen for as many intervals as its history has.
const STAYS: u32 = 20;

/// A row, and for how many intervals nothing has come.
struct Kept {
    row: Row,
    idle: u32,
    /// Whether its process has ended, and with an interval in between nothing came that was still on its way.
    over: bool,
}

impl Kept {
    fn rest(&mut self, span: Span) {
        self.over = self.over || (self.idle > 0 && process_is_gone(self.row.pid().unwrap_or(0)));
        self.idle += 1;
        self.row.rest(span);
    }
}

pub(crate) struct Watch<'skel> {
    map: &'skel Map<'skel>,
    sums: Sums<Key, Sum>,
    kept: HashMap<u64, Kept>,
}

impl<'skel> Watch<'skel> {
    pub(crate) fn new(map: &'skel Map<'skel>) -> Self {
        Self { map, sums: Sums::default(), kept: HashMap::new() }
    }

    /// What came in an interval, and the rows before in which nothing did.
    pub(crate) fn rows(&mut self, span: Span) -> Result<Vec<Row>> {
        self.kept.values_mut().for_each(|kept| kept.rest(span));
        let is_over = |key: &Key, _: &Sum| self.kept.get(&id_of(key)).is_some_and(|kept| kept.over);
        for (key, sum) in self.sums.take(self.map, is_over)? {
            let cgroup = (key.cgroup != 0).then(|| cgroup::path(key.cgroup));
            let row = Row::new(span, &key, sum, cgroup);
            self.kept.insert(id_of(&key), Kept { row, idle: 0, over: false });
        }
        self.kept.retain(|_, kept| kept.idle <= STAYS || !kept.over);
        Ok(self.kept.values().filter(|kept| kept.idle <= STAYS).map(|kept| kept.row.clone()).collect())
    }
}
