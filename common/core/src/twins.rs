//! Programs and maps that are there several times, for kernels of different kinds: bpf/include/syscall.bpf.h.

use std::cell::OnceCell;

use anyhow::Result;

use crate::kernel::Types;
use crate::setup::Setup;
use crate::{kernel, object};

/// How the name of a program ends that is not preempted, for kernels that preempt programs at tracepoints.
const NOT_PREEMPTED: &str = "_np";
/// How the name of a program ends that does without `bpf_loop()`, for kernels before 5.17, or of a map for such programs.
const OLD: &str = "_old";

/// Of each program `name`, `name_np` and `name_old` leaves the one for this kernel to be loaded, if `name` was to be; of
/// maps `name` and `name_old` the one to be made.
pub(crate) fn choose(setup: &mut Setup<'_>) -> Result<()> {
    let wanted: Vec<(String, bool)> =
        setup.progs().map(|program| (program.name().to_string_lossy().into_owned(), program.autoload())).collect();
    // The same for all, and each time that the types are asked takes a while.
    let (preempts, is_old) = (OnceCell::new(), OnceCell::new());
    let preempts = |types: &Types| *preempts.get_or_init(|| types.preempts_tracepoints());
    let is_old = |types: &Types| *is_old.get_or_init(|| !types.has_type("bpf_loop"));
    for (name, is_wanted) in &wanted {
        let twin =
            |end: &str| Some(format!("{name}{end}")).filter(|twin| wanted.iter().any(|(known, _)| known == twin));
        let (not_preempted, old) = (twin(NOT_PREEMPTED), twin(OLD));
        let chosen = match (&not_preempted, &old) {
            (None, None) => continue,
            (Some(twin), _) if preempts(setup.types()?) && can_attach(setup, twin) => twin,
            (_, Some(twin)) if is_old(setup.types()?) => twin,
            _ => name,
        };
        for program in [Some(name), not_preempted.as_ref(), old.as_ref()].into_iter().flatten() {
            object::set_autoload(setup, program, *is_wanted && program == chosen);
        }
    }
    let maps: Vec<_> =
        setup.maps().filter_map(|map| map.name().to_str()?.strip_suffix(OLD).map(String::from)).collect();
    for name in maps {
        let is_old = is_old(setup.types()?);
        for mut map in setup.maps_mut() {
            match map.name().to_str().and_then(|found| found.strip_prefix(&name)) {
                Some("") => map.set_autocreate(!is_old)?,
                Some(OLD) => map.set_autocreate(is_old)?,
                _ => (),
            }
        }
    }
    Ok(())
}

/// Whether the kernel has such hooks as the program is for, as far as not all kernels have them.
fn can_attach(setup: &Setup<'_>, name: &str) -> bool {
    let found = setup.progs().find(|program| program.name() == name);
    let is_kprobe = found.is_some_and(|program| program.section().to_string_lossy().starts_with("kprobe/"));
    !is_kprobe || kernel::has_kprobes()
}
