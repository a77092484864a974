//! Which of several programs for the same thing are loaded: the first that this kernel can have.

use anyhow::{Result, bail};

use super::setup::Setup;
use crate::kernel::section::Section;
use crate::kernel::{self, perf};
use crate::kernel::{has_kprobes, permits_fentry, preempts_itself, tracefs};

/// Of each row loads the first program that this kernel can have, and none of the others; gives their names in the order of
/// the rows.
///
/// What a program needs is in its section: a type, for a tracepoint or function; kprobes; that the kernel permits programs at
/// functions. Where the kernel would preempt a program, and then skip it for others (docs/kernels.md), those of a row that it
/// does not preempt come first.
///
/// # Errors
/// A sentence that says what is missing, where the kernel can have none of a row.
pub fn choose<'name>(setup: &mut Setup<'_>, rows: &[&[&'name str]]) -> Result<Vec<&'name str>> {
    let mut chosen = Vec::new();
    for row in rows {
        let Some(name) = first(setup, row)? else { bail!(kernel::lacking().unwrap_or_else(|| refusal(setup, row))) };
        chosen.push(name);
    }
    Ok(chosen)
}

/// The same of one row that a tool can do without.
///
/// # Errors
/// The object has no such programs, or there are no types to be asked.
pub fn choose_any<'name>(setup: &mut Setup<'_>, row: &[&'name str]) -> Result<Option<&'name str>> {
    first(setup, row)
}

/// The same, only if it is `wanted`; else none is loaded.
pub(super) fn choose_if<'name>(setup: &mut Setup<'_>, wanted: bool, row: &[&'name str]) -> Result<Option<&'name str>> {
    if wanted {
        return first(setup, row);
    }
    row.iter().try_for_each(|program| setup.load_if(program, false))?;
    Ok(None)
}

fn first<'name>(setup: &mut Setup<'_>, row: &[&'name str]) -> Result<Option<&'name str>> {
    let mut found = None;
    for name in preferred(setup, row)? {
        let loads = found.is_none() && can_have(setup, name)?;
        setup.load_if(name, loads)?;
        if loads {
            found = Some(name);
        }
    }
    Ok(found)
}

/// The row in the order in which its programs are tried.
fn preferred<'name>(setup: &Setup<'_>, row: &[&'name str]) -> Result<Vec<&'name str>> {
    let mut row = row.to_vec();
    if row.len() > 1 {
        let at_tracepoints = setup.types()?.preempts_tracepoints();
        let at_functions = at_tracepoints || preempts_itself();
        row.sort_by_key(|name| match Section::of(&section(setup, name)) {
            Section::TypedFunction(_) => at_functions,
            other => at_tracepoints && other.type_name().is_some(),
        });
    }
    Ok(row)
}

/// Whether the kernel can have a program, as far as its section tells.
pub(super) fn can_have(setup: &Setup<'_>, program: &str) -> Result<bool> {
    let section = section(setup, program);
    Ok(match Section::of(&section) {
        Section::TypedTracepoint(name) => setup.types()?.has_tracepoint(name),
        Section::TypedFunction(name) => setup.types()?.has_function(name) && permits_fentry(),
        Section::Iterator(name) => setup.types()?.has_function(&format!("bpf_iter_{name}")),
        Section::Tracepoint(group, name) => tracefs::exists(group, name),
        Section::Kprobe(name) => has_kprobes() && (setup.types()?.has_function(name) || setup.has_symbol(name)),
        Section::ByHand | Section::Other => true,
    })
}

pub(super) fn section(setup: &Setup<'_>, program: &str) -> String {
    let found = setup.progs().find(|candidate| candidate.name() == program);
    found.map(|program| program.section().to_string_lossy().into_owned()).unwrap_or_default()
}

/// What is missing of a row, in one sentence.
fn refusal(setup: &Setup<'_>, row: &[&str]) -> String {
    let sections: Vec<String> = row.iter().map(|program| section(setup, program)).collect();
    let lacks: Vec<String> = sections.iter().filter_map(|section| missing(setup, Section::of(section))).collect();
    format!("this kernel has no {}", lacks.join(", no "))
}

fn missing(setup: &Setup<'_>, section: Section<'_>) -> Option<String> {
    let (what, name) = section.words()?;
    let has_function = |name| setup.has_symbol(name) || setup.types().is_ok_and(|types| types.has_function(name));
    Some(match section {
        Section::TypedFunction(name) if has_function(name) => "programs at functions (fentry, fexit)".into(),
        Section::Kprobe(name) if has_function(name) => match perf::refusal() {
            Some(refusal) => format!("kprobes for this process: {refusal}"),
            None => "kprobes (CONFIG_KPROBE_EVENTS)".into(),
        },
        _ => format!("{what} {name}"),
    })
}
