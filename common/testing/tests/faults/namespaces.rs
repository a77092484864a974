//! A tool in a container's namespaces shows what the container has, by the ids that it has there.

use std::fs;
use std::process::Command;

use corescope_testing::actions::everything_in;
use corescope_testing::run::Run;
use corescope_testing::tool::turn;
use corescope_testing::workload::Cgroup;
use serde_json::Value;

use crate::{is_stream, tried};

const INSIDE: &str = "CORESCOPE_HOST_PID";
const ROUNDS: usize = 8;

#[test]
fn ids_are_those_of_the_pid_namespace() {
    let _turn = turn();
    let mut inside = Command::new("unshare");
    inside.args(["-p", "-f", "-m", "--mount-proc"]).arg(std::env::current_exe().expect("a path"));
    inside.args(["--exact", "namespaces::inside_a_pid_namespace", "--ignored", "--nocapture"]);
    let output = inside.env(INSIDE, std::process::id().to_string()).output().expect("unshare");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "the process that another test starts in a PID namespace"]
fn inside_a_pid_namespace() {
    let Ok(outside) = std::env::var(INSIDE) else { return };
    let outside: u64 = outside.parse().expect("an id");
    let group = Cgroup::new(&format!("cs-pidns-{outside}"));
    let start = |arguments: &'static [&'static str]| {
        let run = |name: &String| Run::start(name, |command| _ = command.arg("--json").args(arguments));
        tried().iter().map(run).collect::<Vec<Run>>()
    };
    let (mut by_ids, mut by_host_ids) = (start(&[]), start(&["--host-pids"]));
    for run in by_ids.iter_mut().chain(&mut by_host_ids) {
        run.must_attach();
    }
    everything_in(group.path(), "cs-pidns".as_ref(), ROUNDS);
    let last: u64 =
        fs::read_to_string("/proc/sys/kernel/ns_last_pid").expect("a namespace").trim().parse().expect("an id");
    assert!(last < outside, "{last} ids were given here, and outside {outside}");
    for (run, is_own) in
        by_ids.into_iter().map(|run| (run, true)).chain(by_host_ids.into_iter().map(|run| (run, false)))
    {
        let ended = run.stop();
        ended.well();
        let rows: Vec<Value> =
            ended.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        // By host ids there are rows of others as well.
        let of_work = |row: &&Value| is_own || row["comm"].as_str().is_some_and(|name| name == "cs-pidns");
        let rows: Vec<&Value> = rows.iter().filter(of_work).collect();
        let ids = |keys: &[&str]| {
            rows.iter()
                .flat_map(|row| keys.iter().filter_map(|key| row[key].as_u64()).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        let ids = ids(&["pid", "tid"]);
        let right = |id: &u64| *id == 0 || (*id <= last) == is_own;
        assert!(ids.iter().all(right), "{} {is_own}: {ids:?}, the last one here is {last}", ended.name);
        assert!(!is_stream(&ended.name) || !is_own || ids.iter().any(|id| *id > 0), "{}: {}", ended.name, ended.stderr);
    }
}
