//! oomkill against processes that take more memory than there is.

use std::{env, fs};

use corescope_testing::workload::{Cgroup, Hunger, Oom};
use corescope_testing::{Seen, Tool};
use serde_json::{Value, json};

/// A prime number, so that no product of something else hits it by chance.
const RUNS: u64 = 13;

/// What is known of the search only where its start can be seen.
fn search(value: impl Into<Value>) -> Value {
    if corescope::kernel::has_kprobes() { value.into() } else { Value::Null }
}

/// A number of bytes in a file of /proc.
fn bytes(file: &str, key: &str) -> u64 {
    let text = fs::read_to_string(file).expect("a file of /proc");
    let line = text.lines().find_map(|line| line.strip_prefix(key)).expect("a line of that name");
    line.trim_end_matches(" kB").trim().parse::<u64>().expect("a number") * 1024
}

fn number(row: &Value, key: &str) -> u64 {
    row[key].as_u64().unwrap_or_else(|| panic!("no number {key}: {row}"))
}

fn rows(seen: &Seen) -> Vec<&Value> {
    seen.rows_with("tcomm", "cs-oom")
}

#[test]
fn every_victim_is_a_row() {
    let group = Cgroup::new("cs-oomkill");
    let oom = Oom::within(group.path());
    let own = bytes("/proc/self/smaps_rollup", "Rss:");
    let tool = Tool::start("oomkill", &[]);
    let hunger = Hunger { uid: 65534, score_adj: c"77", ..Hunger::default() };
    let pids: Vec<u32> = (0..RUNS)
        .map(|_| {
            let hungry = oom.start(&hunger);
            let pid = hungry.pid();
            hungry.killed();
            pid
        })
        .collect();
    let seen = tool.stop();
    assert_eq!(oom.kills(), RUNS);
    let rows = rows(&seen);
    assert_eq!(rows.len(), pids.len(), "{}", seen.messages);
    assert_eq!(seen.lost(), 0);
    for (row, pid) in rows.iter().zip(pids) {
        assert_eq!((&row["tpid"], &row["pid"], &row["comm"]), (&json!(pid), &json!(pid), &json!("cs-oom")));
        assert_eq!((&row["tuid"], &row["oom_score_adj"]), (&json!(65534), &json!(77)));
        assert_eq!(row["limit_pages"], search(Oom::LIMIT / 4096), "{row}");
        assert_eq!(row["constraint"], search("memcg"));
        assert_eq!(row["oom_cgroup"], search(oom.path()));
        assert_eq!(row["cgroup"], oom.path());
        // The limit holds for the memory of the kernel as well, and not for what is shared with this process.
        let rss = number(row, "rss_bytes");
        assert!((Oom::LIMIT / 2..=Oom::LIMIT + own).contains(&rss), "{rss} with {own}");
        assert!(number(row, "total_vm_bytes") > hunger.bytes as u64);
        assert!((4096..Oom::LIMIT).contains(&number(row, "pgtables_bytes")));
        assert!(row["loadavg_1m"].is_number() && row["loadavg_15m"].is_number());
    }
}

#[test]
fn who_asked_and_who_is_killed() {
    // Not a multiple of what CPUs or threads count for themselves before they add it to the sum.
    const TAKEN: usize = (3 << 20) + 13 * 4096;
    let group = Cgroup::new("cs-oomkill");
    let oom = Oom::within(group.path());
    let tool = Tool::start("oomkill", &[]);
    let hunger = Hunger { bytes: TAKEN, ..Hunger::default() };
    let victim = oom.start(&Hunger { score_adj: c"1000", ..hunger });
    victim.sated();
    let pid = victim.pid();
    let anonymous = bytes(&format!("/proc/{pid}/smaps_rollup"), "Anonymous:");
    let asking = oom.start(&Hunger { name: c"cs-asks", score_adj: c"-1000", ..hunger });
    victim.killed();
    asking.sated();
    let seen = tool.stop();
    let rows = rows(&seen);
    assert_eq!(rows.len(), 1, "{}", seen.messages);
    assert_eq!(rows[0]["tpid"], pid);
    assert_eq!((&rows[0]["pid"], &rows[0]["comm"]), (&json!(asking.pid()), &json!("cs-asks")));
    // It did nothing any more since: there is no doubt about its memory.
    assert!(anonymous >= TAKEN as u64);
    assert_eq!(rows[0]["anon_rss_bytes"], anonymous);
    let parts = ["anon_rss_bytes", "file_rss_bytes", "shmem_rss_bytes"];
    assert_eq!(rows[0]["rss_bytes"], parts.iter().map(|part| number(rows[0], part)).sum::<u64>());
}

#[test]
fn victims_of_other_cgroups_are_left_out() {
    let groups = [Cgroup::new("cs-oomkill"), Cgroup::new("cs-oomkill-other")];
    let oom = Oom::within(groups[0].path());
    for (group, expected) in groups.iter().zip([RUNS, 0]) {
        let tool = Tool::start("oomkill", &["--cgroup", group.path_str()]);
        for _ in 0..RUNS {
            oom.kill();
        }
        let seen = tool.stop();
        seen.assert_all(seen.rows().count(), usize::try_from(expected).expect("a small number"));
    }
}

#[test]
fn a_cgroup_that_is_killed_as_a_whole() {
    let group = Cgroup::new("cs-oomkill");
    let oom = Oom::within(group.path());
    if !oom.kill_all() {
        return;
    }
    let tool = Tool::start("oomkill", &[]);
    let bystander = oom.start(&Hunger { bytes: 4096, name: c"cs-oom-by", ..Hunger::default() });
    bystander.sated();
    let by = bystander.pid();
    let pid = oom.kill();
    bystander.killed();
    let seen = tool.stop();
    let mut victims: Vec<u64> = seen.rows_with("pid", pid).iter().map(|row| number(row, "tpid")).collect();
    victims.sort_unstable();
    assert_eq!(victims, [u64::from(by.min(pid)), u64::from(by.max(pid))], "{}", seen.messages);
}

#[test]
fn memory_of_the_whole_system() {
    // The kernel is asked to kill one process, and it takes the one that offers itself: this is for machines that nobody
    // else uses.
    if env::var_os("CORESCOPE_KERNEL").is_none() {
        return;
    }
    let group = Cgroup::new("cs-oomkill");
    let oom = Oom::within(group.path());
    let tool = Tool::start("oomkill", &[]);
    let victim = oom.start(&Hunger { bytes: 1 << 20, score_adj: c"1000", ..Hunger::default() });
    victim.sated();
    fs::write("/proc/sysrq-trigger", "f").expect("SysRq");
    victim.killed();
    let seen = tool.stop();
    let rows = rows(&seen);
    assert_eq!(rows.len(), 1, "{}", seen.messages);
    assert_eq!((&rows[0]["constraint"], &rows[0]["oom_cgroup"]), (&search("none"), &Value::Null));
    assert_eq!(rows[0]["cgroup"], oom.path());
    let total = bytes("/proc/meminfo", "MemTotal:") + bytes("/proc/meminfo", "SwapTotal:");
    assert_eq!(rows[0]["limit_pages"], search(total / 4096));
}
