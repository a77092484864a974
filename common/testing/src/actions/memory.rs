//! Processes that are killed because they want more memory than their cgroup has.

use super::{Action, Clock, Place, When};
use crate::workload::{Cgroup, Oom};

pub(super) const ALL: &[Action] = &[Action {
    name: "oom",
    what: "a process that is killed in its cgroup",
    times: 20,
    clock: Clock::Processes,
    when: When::Outside,
    prepare: run_out,
}];

fn run_out(place: &Place) -> Box<dyn FnMut()> {
    let own = place.cgroup.is_none().then(|| Cgroup::new("cs-work"));
    let cgroup = place.cgroup.as_deref().or(own.as_ref().map(Cgroup::path)).expect("one of them");
    let little = Oom::within(cgroup);
    Box::new(move || {
        let _ = (&own, little.kill());
    })
}
