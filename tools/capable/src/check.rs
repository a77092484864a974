//! A check, as it is printed.

use corescope::{Column, Value};

pub(crate) use crate::bpf::types::capable_event as Check;
use crate::names;

/// The options of a check, include/linux/security.h, and that they are not known, bpf/capable.bpf.c.
const NO_AUDIT: u32 = 2;
const SETS_ID: u32 = 4;
const UNKNOWN: u32 = 1 << 31;

pub(crate) const COLUMNS: &[Column<Check>] = corescope::columns![Check;
    "TIME", left 8, "time", "When it was checked" => |check| Value::Time(check.time_ns),
    "UID", left 6, "uid", "Real user id" => |check| check.uid.into(),
    "PID", left 7, "pid", "Process id" => |check| check.pid.into(),
    "TID", left 7, "tid", "Thread id" => |check| check.tid.into(),
    "COMM", left 16, "comm", "Name of the thread" => |check| Value::c_string(&check.comm),
    "CAP", left 4, "cap", "Number of the capability" => |check| check.capability.into(),
    "NAME", left 20, "name", "Its name; CAP_ and the number, where it is newer than this tool" =>
        |check| names::name(check.capability).into_owned().into(),
    "AUDIT", left 6, "audit", "Whether the check is for the audit log" => |check| option(check, NO_AUDIT, false),
    "VERDICT", left 7, "verdict", "Whether the task has the capability: allow or deny" =>
        |check| if check.ret == 0 { "allow" } else { "deny" }.into(),
    "INSETID", left 7, "insetid", "Whether the check is for a system call that sets user or group ids" =>
        |check| option(check, SETS_ID, true),
    "", left 0, "user_ns", "Inode number of the user namespace in which the capability is needed" =>
        |check| check.user_ns.into(),
];

/// Whether the option is as `wanted`; the tracepoint does not tell.
fn option(check: &Check, option: u32, wanted: bool) -> Value<'static> {
    if check.options & UNKNOWN != 0 { Value::Missing } else { (wanted == (check.options & option != 0)).into() }
}
