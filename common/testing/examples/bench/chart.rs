//! The picture: what each tool adds to what it looks at, beside the peers.

use std::fmt::Write as _;

use crate::Compared;
use crate::candidates::Kind;
use crate::figures::thousands;

const WIDTH: f64 = 760.;
/// Where the bars begin, and how long the longest is.
const LEFT: f64 = 270.;
const LONGEST: f64 = 400.;
const BAR: f64 = 12.;
const GAP: f64 = 12.;
const TOP: f64 = 48.;

/// Colours that can be told apart and read, on white and on black.
const STYLE: &str = "text{font:12px sans-serif;fill:#24292f}.what,.figure{fill:#57606a}.name{font-weight:bold}\
                     .ours{fill:#0969da}.libbpf{fill:#9aa4ae}.bpftrace{fill:#c9b27c}.bcc{fill:#b48ead}\
                     @media(prefers-color-scheme:dark){text{fill:#e6edf3}.what,.figure{fill:#9198a1}\
                     .ours{fill:#4493f8}.libbpf{fill:#6e7681}.bpftrace{fill:#8a7440}.bcc{fill:#7d5a86}}";

/// One bar.
struct Bar {
    kind: Kind,
    added: f64,
}

/// One group of bars for each tool that peers have, too. Each group has a scale of its own: a process costs a hundred
/// times what a system call does.
pub(crate) fn svg(compared: &[Compared]) -> String {
    let groups: Vec<(&Compared, Vec<Bar>)> =
        compared.iter().map(|one| (one, bars(one))).filter(|(_, bars)| bars.len() > 1).collect();
    let height: f64 = TOP + groups.iter().map(|(_, bars)| bars.len() as f64 * BAR + GAP).sum::<f64>();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\">\n<title>Time that each tool adds to what it looks at, beside its peers</title>\n\
         <style>{STYLE}</style>\n"
    );
    legend(&mut svg, compared);
    let mut y = TOP;
    for (one, bars) in groups {
        let middle = y + bars.len() as f64 * BAR / 2.;
        let _ = writeln!(
            svg,
            "<text class=\"name\" x=\"0\" y=\"{:.0}\">{}</text><text class=\"what\" x=\"0\" y=\"{:.0}\">{}</text>",
            middle - 2.,
            one.tool,
            middle + 12.,
            one.work.what()
        );
        let most = bars.iter().map(|bar| bar.added).fold(0., f64::max);
        for bar in bars {
            // Less than what can be measured is drawn as a line.
            let length = (bar.added / most * LONGEST).max(1.);
            let class = class(bar.kind);
            let added =
                if bar.added < 1. { "too little to measure".into() } else { format!("{} ns", thousands(bar.added)) };
            let _ = writeln!(
                svg,
                "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{y:.0}\" width=\"{length:.1}\" height=\"{:.0}\"/>\
                 <text class=\"figure\" x=\"{:.0}\" y=\"{:.0}\">{added}</text>",
                BAR - 1.,
                LEFT + length + 5.,
                y + BAR - 2.
            );
            y += BAR;
        }
        y += GAP;
    }
    svg.push_str("</svg>\n");
    svg
}

/// corescope's, and of the peers the newest of each kind.
fn bars(compared: &Compared) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    for entry in &compared.entries {
        let kind = entry.candidate.kind;
        if let Some(added) = entry.cost.added.median().filter(|_| bars.iter().all(|bar| bar.kind != kind)) {
            bars.push(Bar { kind, added });
        }
    }
    bars
}

fn legend(svg: &mut String, compared: &[Compared]) {
    let _ = writeln!(
        svg,
        "<text class=\"what\" x=\"0\" y=\"14\">What tools add to each, in ns: less is better.</text>\
         <text class=\"what\" x=\"0\" y=\"29\">Each has a scale of its own.</text>"
    );
    let mut x = LEFT;
    let mut shown: Vec<Kind> = Vec::new();
    for candidate in compared.iter().flat_map(|one| &one.entries).map(|entry| entry.candidate) {
        if shown.contains(&candidate.kind) {
            continue;
        }
        shown.push(candidate.kind);
        let _ = writeln!(
            svg,
            "<rect class=\"{}\" x=\"{x}\" y=\"4\" width=\"12\" height=\"12\"/><text x=\"{}\" y=\"14\">{}</text>",
            class(candidate.kind),
            x + 17.,
            candidate.name()
        );
        x += 160.;
    }
}

fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Ours => "ours",
        Kind::Libbpf => "libbpf",
        Kind::Bpftrace => "bpftrace",
        Kind::Bcc => "bcc",
    }
}
