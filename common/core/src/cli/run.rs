//! `main` for every tool: arguments, errors, exit codes.
//!
//! A tool ends with 0 in the normal case, Ctrl-C and a closed pipe included, with 1 when it could not do its work, and
//! with 2 when it was called wrongly, which is found out before anything is loaded.

use std::process::ExitCode;

use anyhow::Result;
use clap::{ArgAction, Command, CommandFactory, FromArgMatches};

use super::alias::{self, Alias};
use super::manual::Manual;
use crate::output::Closed;
use crate::process::{complain, signals};

/// Wrong usage that only the tool itself can see, as two options that exclude each other.
#[derive(Debug)]
pub struct Usage(pub String);

impl std::fmt::Display for Usage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Parses the arguments and runs the tool.
pub fn main<Args: CommandFactory + FromArgMatches>(manual: &Manual, run: fn(Args) -> Result<()>) -> ExitCode {
    main_of(manual, &[], run)
}

/// The same of a tool that runs under several names. Usage, manual page and completions are those of the name.
pub fn main_of<Args: CommandFactory + FromArgMatches>(
    manual: &Manual,
    family: &[Alias],
    run: fn(Args) -> Result<()>,
) -> ExitCode {
    let alias = alias::of(family, &std::env::args_os().next().unwrap_or_default());
    let command = command::<Args>(manual, alias);
    if let Some(code) = manual.generate(&command, family) {
        return code;
    }
    if let Err(error) = signals::install() {
        complain(&format!("cannot handle signals: {error}"));
        return ExitCode::FAILURE;
    }
    let words = alias::expand(alias, std::env::args_os());
    let parsed = command.try_get_matches_from(words).and_then(|matches| Args::from_arg_matches(&matches));
    let result = match parsed {
        Ok(args) => run(args),
        Err(message) => return show(&message),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Closed>() => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
        }
    }
}

/// The command line of a tool, with its manual behind `--help`.
fn command<Args: CommandFactory>(manual: &Manual, alias: Option<&Alias>) -> Command {
    let mut command = Args::command().after_long_help(manual.help()).mut_args(|argument| {
        // A flag may be given twice; of two values one would be dropped without a word.
        let is_flag = matches!(argument.get_action(), ArgAction::SetTrue);
        let id = argument.get_id().clone();
        if is_flag { argument.overrides_with(id) } else { argument }
    });
    if let Some(alias) = alias {
        // What the user says counts, and not what the name stands for.
        command = command.args_override_self(true).name(alias.name).bin_name(alias.name).about(alias.about);
    }
    // `-v` is the short form of --verbose wherever BCC has no other use for the letter.
    let taken = command.get_arguments().any(|argument| argument.get_short() == Some('v'));
    if taken { command } else { command.mut_arg("verbose", |argument| argument.short('v')) }
}

/// Prints clap's message: help and version to standard output, all else to standard error.
fn show(message: &clap::Error) -> ExitCode {
    let wrong = message.use_stderr();
    match message.print() {
        Err(error) if !wrong && error.kind() != std::io::ErrorKind::BrokenPipe => {
            complain(&format!("cannot write to standard output: {error}"));
            ExitCode::FAILURE
        }
        _ if wrong => ExitCode::from(2),
        _ => ExitCode::SUCCESS,
    }
}
