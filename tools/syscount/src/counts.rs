//! The counts in the kernel, interval by interval.

use anyhow::Result;
use corescope::Value;
use corescope::libbpf_rs::Map;
use corescope::read::sum_of_cpus;
use corescope::read::sums::{Counters, Growth, Sums};
use corescope::syscalls::{self, Abi};

use crate::bpf::types::{syscount_count as Count, syscount_cpu, syscount_place, syscount_process};

const COMPAT: u32 = syscount_place::SYSCOUNT_COMPAT.0;
const OTHER: u32 = syscount_place::SYSCOUNT_OTHER.0;

impl Counters for syscount_cpu {}
impl Counters for syscount_process {
    const COUNTED: usize = size_of::<Count>() / 8;
}

/// Where a system call is counted: `enum syscount_place` of bpf/syscount.bpf.c.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(u32);

impl Place {
    /// That of the system call of this name.
    pub(crate) fn named(abi: Abi, name: &str) -> Option<u32> {
        let first = if abi == Abi::Compat { COMPAT } else { 0 };
        syscalls::number(abi, name).map(|number| first + number)
    }

    fn call(self) -> Option<(Abi, u32)> {
        match self.0 {
            OTHER => None,
            native if native < COMPAT => Some((Abi::Native, native)),
            compat => Some((Abi::Compat, compat - COMPAT)),
        }
    }

    pub(crate) fn name(self) -> Option<&'static str> {
        self.call().and_then(|(abi, number)| syscalls::name(abi, number))
    }

    pub(crate) fn abi(self) -> Option<&'static str> {
        self.call().map(|(abi, _)| abi.name())
    }

    pub(crate) fn number(self) -> Option<u32> {
        self.call().map(|(_, number)| number)
    }

    /// What people read: `read`, `read (32-bit)`, `[480]`.
    pub(crate) fn text(self) -> String {
        let Some((abi, number)) = self.call() else { return "[other]".into() };
        let name = self.name().map_or_else(|| format!("[{number}]"), str::to_string);
        if abi == Abi::Compat { format!("{name} (32-bit)") } else { name }
    }
}

/// What was counted of one system call or of one process.
pub(crate) struct Row {
    pub(crate) time_ns: u64,
    pub(crate) place: Place,
    pub(crate) pid: u32,
    pub(crate) comm: [u8; 16],
    pub(crate) count: Count,
    /// Whether the time was measured.
    pub(crate) timed: bool,
}

impl Row {
    /// What rows are sorted by: the most first.
    pub(crate) fn amount(&self) -> u64 {
        if self.timed { self.count.total_ns } else { self.count.calls }
    }

    pub(crate) fn time(&self, per: u64, decimals: usize) -> Value<'_> {
        self.timed.then_some(Value::Scaled { raw: self.count.total_ns, per, decimals }).into()
    }
}

/// The maps, as they were at the last reading.
pub(crate) struct Reader<'skel> {
    cpus: &'skel Map<'skel>,
    processes: Option<&'skel Map<'skel>>,
    timed: bool,
    calls: Growth<syscount_cpu>,
    sums: Sums<u32, syscount_process>,
}

impl<'skel> Reader<'skel> {
    /// By process, where there is a map of processes.
    pub(crate) fn new(cpus: &'skel Map<'skel>, processes: Option<&'skel Map<'skel>>, timed: bool) -> Self {
        Self { cpus, processes, timed, calls: Growth::default(), sums: Sums::default() }
    }

    /// What was counted since the last call.
    pub(crate) fn next(&mut self, time_ns: u64) -> Result<Vec<Row>> {
        let timed = self.timed;
        let row = |place, pid, comm, count| Row { time_ns, place: Place(place), pid, comm, count, timed };
        let Some(map) = self.processes else {
            let calls = self.calls.take(sum_of_cpus(self.cpus)?);
            let rows = (0..).zip(calls.counts).filter(|(_, count)| count.calls > 0);
            return Ok(rows.map(|(place, count)| row(place, 0, [0; 16], count)).collect());
        };
        let all = self.sums.take(map, |_, process| process.ended != 0)?;
        Ok(all.into_iter().map(|(pid, process)| row(OTHER, pid, process.comm, process.count)).collect())
    }

    /// Takes processes that have ended from the map.
    pub(crate) fn make_room(&mut self) -> Result<()> {
        self.processes.map_or(Ok(()), |map| self.sums.make_room(map, |_, process| process.ended != 0))
    }
}
