//! Programs that are there twice, for kernels that preempt programs at tracepoints and for those that do not.

use anyhow::Result;

use crate::object;
use crate::setup::Setup;

/// How the name of the program ends that is not preempted: SYSCALL_EXIT in bpf/include/syscall.bpf.h.
const NOT_PREEMPTED: &str = "_np";

/// Of each two programs `name` and `name_np` leaves the one for this kernel to be loaded, if `name` was to be.
pub(crate) fn choose(setup: &mut Setup<'_>) -> Result<()> {
    let wanted: Vec<(String, bool)> =
        setup.progs().map(|program| (program.name().to_string_lossy().into_owned(), program.autoload())).collect();
    let twins = wanted.iter().filter_map(|(name, _)| Some((name, name.strip_suffix(NOT_PREEMPTED)?)));
    for (twin, name) in twins {
        let is_wanted = wanted.iter().any(|(known, wanted)| known == name && *wanted);
        let preempts = setup.types()?.preempts_tracepoints();
        object::set_autoload(setup, name, is_wanted && !preempts);
        object::set_autoload(setup, twin, is_wanted && preempts);
    }
    Ok(())
}
