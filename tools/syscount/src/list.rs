//! The system calls by name.

use std::collections::BTreeSet;

use corescope::syscalls::{self, Abi};
use corescope::{Column, Output, Table};

const COLUMNS: &[Column<(Abi, u32, &str)>] = corescope::columns![(Abi, u32, &str);
    json SYSCALL => |call| call.2.into(),
    json ABI => |call| call.0.name().into(),
    json "syscall_number" number: "Number of the system call" => |call| call.1.into(),
];

/// Names in four columns, as BCC prints them; as JSON, an object for each number.
pub(crate) fn print(out: &mut Output) {
    let all = [Abi::Native, Abi::Compat];
    let all = all.into_iter().flat_map(|abi| syscalls::all(abi).map(move |(number, name)| (abi, number, name)));
    if out.is_json() {
        let table = Table::new(COLUMNS);
        all.for_each(|call| table.row(out, &call));
        return;
    }
    let names: BTreeSet<&str> = all.map(|(_, _, name)| name).collect();
    for four in names.into_iter().collect::<Vec<_>>().chunks(4) {
        let padded: Vec<String> = four.iter().map(|name| format!("{name:<22}")).collect();
        out.push(padded.join("   ").trim_end());
        out.end_line();
    }
}
