//! A victim, as it is printed.

use std::fs;

use corescope::{Column, Value, event, kernel};

use crate::bpf::types::oomkill_event as Event;

/// Of the kernel's counts of pages, which is which.
const FILE: usize = 0;
const ANONYMOUS: usize = 1;
const SWAP: usize = 2;
const SHARED: usize = 3;
/// `enum oom_constraint` of the kernel.
const CONSTRAINTS: [&str; 4] = ["none", "cpuset", "mempolicy", "memcg"];
const MEMCG: u32 = 3;

/// A victim, and the load of the system when it is printed.
pub(crate) struct Kill {
    event: Event,
    names: Vec<u8>,
    load: String,
    page: u64,
}

pub(crate) const COLUMNS: &[Column<Kill>] = corescope::columns![Kill;
    TIME: "When the victim was chosen" => |kill| Value::Time(kill.event.time_ns),
    PID: "Process that requested the memory" => |kill| kill.event.pid.into(),
    COMM: "Its name" => |kill| Value::c_string(&kill.event.comm),
    TPID: "Process that is killed: the victim" => |kill| kill.event.victim_pid.into(),
    TCOMM: "Name of the victim" => |kill| Value::c_string(&kill.event.victim_comm),
    "UID" left 6 "tuid" number: "Real user id of the victim" => |kill| kill.event.victim_uid.into(),
    "PAGES" right 9 "limit_pages" number: "Pages of memory and swap that may be used where it ran out; null if unknown" =>
        |kill| kill.search(kill.event.search_pages),
    "RSS(KB)" right 9 "rss_bytes" number: "Memory that the victim has mapped: the sum of the next three" =>
        |kill| Value::Scaled { raw: kill.bytes(&[ANONYMOUS, FILE, SHARED]), per: 1024, decimals: 0 },
    json "anon_rss_bytes" number: "Anonymous memory of the victim" => |kill| kill.bytes(&[ANONYMOUS]).into(),
    json "file_rss_bytes" number: "Files that the victim has mapped and are in memory" => |kill| kill.bytes(&[FILE]).into(),
    json "shmem_rss_bytes" number: "Shared memory that the victim has mapped" => |kill| kill.bytes(&[SHARED]).into(),
    json "swap_bytes" number: "Memory of the victim that is swapped out" => |kill| kill.bytes(&[SWAP]).into(),
    json "pgtables_bytes" number: "Page tables of the victim" => |kill| kill.event.pgtables_bytes.into(),
    json "total_vm_bytes" number: "Address space of the victim" =>
        |kill| (kill.event.total_vm_pages * kill.page).into(),
    json "oom_score_adj" number: "How much likelier it was to be chosen, from -1000 to 1000" =>
        |kill| kill.event.victim_score_adj.into(),
    text "LOADAVG" left 14: "Load of the last 1, 5 and 15 minutes" => |kill| Value::Words(kill.loads().collect()),
    json "loadavg_1m" number: "Load of the last minute" => |kill| kill.average(0),
    json "loadavg_5m" number: "Load of the last 5 minutes" => |kill| kill.average(1),
    json "loadavg_15m" number: "Load of the last 15 minutes" => |kill| kill.average(2),
    json "constraint" text: "Where it ran out: memcg, cpuset, mempolicy, or none for the whole system; null if unknown" =>
        |kill| kill.constraint(),
    json "oom_cgroup" text: "The cgroup that is at its limit if constraint is memcg, or null" => |kill| kill.searched(),
    CGROUP: "Memory cgroup of the victim, from the root of its hierarchy" => |kill| kill.path(kill.event.level),
];

impl Kill {
    /// The event of a record and the names behind it.
    pub(crate) fn new(record: &[u8]) -> Self {
        let (event, mut names) = event::<Event>(record);
        let names = names.take(event.names_len).to_vec();
        // The one thing that is of the time when it is printed.
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self { event: *event, names, load, page: kernel::page_size() }
    }

    fn bytes(&self, kinds: &[usize]) -> u64 {
        kinds.iter().map(|kind| self.event.rss_pages[*kind]).sum::<u64>() * self.page
    }

    /// What is known only where the search was seen, and nothing where it ended before it began.
    fn search<'a>(&self, value: impl Into<Value<'a>>) -> Value<'a> {
        if self.event.search_pages == 0 { Value::Missing } else { value.into() }
    }

    fn constraint(&self) -> Value<'_> {
        CONSTRAINTS.get(self.event.constraint as usize).map_or(Value::Missing, |name| self.search(*name))
    }

    fn searched(&self) -> Value<'_> {
        if self.event.constraint == MEMCG { self.search(self.path(self.event.search_level)) } else { Value::Missing }
    }

    /// The path of the cgroup at a level on the way from the root to the victim's.
    fn path(&self, level: u32) -> Value<'_> {
        Value::Text(path(&self.names, self.event.level as usize, level as usize).into())
    }

    /// The three averages at the start of /proc/loadavg.
    fn loads(&self) -> impl Iterator<Item = &[u8]> {
        self.load.split_whitespace().take(3).map(str::as_bytes)
    }

    fn average(&self, index: usize) -> Value<'_> {
        let number = self.load.split_whitespace().nth(index).and_then(|word| word.replace('.', "").parse().ok());
        number.map_or(Value::Missing, |raw| Value::Fixed { raw, decimals: 2 })
    }
}

/// The path of a cgroup at `level`, from the names on the way up from one that is at level `from`, each with its NUL. An
/// ellipsis stands for names at the top that are not among them.
fn path(names: &[u8], from: usize, level: usize) -> Vec<u8> {
    let mut names: Vec<&[u8]> = names.split(|byte| *byte == 0).filter(|name| !name.is_empty()).collect();
    names.reverse();
    let mut path = if names.len() < from { b".../".to_vec() } else { b"/".to_vec() };
    let wanted = (names.len() + level).saturating_sub(from);
    path.extend(names[..wanted.min(names.len())].join(&b'/'));
    path
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn paths_start_at_the_root() {
        assert_eq!(path(b"", 0, 0), b"/");
        assert_eq!(path(b"service\0slice\0", 2, 2), b"/slice/service");
        assert_eq!(path(b"service\0slice\0", 2, 1), b"/slice");
        assert_eq!(path(b"service\0slice\0", 2, 0), b"/");
    }

    #[test]
    fn what_is_too_deep_lacks_its_start() {
        assert_eq!(path(b"c\0b\0", 3, 3), b".../b/c");
        assert_eq!(path(b"c\0b\0", 3, 2), b".../b");
        assert_eq!(path(b"c\0b\0", 3, 0), b".../");
    }
}
