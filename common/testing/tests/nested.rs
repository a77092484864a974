//! Programs that interrupt each other while they build an event: none spoils another's, and each is there or counted as lost.

use std::mem::MaybeUninit;

use bpf::HooktestSkelBuilder;
use bpf::types::hooktest_event as Event;
use corescope::attach::{Rate, Samples};
use corescope::read::ring::Ring;
use corescope::{Common, Lost};
use corescope_testing::tool::turn;
use corescope_testing::workload::{calls, pin};

corescope::skeleton!(library);

const CALLS: u64 = 1999;
/// More often than a call takes, so that most are interrupted.
const RATE: Rate = Rate::Hertz(4999);

/// How many events were made, how many of them in another's midst, how many came and how many were reported lost, with a
/// buffer of this size.
fn watch(buffer: u32) -> (u64, u64, u64, u64) {
    let mut object = MaybeUninit::uninit();
    let skel = corescope::load(HooktestSkelBuilder::default(), &mut object, &Common::default(), |setup| {
        for mut program in setup.progs_mut() {
            let wanted = ["hooktest_slow", "hooktest_timer"].iter().any(|name| program.name() == *name);
            program.set_autoload(wanted);
        }
        setup.size("events", buffer)?;
        setup.set("tgid", std::process::id())
    })
    .expect("hooks of all kernels");
    let mut lost = Lost::of(&skel).expect("counts");
    let mut ring = Ring::of(&skel.maps.events).expect("a ring buffer");
    // Not the tracepoint alone: the first call would be seen before the last hook is there.
    let samples = Samples::attach(&skel.progs.hooktest_timer, RATE, Some(vec![0])).expect("CPU 0");
    let links = corescope::attach(&skel, &Common::default()).expect("a tracepoint");
    calls::get_parents(CALLS);
    drop((links, samples));
    let mut came = 0;
    ring.consume(|record| {
        let (event, _) = corescope::event::<Event>(record);
        assert!(event.words.iter().all(|word| *word == event.words[0]), "{:?}", event.words);
        came += 1;
        true
    });
    let lost = lost.take().iter().filter(|missing| missing.key == "lost").map(|missing| missing.count).sum();
    let counts = skel.maps.bss_data.as_ref().expect("counters");
    (counts.made, counts.nested, came, lost)
}

#[test]
fn events_within_events_are_whole_and_counted() {
    let _turn = turn();
    std::thread::spawn(|| {
        pin(0);
        let (made, nested, came, lost) = watch(1 << 22);
        assert!(made > CALLS && nested > 10, "{nested} of {made}");
        assert_eq!((came, lost), (made, 0));
        let (made, nested, came, lost) = watch(1 << 16);
        assert!(nested > 10 && lost > 0, "{nested} of {made}, {lost} lost");
        assert_eq!(came + lost, made);
    })
    .join()
    .expect("it only counts");
}
