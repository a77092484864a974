//! What tools cost, side by side with those of the same name that others have: see scripts/bench.

#![allow(clippy::cast_precision_loss, reason = "measurements")]

mod candidates;
mod chart;
mod figures;
mod rate;
mod reach;
mod report;
mod rounds;
mod run;

use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs};

use corescope_testing::cost::Work;
use corescope_testing::tool::all;

use candidates::{Candidate, MEMORY};
use figures::Figures;
use rounds::{Entry, Sight};

/// What scripts/bench asks for.
struct Options {
    tools: Vec<String>,
    candidates: Vec<Candidate>,
    rounds: u32,
    quick: bool,
    /// One nanosecond is one instruction.
    counted: bool,
    table: Option<String>,
    picture: Option<String>,
}

/// One tool, and who has it.
struct Compared<'a> {
    tool: String,
    work: Work,
    alone: Figures,
    entries: Vec<Entry<'a>>,
}

impl Compared<'_> {
    /// Whether it prints a row for each event.
    fn streams(&self) -> bool {
        self.entries.iter().any(|entry| matches!(entry.sight, Sight::Rows(_)))
    }

    fn ours(&self) -> &Entry<'_> {
        &self.entries[0]
    }

    fn peers(&self) -> impl Iterator<Item = &Entry<'_>> {
        self.entries.iter().filter(|entry| !entry.is_ours() && entry.sight.works())
    }
}

fn main() {
    let options = parse();
    candidates::mount(&options.candidates).expect("mounts of its own");
    if Path::new(MEMORY).exists() {
        // Then no disk has a say in it. SAFETY: there is one thread yet.
        unsafe { env::set_var("TMPDIR", MEMORY) };
    }
    let start = Instant::now();
    let compared: Vec<Compared> = options.tools.iter().map(|tool| compare(tool, &options)).collect();
    let text = report::markdown(&compared, &options);
    print!("{text}");
    if let Some(path) = &options.table {
        fs::write(path, text).expect("the table can be written");
    }
    if let Some(path) = &options.picture {
        fs::write(path, chart::svg(&compared)).expect("the picture can be written");
    }
    eprintln!("bench: took {:.0} s", start.elapsed().as_secs_f64());
}

fn parse() -> Options {
    let mut options = Options {
        tools: Vec::new(),
        candidates: vec![Candidate::ours()],
        rounds: 5,
        quick: false,
        counted: false,
        table: None,
        picture: None,
    };
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
        match argument.as_str() {
            "--peer" => options.candidates.push(Candidate::parse(&value()).expect("NAME,VERSION,ROOT")),
            "--rounds" => options.rounds = value().parse().expect("a number of rounds"),
            "--quick" => options.quick = true,
            "--counted" => options.counted = true,
            "--table" => options.table = Some(value()),
            "--picture" => options.picture = Some(value()),
            _ => options.tools.push(argument),
        }
    }
    if options.tools.is_empty() {
        options.tools = all();
    }
    options.candidates[1..].sort_by_key(|candidate| (candidate.kind as u8, std::cmp::Reverse(candidate.age())));
    options
}

fn compare<'a>(tool: &str, options: &'a Options) -> Compared<'a> {
    eprintln!("bench: {tool}");
    let work = Work::of(tool);
    let (part, whole) = if options.quick { (60, 300) } else { (200, 1000) };
    let (part, whole) = (Duration::from_millis(part), Duration::from_millis(whole));
    // The first times are slower.
    let _ = work.time((work.times() / 20).max(2));
    // An emulated processor's highest rate says nothing, and takes long.
    if options.counted {
        let (entries, alone) = rounds::once(&options.candidates, work, tool, part);
        return Compared { tool: tool.into(), work, alone, entries };
    }
    let mut entries = rounds::look_all(&options.candidates, work, tool);
    let alone = rounds::measure(&mut entries, work, tool, options.rounds, part);
    rate::measure(&mut entries, work, tool, options.rounds.min(2), whole);
    Compared { tool: tool.into(), work, alone, entries }
}
