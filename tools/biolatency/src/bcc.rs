//! What BCC's `-j` prints: a dictionary for each histogram.

use corescope::disk;
use corescope::histogram::{Counted, Look};
use corescope::json::Object;
use corescope::{Output, escape};

use crate::bpf::types::biolatency_key as Key;

/// Prints the histograms of an interval.
pub(crate) fn print(out: &mut Output, all: &[Counted<Key>], look: &Look) {
    let now = out.clock.now_ns();
    let mut date = Vec::new();
    out.clock.push_rfc3339(&mut date, now);
    // 2019-11-08 16:29:40
    date.truncate(19);
    date[10] = b' ';
    for counted in all {
        let mut object = Object::new(&mut out.buffer);
        object.text("ts", &date);
        object.text("val_type", look.header.as_bytes());
        let slots = counted.histogram.slots();
        let used = slots.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
        object.list("data", slots[..used].iter().enumerate(), |out, (slot, count)| {
            let (low, high) = look.scale.bounds(slot);
            let mut bucket = Object::new(out);
            bucket.number("interval-start", low);
            bucket.number("interval-end", high);
            bucket.number("count", *count);
            bucket.end();
        });
        let key = &counted.key;
        if key.disk[0] != 0 {
            object.text("disk", escape::c_string(&key.disk));
        }
        if let Some(flags) = crate::flags(key) {
            object.text("flags", disk::flag_names(flags).as_bytes());
        }
        object.end();
        out.end_line();
    }
}
