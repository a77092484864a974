//! Wrong usage, which is found before anything is loaded.

use crate::{each_tool, help};
use corescope_testing::run::{Run, refuses};

#[test]
fn wrong_arguments() {
    each_tool(|name| {
        let help = help(name);
        let mut wrong: Vec<&[&str]> = vec![&["--no-such-option"], &["--btf"], &["--json=maybe"]];
        if help.contains("--buffer") {
            wrong.extend([&["--buffer", "0"][..], &["--buffer", "many"], &["--buffer", "-1"]]);
        }
        if help.contains("--pid <") {
            wrong.extend([&["--pid", "0"][..], &["--pid=-1"], &["--pid", "99999999999"], &["--pid", "init"]]);
        }
        if help.contains("[INTERVAL]") {
            wrong.extend([&["0"][..], &["--", "-1"], &["1", "0"], &["nan"], &["1", "1", "1"]]);
        } else {
            wrong.push(&["1", "2", "3", "4", "5"]);
        }
        for arguments in wrong {
            let ended = Run::start(name, |command| _ = command.args(arguments)).end();
            assert_eq!(ended.status.code(), Some(2), "{name} {arguments:?}: {}", ended.stderr);
            assert!(!ended.stderr.contains("libbpf"), "{name} {arguments:?} loads something");
        }
        for arguments in [["--cgroup", "/nonexistent"], ["--cgroup", "/tmp"], ["--btf", "/nonexistent"]] {
            refuses(name, arguments[0], |command| _ = command.args(arguments));
        }
    });
}
