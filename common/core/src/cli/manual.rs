//! Manual pages, shell completions and the list of JSON keys, out of the tool's own definition: `--generate man`,
//! `--generate bash`, `--generate json` and so on.
//!
//! The prose is the tool's `manual.md`: what is traced and how, then sections under `## ` headings, examples indented by
//! four spaces. The same text follows the options in `--help`.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{Arg, Command, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use super::alias::Alias;
use crate::output::column::Field;
use crate::output::vocabulary;
use crate::process::complain;

/// The hidden option.
const GENERATE: &str = "--generate";

/// Of this version, not of the build: the pages are committed, and must not differ from day to day.
const DATE: &str = "2026-11-20";

/// What a tool says of itself beside its options.
#[derive(Debug, Clone, Copy)]
pub struct Manual {
    /// The text of `manual.md`.
    pub text: &'static str,
    /// The columns of the text output and the keys of the JSON output.
    pub fields: fn() -> Vec<Field>,
}

const EXIT_STATUS: &str = "0 when the tool was ended, also by Ctrl-C or SIGTERM or because nobody reads its output any \
    more; 1 when it could not do its work, with a sentence on standard error; 2 when it was called wrongly.";
const JSON: &str = "With --json each line is one object with all keys; what is not known is null. Numbers are raw, in the \
    unit that their key names; times are RFC 3339. Strings are exact if they are valid UTF-8; otherwise the invalid parts are \
    replaced, and the key with _bytes appended holds the bytes. What could not be recorded is reported as an object with \
    the keys \"lost\" (how many) and \"reason\" (buffer, map or stack). Calls that the kernel skipped because the program was \
    busy on that CPU are reported as \"skipped\": each may stand for one event, or for none.";

impl Manual {
    /// The text behind the options in `--help`.
    pub(crate) fn help(&self) -> String {
        let mut help = String::new();
        for block in blocks(self.text) {
            match block {
                Block::Heading(heading) => _ = writeln!(help, "{heading}:"),
                Block::Paragraph(lines) => _ = writeln!(help, "{}\n", lines.join(" ")),
                Block::Literal(lines) => _ = writeln!(help, "{}\n", lines.join("\n")),
            }
        }
        help.push_str("Fields (header, JSON key):\n");
        for field in (self.fields)() {
            let _ = writeln!(help, "  {:<11} {:<18} {}", dash(field.header), dash(field.key), field.help);
        }
        help
    }

    /// Answers the hidden option, if it is there.
    pub(crate) fn generate(&self, command: &Command, family: &[Alias]) -> Option<ExitCode> {
        let mut arguments = std::env::args_os().skip(1);
        if arguments.next()? != OsStr::new(GENERATE) {
            return None;
        }
        let kind = arguments.next().unwrap_or_default();
        let mut text = Vec::new();
        if kind == OsStr::new("man") {
            text = self.page(command);
        } else if kind == OsStr::new("json") {
            text = self.keys();
        } else if kind == OsStr::new("options") {
            text = options(command);
        } else if kind == OsStr::new("aliases") {
            text = family.iter().flat_map(|alias| [alias.name, "\n"]).collect::<String>().into_bytes();
        } else if let Some(shell) = kind.to_str().and_then(|kind| Shell::from_str(kind, true).ok()) {
            let name = command.get_name().to_string();
            clap_complete::generate(shell, &mut command.clone(), name, &mut text);
        } else {
            complain("--generate takes man, json, options, aliases, bash, zsh, fish, elvish or powershell");
            return Some(ExitCode::from(2));
        }
        match std::io::stdout().write_all(&text) {
            Ok(()) => Some(ExitCode::SUCCESS),
            Err(error) => {
                complain(&format!("cannot write to standard output: {error}"));
                Some(ExitCode::FAILURE)
            }
        }
    }

    /// The keys of the JSON output, a line for each: name, type, unit, whether it is of the vocabulary that tools share, and
    /// meaning, separated by tabs.
    fn keys(&self) -> Vec<u8> {
        let mut text = String::new();
        for field in (self.fields)().into_iter().filter(|field| !field.key.is_empty()) {
            let shared = if vocabulary::has(field.key) { "shared" } else { "own" };
            let _ = writeln!(text, "{}\t{}\t{}\t{shared}\t{}", field.key, field.kind.name(), field.unit(), field.help);
        }
        text.into_bytes()
    }

    /// The manual page, section 8.
    fn page(&self, command: &Command) -> Vec<u8> {
        let name = command.get_name().to_string();
        let mut page = Roff::new();
        let source = format!("corescope {}", command.get_version().unwrap_or_default());
        page.control("TH", [name.to_uppercase().as_str(), "8", DATE, source.as_str(), "corescope"]);
        page.control("SH", ["NAME"]);
        page.text([roman(format!(
            "{name} - {}",
            plain(&command.get_about().map(ToString::to_string).unwrap_or_default())
        ))]);

        page.control("SH", ["SYNOPSIS"]);
        page.text(synopsis(command));

        // Help text that follows the options is a part of this page already.
        let bare = command.clone().after_long_help("");
        let mut options = Vec::new();
        // Writing to a Vec does not fail.
        let _ = Man::new(bare).render_options_section(&mut options);

        let mut rest = Roff::new();
        rest.control("SH", ["DESCRIPTION"]);
        let all = blocks(self.text);
        let (description, sections) =
            all.split_at(all.iter().position(|block| matches!(block, Block::Heading(_))).unwrap_or(all.len()));
        push_blocks(&mut rest, description);

        let mut tail = Roff::new();
        tail.control("SH", ["FIELDS"]);
        for field in (self.fields)() {
            tail.control("TP", []);
            tail.text(field_names(&field));
            tail.text([roman(field.help)]);
        }
        tail.control("SH", ["JSON"]);
        tail.text([roman(JSON)]);
        push_blocks(&mut tail, sections);
        tail.control("SH", ["EXIT STATUS"]);
        tail.text([roman(EXIT_STATUS)]);

        let mut text = page.render().into_bytes();
        text.extend(rest.render().into_bytes());
        text.extend(options);
        text.extend(tail.render().into_bytes());
        tidy(&text)
    }
}

/// The name, the tool's own options with their values, the common ones, and what has no option.
fn synopsis(command: &Command) -> Vec<Inline> {
    let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
    let (positionals, options): (Vec<&Arg>, Vec<&Arg>) = shown.partition(|argument| argument.is_positional());
    let (common, own): (Vec<&Arg>, Vec<&Arg>) =
        options.into_iter().partition(|argument| argument.get_help_heading().is_some());
    let mut line = vec![bold(command.get_name())];
    for argument in own.into_iter().chain(common) {
        line.extend([roman(" ["), bold(flag(argument))]);
        if argument.get_action().takes_values() {
            let is_optional = argument.get_num_args().is_some_and(|count| count.min_values() == 0);
            line.extend([roman(if is_optional { " [" } else { " " }), italic(value(argument))]);
            line.extend(is_optional.then(|| roman("]")));
        }
        line.push(roman("]"));
    }
    // Positional arguments can be left out from the last one on.
    let count = positionals.len();
    for argument in positionals {
        line.extend([roman(" ["), italic(value(argument))]);
    }
    line.push(roman("]".repeat(count)));
    line
}

/// A line for each option: how it is written, whether it is common to all tools, the name of its value, and the values that it takes
/// if they are known, separated by tabs.
fn options(command: &Command) -> Vec<u8> {
    let mut text = String::new();
    for option in command.get_arguments().filter(|argument| !argument.is_positional()) {
        let whose = if option.get_help_heading().is_some() { "common" } else { "own" };
        let name = if option.get_action().takes_values() { value(option) } else { String::new() };
        let values: Vec<String> =
            option.get_possible_values().iter().map(|value| value.get_name().to_string()).collect();
        let written = option.get_long().map_or_else(|| flag(option), |long| format!("--{long}"));
        let _ = writeln!(text, "{written}\t{whose}\t{name}\t{}", values.join(" "));
    }
    text.into_bytes()
}

fn flag(argument: &Arg) -> String {
    match (argument.get_short(), argument.get_long()) {
        (Some(short), _) => format!("-{short}"),
        (None, long) => format!("--{}", long.unwrap_or_default()),
    }
}

fn value(argument: &Arg) -> String {
    let names = argument.get_value_names().unwrap_or_default();
    names.first().map_or_else(|| argument.get_id().as_str().to_uppercase(), ToString::to_string)
}

fn dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn plain(text: &str) -> &str {
    text.trim_end_matches('.')
}

fn field_names(field: &Field) -> Vec<Inline> {
    match (field.header, field.key) {
        ("", key) => vec![roman("JSON "), bold(key)],
        (header, "") => vec![bold(header)],
        (header, key) => vec![bold(header), roman(", JSON "), bold(key)],
    }
}

/// What mandoc's checks find fault with in generated roff: one preamble is enough, one break as well, and
/// blank lines are none of it.
fn tidy(page: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(page);
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines() {
        let preamble = line.starts_with(".ie \\n(.g") || line.starts_with(".el .ds Aq");
        let again = preamble && lines.contains(&line) || line == ".br" && lines.last() == Some(&line);
        if !again && !line.trim().is_empty() {
            lines.push(line);
        }
    }
    let mut tidy = lines.join("\n");
    tidy.push('\n');
    tidy.into_bytes()
}

/// A piece of `manual.md`.
#[derive(Debug, PartialEq)]
enum Block<'a> {
    Heading(&'a str),
    Paragraph(Vec<&'a str>),
    Literal(Vec<&'a str>),
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open = false;
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            blocks.push(Block::Heading(heading));
            open = false;
        } else if line.starts_with("    ") {
            match blocks.last_mut() {
                Some(Block::Literal(lines)) => {
                    // A blank line within an example is a part of it.
                    if !open {
                        lines.push("");
                    }
                    lines.push(line);
                }
                _ => blocks.push(Block::Literal(vec![line])),
            }
            open = true;
        } else if line.trim().is_empty() {
            open = false;
        } else {
            match blocks.last_mut() {
                Some(Block::Paragraph(lines)) if open => lines.push(line),
                _ => blocks.push(Block::Paragraph(vec![line])),
            }
            open = true;
        }
    }
    blocks
}

fn push_blocks(page: &mut Roff, blocks: &[Block<'_>]) {
    let mut first = true;
    for block in blocks {
        match block {
            Block::Heading(heading) => {
                page.control("SH", [heading.to_uppercase().as_str()]);
                first = true;
                continue;
            }
            Block::Paragraph(lines) => {
                if !first {
                    page.control("PP", []);
                }
                page.text([roman(lines.join(" "))]);
            }
            Block::Literal(lines) => {
                if !first {
                    page.control("PP", []);
                }
                page.control("nf", []);
                for line in lines {
                    // A line of its own even where there is nothing on it.
                    page.text([roman(if line.is_empty() { "\u{a0}" } else { line })]);
                }
                page.control("fi", []);
            }
        }
        first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::{Block, blocks};

    #[test]
    fn text_falls_into_blocks() {
        let text = "What it\ntraces.\n\nHow.\n\n## Examples\n\nAll:\n\n    # tool\n    PID\n\n    7\n";
        assert_eq!(
            blocks(text),
            [
                Block::Paragraph(vec!["What it", "traces."]),
                Block::Paragraph(vec!["How."]),
                Block::Heading("Examples"),
                Block::Paragraph(vec!["All:"]),
                Block::Literal(vec!["    # tool", "    PID", "", "    7"]),
            ]
        );
    }
}
