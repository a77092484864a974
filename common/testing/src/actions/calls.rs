//! System calls that do next to nothing.

use super::{Action, Clock, Place, When};
use crate::workload;

pub(super) const ALL: &[Action] = &[Action {
    name: "getppid",
    what: "getppid(2)",
    times: 500_000,
    clock: Clock::Thread,
    when: When::Never,
    prepare: get_parent,
}];

fn get_parent(_: &Place) -> Box<dyn FnMut()> {
    Box::new(|| workload::calls::get_parents(1))
}
