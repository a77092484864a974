//! Opening, loading and attaching a BPF object, with failures told in one sentence.

use std::mem::MaybeUninit;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use libbpf_rs::skel::{OpenSkel, Skel, SkelBuilder};
use libbpf_rs::{Link, OpenObject};

use super::setup::{self, Setup};
use super::{targets, variants};
use crate::cli::options::Common;
use crate::kernel::section::Section;
use crate::kernel::{self, log, tracefs};
use crate::process::complain;
use crate::process::memory::{self, MemoryFile};

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
    log::capture(common.verbose);
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
    let inner = setup.into_inner_maps();
    let skel = open.load().map_err(|error| refusal(error, "load"))?;
    setup::insert_inner_maps(skel.object(), &inner)?;
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
    if common.verbose {
        complain(&format!("attached {} programs in {:.1} ms", links.len(), start.elapsed().as_secs_f64() * 1e3));
    }
    Ok(links)
}

/// An error of libbpf with its cause and remedy, as far as they can be told.
fn refusal(error: libbpf_rs::Error, what: &str) -> anyhow::Error {
    let warnings = log::take_warnings();
    if let Some(sentence) = kernel::explain(&warnings) {
        return anyhow!(sentence);
    }
    if error.kind() == libbpf_rs::ErrorKind::PermissionDenied {
        return if kernel::is_privileged() {
            anyhow!("the kernel refused permission to {what} the BPF program{}", details(&warnings))
        } else {
            anyhow!("BPF programs need privileges: run it as root, or with CAP_BPF and CAP_PERFMON")
        };
    }
    anyhow::Error::new(error).context(format!("the kernel refused to {what} the BPF program{}", details(&warnings)))
}

/// What libbpf said first and last: the verifier's log in between is for --verbose.
fn details(warnings: &[String]) -> String {
    match warnings.iter().filter(|line| !line.contains('\n')).collect::<Vec<_>>()[..] {
        [] => String::new(),
        [only] => format!(" ({only}; --verbose tells more)"),
        [first, .., last] => format!(" ({first}; {last}; --verbose tells more)"),
    }
}
