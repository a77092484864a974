//! What corescope wants to reach beside its peers, and where it does not.

use std::fmt::Write as _;

use corescope_testing::tools;

use crate::Compared;
use crate::candidates::Kind;
use crate::figures::{ratio, short, thousands};
use crate::rate::Outcome;
use crate::rounds::{Cost, Entry, Sight};

/// Of what the newest libbpf-tools' streaming tool adds.
const ADDED_STREAMING: f64 = 0.2;
/// Of what a peer that sums up adds.
const ADDED_SUMS: f64 = 0.25;
/// Of the best peer's processor time for a line.
const PER_LINE: f64 = 0.5;
/// Times the rate at which the newest libbpf-tools' starts to lose.
const FASTER: f64 = 10.;
const MEMORY_MB: f64 = 3.;
const END_MS: f64 = 50.;

/// Nanoseconds for each line at a rate that all manage.
pub(crate) fn moderate(entry: &Entry) -> Option<f64> {
    entry.rate.steady.first().map(|outcome| outcome.per_line)
}

/// Nanoseconds for each line when there are as many as can be.
pub(crate) fn full_speed(entry: &Entry) -> Option<f64> {
    let least = entry.rate.flat_out.iter().map(|outcome| outcome.per_line).min_by(f64::total_cmp);
    least.or_else(|| entry.cost.per_line.median())
}

/// The goals that are missed.
pub(crate) fn list(compared: &[Compared]) -> String {
    let mut text = String::new();
    for one in compared {
        for miss in misses(one) {
            let _ = writeln!(text, "* `{}`: {miss}", one.tool);
        }
    }
    if text.is_empty() { "None.\n".into() } else { text }
}

fn misses(compared: &Compared) -> Vec<String> {
    let ours = compared.ours();
    match &ours.sight {
        Sight::Fails(why) => return vec![format!("fails: {why}")],
        Sight::Nothing => return vec!["sees nothing of the work".into()],
        Sight::Rows(_) | Sight::Sums => {}
    }
    let newest = compared.peers().find(|entry| entry.candidate.kind == Kind::Libbpf);
    let mut all: Vec<Option<String>> = Vec::new();
    let added = |cost: &Cost| cost.added.median();
    if compared.streams() {
        all.push(newest.and_then(|peer| over("adds", "ns", ours, peer, ADDED_STREAMING, added)));
        all.push(best(compared, "takes for a line", "ns", PER_LINE, moderate));
        all.push(best(compared, "takes for a line at full speed", "ns", PER_LINE, full_speed));
        all.extend(losses(ours, newest));
    } else {
        all.push(best(compared, "adds", "ns", ADDED_SUMS, |entry| added(&entry.cost)));
    }
    all.push(best(compared, "is attached after", "ms", 1., |entry| entry.cost.attached.median()));
    // Those with a screen may have more.
    if tools::find(&compared.tool).is_none_or(|tool| tool.kind != tools::Kind::Top) {
        all.push(limit("has at its peak", "MB", ours.cost.busy.median(), MEMORY_MB));
    }
    all.push(limit("ends after", "ms", ours.cost.ended.median(), END_MS));
    all.into_iter().flatten().collect()
}

fn over(
    what: &str,
    unit: &str,
    ours: &Entry,
    peer: &Entry,
    part: f64,
    figure: impl Fn(&Cost) -> Option<f64>,
) -> Option<String> {
    compare(what, unit, figure(&ours.cost)?, figure(&peer.cost)?, &peer.candidate.name(), part)
}

/// Beside the best of all peers.
fn best(
    compared: &Compared,
    what: &str,
    unit: &str,
    part: f64,
    figure: impl Fn(&Entry) -> Option<f64>,
) -> Option<String> {
    let theirs = compared.peers().filter_map(|entry| Some((figure(entry)?, entry.candidate.name())));
    let (theirs, name) = theirs.min_by(|one, other| one.0.total_cmp(&other.0))?;
    compare(what, unit, figure(compared.ours())?, theirs, &name, part)
}

fn compare(what: &str, unit: &str, ours: f64, theirs: f64, name: &str, part: f64) -> Option<String> {
    let goal = theirs * part;
    (ours > goal).then(|| {
        let (is, of) = (short(ours), short(theirs));
        let ratio = ratio(ours / theirs);
        format!("{what} {is} {unit}, {ratio} of the {of} {unit} of {name}; at most {part} is the goal")
    })
}

fn limit(what: &str, unit: &str, ours: Option<f64>, most: f64) -> Option<String> {
    let ours = ours.filter(|ours| *ours > most)?;
    Some(format!("{what} {ours:.2} {unit}; at most {most} {unit} is the goal"))
}

/// Events that did not come although they should have, or of which nothing was said.
fn losses(ours: &Entry, newest: Option<&Entry>) -> Vec<Option<String>> {
    let outcomes = || ours.rate.steady.iter().chain(&ours.rate.flat_out);
    let enough = newest.and_then(|peer| peer.rate.starts_to_lose()).map_or(f64::INFINITY, |rate| rate * FASTER);
    let slower = outcomes().filter(|outcome| outcome.lost() > 0 && outcome.rate < enough);
    let lost = slower.min_by(|one, other| one.rate.total_cmp(&other.rate)).map(|outcome| {
        let (lost, made) = (thousands(outcome.lost() as f64), thousands(outcome.made as f64));
        let goal = if enough.is_finite() { format!("{}/s", thousands(enough)) } else { "all".into() };
        format!("loses {lost} of {made} events at {}/s; nothing up to {goal} is the goal", thousands(outcome.rate))
    });
    let wrong = |outcome: &&Outcome| outcome.vanished() > 0;
    let vanished = outcomes().find(wrong).map(|outcome| {
        let Outcome { made, rows, reported, .. } = outcome;
        format!("says nothing of {} events: {made} made, {rows} rows, {reported} reported lost", outcome.vanished())
    });
    vec![lost, vanished]
}
