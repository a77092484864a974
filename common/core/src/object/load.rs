//! Opening, loading and attaching a BPF object, with failures told in one sentence.

use std::mem::MaybeUninit;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use libbpf_rs::skel::{OpenSkel, Skel, SkelBuilder};
use libbpf_rs::{Link, Object, OpenObject, Program};

use super::setup::Setup;
use super::{targets, variants};
use crate::cli::options::Common;
use crate::kernel::section::Section;
use crate::kernel::{self, log, tracefs};
use crate::process::memory::{self, MemoryFile};
use crate::process::{complain, counted};

/// Opens the object, lets `configure` set its constants and maps, and loads it.
///
/// # Errors
/// Why the kernel refuses, and what would help.
pub fn load<'obj, Builder: SkelBuilder<'obj>>(
    mut builder: Builder,
    object: &'obj mut MaybeUninit<OpenObject>,
    common: &Common,
    configure: impl FnOnce(&mut Setup<'_>) -> Result<()>,
) -> Result<<Builder::Output as OpenSkel<'obj>>::Output> {
    kernel::check_btf(common.btf.as_deref())?;
    memory::give_back();
    log::capture(common.verbose > 1);
    targets::register();
    let mut types = MemoryFile::new().context("cannot make a file in memory")?;
    builder.object_builder_mut().btf_custom_path(types.path())?;
    let mut open = builder.open(object).context("cannot open the BPF object")?;
    let mut setup = Setup::of(open.open_object_mut(), common.btf.as_deref());
    configure(&mut setup)?;
    variants::choose(&mut setup)?;
    targets::choose(&mut setup)?;
    if setup.maps().any(|map| map.name() == "lost") {
        setup.size_per_cpu("lost")?;
    }
    // What libbpf is to look through are the types of this kernel, but few of them.
    types.write(&setup.mentioned_types()?).context("cannot write to memory")?;
    let rest = setup.into_rest();
    let skel = open.load().map_err(|error| refusal(error, "load"))?;
    rest.finish(skel.object())?;
    if common.verbose > 0 {
        report(skel.object());
    }
    memory::give_back();
    Ok(skel)
}

/// Attaches every program that was loaded and has a fixed place, and gives the links: dropping them detaches.
///
/// # Errors
/// Which hook is missing or refused.
pub fn attach<'obj>(skel: &impl Skel<'obj>, common: &Common) -> Result<Vec<Link>> {
    let start = Instant::now();
    let mut links = Vec::new();
    for program in skel.object().progs_mut().filter(|program| program.autoload()) {
        let Some(section) = program.section().to_str() else {
            continue;
        };
        let refused = |error| refusal(error, &format!("attach to {section}"));
        let link = match Section::of(section) {
            Section::Tracepoint(group, name) => tracefs::attach(&program, group, name)?,
            Section::ByHand | Section::Iterator(_) => continue,
            Section::TypedTracepoint(_) | Section::TypedFunction(_) => program.attach_trace().map_err(refused)?,
            Section::Kprobe(_) | Section::Other => program.attach().map_err(refused)?,
        };
        links.push(link);
    }
    // An error was an answer to libbpf's probing of the kernel where everything went well in the end.
    let _ = log::take_warnings();
    if common.verbose > 0 {
        let programs = counted(links.len() as u64, "program");
        complain(&format!("attached {programs} in {:.1} ms", start.elapsed().as_secs_f64() * 1e3));
    }
    Ok(links)
}

/// A line for each program that was loaded.
fn report(object: &Object) {
    for program in object.progs().filter(Program::autoload) {
        complain(&format!("loaded {}, {}", program.name().to_string_lossy(), program.section().to_string_lossy()));
    }
}

/// An error of libbpf with its cause and remedy, as far as they can be told.
fn refusal(error: libbpf_rs::Error, what: &str) -> anyhow::Error {
    let warnings = log::take_warnings();
    if let Some(sentence) = kernel::explain(&warnings) {
        return anyhow!(sentence);
    }
    if kernel::is_locked_down() {
        return anyhow!("the kernel is locked down (confidentiality): it refuses BPF programs that read its memory");
    }
    if error.kind() == libbpf_rs::ErrorKind::PermissionDenied {
        return match kernel::lacking() {
            Some(lacking) => anyhow!(lacking),
            None => anyhow!("the kernel refused permission to {what} the BPF program{}", details(&warnings)),
        };
    }
    anyhow::Error::new(error).context(format!("the kernel refused to {what} the BPF program{}", details(&warnings)))
}

/// What libbpf said first and last: the verifier's log in between is for those who ask.
fn details(warnings: &[String]) -> String {
    match warnings.iter().filter(|line| !line.contains('\n')).collect::<Vec<_>>()[..] {
        [] => String::new(),
        [only] => format!(" ({only}; --verbose twice tells more)"),
        [first, .., last] => format!(" ({first}; {last}; --verbose twice tells more)"),
    }
}
