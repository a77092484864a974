//! Calls that need a capability.

use super::{Action, Clock, Place, When};

pub(super) const ALL: &[Action] = &[Action {
    name: "chroot",
    what: "chroot(2), which needs a capability",
    times: 200_000,
    clock: Clock::Thread,
    when: When::EachRound,
    prepare: chroot,
}];

fn chroot(_: &Place) -> Box<dyn FnMut()> {
    // SAFETY: the string ends in NUL. The root stays what it is.
    Box::new(|| assert_eq!(unsafe { libc::chroot(c"/".as_ptr()) }, 0, "CAP_SYS_CHROOT"))
}
