//! Variants of a program for different kernels: bpf/include/call/syscall.bpf.h, docs/adding-a-tool.md.

use std::cell::OnceCell;

use anyhow::Result;

use super::hooks;
use super::setup::Setup;
use crate::kernel::Types;

/// A program that is not preempted, at a classic tracepoint or a kprobe, for kernels that preempt programs at tracepoints.
const CLASSIC: &str = "_classic";
/// A program that does without `bpf_loop()`, for kernels before 5.17.
const NOLOOP: &str = "_noloop";
/// A program that does without atomic operations that give the old value, which came in 5.12, and with 5.18 to the last JIT.
const NOEXCHANGE: &str = "_noexchange";

/// Of each program `name`, `name_classic` and `name_noloop` or `name_noexchange` leaves the one for this kernel to be loaded, if
/// `name` was to be.
pub(crate) fn choose(setup: &mut Setup<'_>) -> Result<()> {
    let wanted: Vec<(String, bool)> =
        setup.progs().map(|program| (program.name().to_string_lossy().into_owned(), program.autoload())).collect();
    // The same for all, and each time that the types are asked takes a while.
    let (preempts, has_loop) = (OnceCell::new(), OnceCell::new());
    let preempts = |types: &Types| *preempts.get_or_init(|| types.preempts_tracepoints());
    let has_loop = |types: &Types| *has_loop.get_or_init(|| types.has_type("bpf_loop"));
    for (name, is_wanted) in &wanted {
        let variant =
            |end: &str| Some(format!("{name}{end}")).filter(|other| wanted.iter().any(|(known, _)| known == other));
        let (classic, old) = (variant(CLASSIC), variant(NOLOOP).or_else(|| variant(NOEXCHANGE)));
        let chosen = match (&classic, &old) {
            (None, None) => continue,
            (Some(classic), _) if preempts(setup.types()?) && hooks::can_have(setup, classic)? => classic,
            (_, Some(old)) if !has_loop(setup.types()?) => old,
            _ => name,
        };
        for program in [Some(name), classic.as_ref(), old.as_ref()].into_iter().flatten() {
            setup.load_if(program, *is_wanted && program == chosen)?;
        }
    }
    Ok(())
}
