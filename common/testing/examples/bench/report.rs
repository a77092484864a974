//! The tables, in Markdown.

use std::fmt::Write as _;
use std::process::Command;
use std::{fs, thread};

use crate::candidates::Candidate;
use crate::figures::{Figures, ratio, short, thousands};
use crate::rate::Rate;
use crate::reach;
use crate::rounds::{Cost, Entry, Sight};
use crate::{Compared, Options};

/// All that was measured.
pub(crate) fn markdown(compared: &[Compared], options: &Options) -> String {
    let mut text = String::from("<!-- Written by scripts/bench. -->\n");
    let versions: Vec<String> = options.candidates.iter().map(full).collect();
    let _ = writeln!(
        text,
        "Kernel {}, {}, {}. {}. {}×: corescope's figure by this one's.",
        release(),
        machine(options),
        today(),
        versions.join("; "),
        rounds(options),
    );
    let mut page = Page { text, compared, candidates: &options.candidates };
    let rests = if options.counted { ", a rest after each" } else { "" };
    page.figures(&format!("Time added to each time of the work, ns{rests}"), |cost| &cost.added, true);
    page.figures("Time in BPF programs for each time of the work, ns", |cost| &cost.programs, false);
    page.programs();
    if !options.counted {
        page.rates();
    }
    page.lines(options);
    page.figures("Start to attached, ms", |cost| &cost.attached, false);
    page.figures("End, ms (looked at every 2 ms)", |cost| &cost.ended, false);
    page.figures("Peak memory with nothing to do, MB", |cost| &cost.idle, false);
    page.figures("Peak memory with the work at full speed, MB", |cost| &cost.busy, false);
    if !options.counted {
        page.sizes();
    }
    page.missing();
    page.text.push_str("\n### Goals that are missed\n\n");
    page.text.push_str(&reach::list(compared));
    page.text
}

fn full(candidate: &Candidate) -> String {
    format!("{} ({})", candidate.name(), candidate.version)
}

fn release() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").map(|text| text.trim().to_string()).unwrap_or_default()
}

fn machine(options: &Options) -> String {
    if options.counted {
        return "an emulated machine of one CPU where a nanosecond is one instruction, a millisecond a million".into();
    }
    format!("{} CPUs ({})", thread::available_parallelism().map_or(1, usize::from), processor())
}

fn rounds(options: &Options) -> String {
    if options.counted {
        return String::new();
    }
    format!("Medians of {} rounds that took turns, least and most in parentheses; ", options.rounds)
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| std::env::consts::ARCH.into(), |(_, name)| name.to_string())
}

fn today() -> String {
    let output = Command::new("date").arg("+%F").output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string()).unwrap_or_default()
}

struct Page<'a> {
    text: String,
    compared: &'a [Compared<'a>],
    candidates: &'a [Candidate],
}

impl Page<'_> {
    /// A table with a row for each tool and a column for each candidate.
    fn table(&mut self, title: &str, first: &[&str], row: impl Fn(&Compared) -> Option<Vec<String>>) {
        let names = self.candidates.iter().map(Candidate::name);
        let heads: Vec<String> = first.iter().map(ToString::to_string).chain(names).collect();
        let _ = writeln!(self.text, "\n### {title}\n\n| {} |\n|{}", heads.join(" | "), "---|".repeat(heads.len()));
        for compared in self.compared {
            if let Some(cells) = row(compared) {
                let _ = writeln!(self.text, "| {} |", cells.join(" | "));
            }
        }
    }

    /// What each candidate has in a row of a tool.
    fn cells(&self, compared: &Compared, cell: impl Fn(&Entry) -> Option<String>) -> Vec<String> {
        let entry = |candidate: &Candidate| {
            let is = |entry: &&Entry| std::ptr::eq(entry.candidate, candidate);
            let entry = compared.entries.iter().find(is)?;
            if entry.sight.works() { cell(entry) } else { Some("does not work".into()) }
        };
        self.candidates.iter().map(|candidate| entry(candidate).unwrap_or_else(|| "-".into())).collect()
    }

    fn figures(&mut self, title: &str, figures: fn(&Cost) -> &Figures, with_work: bool) {
        let page = Page { text: String::new(), ..*self };
        let first: &[&str] = if with_work { &["Tool", "Work", "Alone"] } else { &["Tool"] };
        self.table(title, first, |compared| {
            let ours = figures(&compared.ours().cost).median();
            let mut cells = vec![format!("`{}`", compared.tool)];
            if with_work {
                cells.extend([compared.work.what().to_string(), compared.alone.to_string()]);
            }
            cells.extend(page.cells(compared, |entry| {
                let figures = figures(&entry.cost);
                Some(format!("{figures}{}", times(entry, ours, figures.median()?)))
            }));
            Some(cells)
        });
    }

    fn programs(&mut self) {
        self.text.push_str(
            "\n### Each program: runs for each time of the work, ns of a run\n\n| Tool | | Programs |\n|---|---|---|\n",
        );
        for compared in self.compared {
            for entry in compared.entries.iter().filter(|entry| entry.sight.works()) {
                let one = |each: &crate::rounds::Each| {
                    format!("`{}` {} × {}", each.name, ratio(each.runs), short(each.nanoseconds))
                };
                let programs: Vec<String> = entry.cost.each.iter().map(one).collect();
                let name = entry.candidate.name();
                let _ = writeln!(self.text, "| `{}` | {name} | {} |", compared.tool, programs.join(", "));
            }
        }
    }

    fn rates(&mut self) {
        let page = Page { text: String::new(), ..*self };
        self.table(
            "Highest rate without loss, events per second, and what was lost at full speed",
            &["Tool"],
            |compared| {
                if !compared.streams() {
                    return None;
                }
                let mut cells = vec![format!("`{}`", compared.tool)];
                cells.extend(page.cells(compared, |entry| Some(loss(&entry.rate))));
                Some(cells)
            },
        );
    }

    fn lines(&mut self, options: &Options) {
        let page = Page { text: String::new(), ..*self };
        let rates = if options.counted { "at full speed" } else { "at a moderate rate; at full speed" };
        let title = format!("Processor time of the tool for each line it prints, ns: {rates}");
        self.table(&title, &["Tool"], |compared| {
            if !compared.streams() {
                return None;
            }
            let mut cells = vec![format!("`{}`", compared.tool)];
            cells.extend(page.cells(compared, |entry| {
                let one = |figure: fn(&Entry) -> Option<f64>| {
                    let theirs = figure(entry)?;
                    Some(format!("{}{}", thousands(theirs), times(entry, figure(compared.ours()), theirs)))
                };
                let both = [one(reach::moderate), one(reach::full_speed)];
                Some(both.into_iter().flatten().collect::<Vec<_>>().join("; "))
            }));
            Some(cells)
        });
    }

    fn sizes(&mut self) {
        let page = Page { text: String::new(), ..*self };
        self.table("Size of the binary, KB (libraries not counted)", &["Tool"], |compared| {
            let mut cells = vec![format!("`{}`", compared.tool)];
            let ours = compared.ours().size as f64;
            cells.extend(page.cells(compared, |entry| {
                let size = entry.size as f64;
                Some(format!("{}{}", thousands(size / 1e3), times(entry, Some(ours), size)))
            }));
            Some(cells)
        });
    }

    /// Who does not see the work, and why.
    fn missing(&mut self) {
        self.text.push_str("\n### What does not work here\n\n");
        for compared in self.compared {
            for entry in &compared.entries {
                let why = match &entry.sight {
                    Sight::Rows(_) | Sight::Sums => continue,
                    Sight::Nothing => "attaches, and sees nothing of the work",
                    Sight::Fails(why) => why,
                };
                let _ = writeln!(self.text, "* `{}` of {}: {why}", compared.tool, entry.candidate.name());
            }
        }
    }
}

/// How many times a peer's figure ours is.
fn times(entry: &Entry, ours: Option<f64>, figure: f64) -> String {
    match ours {
        Some(ours) if !entry.is_ours() && ours > 0. && figure > 0. => format!(" ×{}", ratio(ours / figure)),
        _ => String::new(),
    }
}

fn loss(rate: &Rate) -> String {
    let highest = match rate.without_loss() {
        None => format!("less than {}", thousands(rate.starts_to_lose().unwrap_or(0.))),
        Some((rate, true)) => thousands(rate),
        Some((rate, false)) => return format!("{} and no loss: all that the CPU makes", thousands(rate)),
    };
    let Some(worst) = rate.worst() else { return highest };
    let part = |events: u64| ratio(events as f64 * 100. / worst.made.max(1) as f64);
    let (lost, silent) = (part(worst.lost()), part(worst.vanished()));
    format!("{highest}; at {} {lost} % lost, {silent} % in silence", thousands(worst.rate))
}
