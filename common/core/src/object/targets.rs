//! What programs are attached to, by the number of its type.
//!
//! libbpf reads all of the kernel's types once more to find one tracepoint or function, a quarter of the time until a tool
//! is attached. [`Types`](crate::kernel::Types) has read them already, so the numbers are found there and libbpf is given them.

use std::ffi::{c_int, c_long};
use std::sync::Once;

use anyhow::{Result, anyhow};
use libbpf_rs::{ErrorKind, libbpf_sys};

use super::setup::Setup;
use crate::kernel::section::Section;

/// Lets libbpf take numbers for programs of these sections; before an object is opened.
pub(crate) fn register() {
    static ONCE: Once = Once::new();
    let kinds = [
        (c"tp_btf+", libbpf_sys::BPF_TRACE_RAW_TP),
        (c"fentry+", libbpf_sys::BPF_TRACE_FENTRY),
        (c"fexit+", libbpf_sys::BPF_TRACE_FEXIT),
        (c"iter+", libbpf_sys::BPF_TRACE_ITER),
    ];
    let options = libbpf_sys::libbpf_prog_handler_opts {
        sz: size_of::<libbpf_sys::libbpf_prog_handler_opts>() as libbpf_sys::size_t,
        cookie: 0,
        prog_setup_fn: None,
        prog_prepare_load_fn: Some(prepare),
        prog_attach_fn: None,
    };
    ONCE.call_once(|| {
        for (section, attach_type) in kinds {
            let kind = libbpf_sys::BPF_PROG_TYPE_TRACING;
            // SAFETY: the string ends in NUL, the options state their size, and libbpf copies both. Where memory is too
            // short for that, libbpf's own way is left.
            unsafe {
                libbpf_sys::libbpf_register_prog_handler(section.as_ptr(), kind, attach_type, &raw const options)
            };
        }
    });
}

/// libbpf keeps a number for the program that another program is attached to, which none here is: [`choose`] puts the
/// type's number there.
unsafe extern "C" fn prepare(
    _: *mut libbpf_sys::bpf_program,
    options: *mut libbpf_sys::bpf_prog_load_opts,
    _: c_long,
) -> c_int {
    // SAFETY: libbpf's own options, which it hands over to be changed.
    let options = unsafe { &mut *options };
    if options.attach_prog_fd != 0 {
        options.attach_btf_id = options.attach_prog_fd;
        options.attach_prog_fd = 0;
    }
    0
}

/// Finds the target of each program that is to be loaded and is attached by a type.
///
/// # Errors
/// A sentence where the kernel has none of that name.
pub(crate) fn choose(setup: &mut Setup<'_>) -> Result<()> {
    let target = |section: &str| {
        let section = Section::of(section);
        let (kind, name) = section.words()?;
        let type_name = section.type_name()?;
        let types = setup.types().ok()?;
        let id = match section {
            Section::TypedTracepoint(name) => types.tracepoint(name),
            _ => types.function(&type_name),
        };
        Some((kind, name.to_string(), id))
    };
    let programs = setup.progs();
    let targets: Vec<Option<(&str, String, Option<u32>)>> =
        programs.map(|program| program.section().to_str().filter(|_| program.autoload()).and_then(target)).collect();
    for (mut program, target) in setup.progs_mut().zip(targets) {
        match target {
            None => (),
            Some((_, _, Some(id))) => program.set_attach_target(id.cast_signed(), None)?,
            // In a module, if anywhere.
            Some((kind, name, None)) => {
                let missing = format!("this kernel has no {kind} {name}");
                program.set_attach_target(0, Some(name)).map_err(|error| match error.kind() {
                    ErrorKind::PermissionDenied => {
                        anyhow!("{missing} (its modules could not be searched: permission denied)")
                    }
                    _ => anyhow!(missing),
                })?;
            }
        }
    }
    Ok(())
}
