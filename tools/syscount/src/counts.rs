//! The counts in the kernel, interval by interval.

use std::collections::HashMap;

use anyhow::{Context, Result};
use corescope::Value;
use corescope::libbpf_rs::{Map, MapCore, MapFlags};
use corescope::stream::event;
use corescope::syscalls::{self, Abi};

use crate::bpf::types::{syscount_count, syscount_cpu, syscount_place, syscount_process};

const COMPAT: u32 = syscount_place::SYSCOUNT_COMPAT.0;
const OTHER: u32 = syscount_place::SYSCOUNT_OTHER.0;

/// Calls, errors among them, and time where that is measured.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Count {
    pub(crate) calls: u64,
    pub(crate) errors: u64,
    pub(crate) total_ns: Option<u64>,
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

    pub(crate) fn name(self) -> Value<'static> {
        let name = self.call().and_then(|(abi, number)| syscalls::name(abi, number));
        name.map_or(Value::Missing, Value::from)
    }

    pub(crate) fn abi(self) -> Value<'static> {
        self.call().map_or(Value::Missing, |(abi, _)| abi.name().into())
    }

    pub(crate) fn number(self) -> Value<'static> {
        self.call().map_or(Value::Missing, |(_, number)| number.into())
    }

    /// What people read: `read`, `read (32-bit)`, `[480]`.
    pub(crate) fn text(self) -> String {
        let Some((abi, number)) = self.call() else { return "[other]".into() };
        let name = syscalls::name(abi, number).map_or_else(|| format!("[{number}]"), str::to_string);
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
}

/// Reads the maps.
pub(crate) struct Reader<'skel> {
    cpus: &'skel Map<'skel>,
    processes: Option<&'skel Map<'skel>>,
    latency: bool,
    before: HashMap<u32, Count>,
    /// Processes that have ended since the last output, and were taken from the map.
    ended: Vec<Row>,
}

impl<'skel> Reader<'skel> {
    /// By process, where there is a map of processes.
    pub(crate) fn new(cpus: &'skel Map<'skel>, processes: Option<&'skel Map<'skel>>, latency: bool) -> Self {
        Self { cpus, processes, latency, before: HashMap::new(), ended: Vec::new() }
    }

    /// What was counted since the last call.
    pub(crate) fn next(&mut self, time_ns: u64) -> Result<Vec<Row>> {
        let mut rows = match self.processes {
            Some(map) => self.by_process(map)?,
            None => self.by_call()?,
        };
        rows.append(&mut self.ended);
        rows.retain(|row| row.count.calls > 0);
        for row in &mut rows {
            row.time_ns = time_ns;
        }
        Ok(rows)
    }

    /// Takes processes that have ended from the map.
    pub(crate) fn make_room(&mut self) -> Result<()> {
        let Some(map) = self.processes else { return Ok(()) };
        for key in map.keys() {
            if let Some(row) = self.ended(map, &key)? {
                self.ended.push(row);
            }
        }
        Ok(())
    }

    fn by_call(&mut self) -> Result<Vec<Row>> {
        let mut sums = vec![Count::default(); syscount_place::SYSCOUNT_PLACES.0 as usize];
        for cpu in 0..self.cpus.max_entries() {
            let value = self.cpus.lookup(&cpu.to_ne_bytes(), MapFlags::ANY)?.context("an array lacks an element")?;
            let (cpu, _) = event::<syscount_cpu>(&value);
            sums.iter_mut().zip(&cpu.counts).for_each(|(sum, count)| sum.add(count));
        }
        let rows = (0..).zip(sums).map(|(place, sum)| self.row(place, Place(place), [0; 16], sum));
        Ok(rows.collect())
    }

    fn by_process(&mut self, map: &Map<'_>) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for key in map.keys() {
            if let Some(row) = self.ended(map, &key)? {
                rows.push(row);
            } else if let Some(process) = Process::read(map, &key)? {
                rows.push(self.row(process.pid, Place(OTHER), process.comm, process.sum));
            }
        }
        Ok(rows)
    }

    /// A process that has ended, and is forgotten with this.
    fn ended(&mut self, map: &Map<'_>, key: &[u8]) -> Result<Option<Row>> {
        if !Process::read(map, key)?.is_some_and(|process| process.ended) {
            return Ok(None);
        }
        // Once more, for now all CPUs have counted its last calls.
        let Some(process) = Process::read(map, key)? else { return Ok(None) };
        map.delete(key)?;
        let row = self.row(process.pid, Place(OTHER), process.comm, process.sum);
        self.before.remove(&process.pid);
        Ok(Some(row))
    }

    /// What is new in a sum.
    fn row(&mut self, key: u32, place: Place, comm: [u8; 16], sum: Count) -> Row {
        let before = self.before.insert(key, sum).unwrap_or_default();
        let total_ns = sum.total_ns.unwrap_or(0).saturating_sub(before.total_ns.unwrap_or(0));
        let count = Count {
            calls: sum.calls.saturating_sub(before.calls),
            errors: sum.errors.saturating_sub(before.errors),
            total_ns: self.latency.then_some(total_ns),
        };
        Row { time_ns: 0, place, pid: key, comm, count }
    }
}

impl Count {
    fn add(&mut self, other: &syscount_count) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.total_ns = Some(self.total_ns.unwrap_or(0) + other.total_ns);
    }
}

/// An element of the map of processes, summed over the CPUs.
struct Process {
    pid: u32,
    comm: [u8; 16],
    ended: bool,
    sum: Count,
}

impl Process {
    fn read(map: &Map<'_>, key: &[u8]) -> Result<Option<Self>> {
        let Some(values) = map.lookup_percpu(key, MapFlags::ANY)? else { return Ok(None) };
        let mut process =
            Self { pid: u32::from_ne_bytes(key.try_into()?), comm: [0; 16], ended: false, sum: Count::default() };
        let mut named_ns = 0;
        for value in &values {
            let (part, _) = event::<syscount_process>(value);
            process.sum.add(&part.count);
            process.ended |= part.ended != 0;
            if part.named_ns > named_ns {
                (process.comm, named_ns) = (part.comm, part.named_ns);
            }
        }
        Ok(Some(process))
    }
}
