//! Every tool on the kernel that runs: it works, or refuses with the sentence that docs/kernels.md has. One that works shows
//! something of a bit of everything, and in its JSON the keys that it documents, with the types that it documents.

use std::collections::BTreeMap;
use std::process::Command;

use corescope_testing::actions::everything_in;
use corescope_testing::json::{Key, check, keys, kinds};
use corescope_testing::kernels::{refusals, series, working};
use corescope_testing::loaded::assert_nothing_left;
use corescope_testing::run::Run;
use corescope_testing::tool::{all, binary, turn};
use corescope_testing::tools::{self, Kind};
use corescope_testing::workload::Cgroup;

/// Some of which are done in a quarter of the rounds.
const ROUNDS: usize = 8;

#[test]
fn every_tool_works_or_refuses_as_the_table_says() {
    let _turn = turn();
    let here = series();
    for refusal in refusals().into_iter().filter(|refusal| Some(&refusal.series) == here.as_ref()) {
        let output = Command::new(binary(&refusal.tool)).output().expect("the tool starts");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{}: {stderr}", refusal.tool);
        assert!(stderr.contains(&refusal.words), "{}: {stderr}", refusal.tool);
    }
    if here.is_some() {
        assert_eq!(
            working().len() + refusals().iter().filter(|refusal| Some(&refusal.series) == here.as_ref()).count(),
            all().len()
        );
    }
    let group = Cgroup::new("cs-matrix");
    let start = |command: &mut Command| {
        _ = command.args(["--json", "--cgroup", group.path_str()]).env("TZ", "IST-5:30");
    };
    let mut runs: Vec<Run> = working().iter().map(|name| Run::start(name, start)).collect();
    for run in &mut runs {
        run.must_attach();
    }
    // As a service that is started again.
    group.renew();
    for run in &runs {
        run.must_say("was made again");
    }
    everything_in(group.path(), "cs-matrix".as_ref(), ROUNDS);
    for run in &runs {
        run.signal(libc::SIGTERM);
    }
    for run in runs {
        let ended = run.end();
        ended.well();
        let keys = keys(&ended.name);
        let rows: Vec<&[u8]> = ended.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
        let has_offset = |line: &[u8]| !contains(line, "\"time\":") || contains(line, "+05:30\"");
        assert!(rows.iter().all(|line| has_offset(line)), "{}: {}", ended.name, String::from_utf8_lossy(&ended.stdout));
        let rows = rows.into_iter().map(|line| check(&ended.name, &keys, line)).filter(|is_row| *is_row).count();
        // What nobody connects, a tool of connections does not show.
        let shows = tools::find(&ended.name).is_some_and(|tool| tool.kind != Kind::Top);
        assert!(rows > 0 || !shows, "{} shows nothing: {}", ended.name, ended.stderr);
        assert_nothing_left(&ended.name);
    }
}

fn contains(line: &[u8], text: &str) -> bool {
    line.windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn a_key_means_the_same_and_has_one_type_in_all_tools() {
    let mut known: BTreeMap<String, (String, Key)> = BTreeMap::new();
    for name in all() {
        for key in keys(&name) {
            let (first, before) = known.entry(key.path.clone()).or_insert_with(|| (name.clone(), key.clone()));
            assert_eq!(before.kind, key.kind, "{} in {first} and {name}", key.path);
            assert_eq!(before.unit, key.unit, "{} in {first} and {name}", key.path);
            assert_eq!(before.shared, key.shared, "{} is of the vocabulary in one of {first} and {name}", key.path);
            assert!(
                key.shared || *first == name || before.meaning == key.meaning || key.path.contains("[]"),
                "{} means \"{}\" in {first} and \"{}\" in {name}: a key of several tools is for the vocabulary",
                key.path,
                before.meaning,
                key.meaning
            );
            assert!(kinds().contains(&key.kind.as_str()), "{}", key.kind);
        }
    }
}
