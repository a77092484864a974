//! The system calls by name.

use std::collections::BTreeSet;

use corescope::Output;
use corescope::json::Object;
use corescope::syscalls::{self, Abi};

/// Names in four columns, as BCC prints them; as JSON, an object for each number.
pub(crate) fn print(out: &mut Output) {
    let all = [Abi::Native, Abi::Compat].map(|abi| syscalls::all(abi).map(move |call| (abi, call)));
    let all = all.into_iter().flatten();
    if out.is_json() {
        for (abi, (number, name)) in all {
            let mut object = Object::new(&mut out.buffer);
            object.text("syscall", name.as_bytes());
            object.text("abi", abi.name().as_bytes());
            object.number("number", number);
            object.end();
            out.end_line();
        }
        return;
    }
    let names: BTreeSet<&str> = all.map(|(_, (_, name))| name).collect();
    for four in names.into_iter().collect::<Vec<_>>().chunks(4) {
        let (last, others) = four.split_last().unwrap_or((&"", &[]));
        for name in others {
            out.push(&format!("{name:<22}   "));
        }
        out.push(last);
        out.end_line();
    }
}
