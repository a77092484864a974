//! A check, as it is printed.

use corescope::names::capability;
use corescope::{Column, Value, errno};

pub(crate) use crate::bpf::types::capable_event as Check;

/// The options of a check, include/linux/security.h, and that they are not known, bpf/capable.bpf.c.
const NO_AUDIT: u32 = 2;
const SETS_ID: u32 = 4;
const UNKNOWN: u32 = 1 << 31;

pub(crate) const COLUMNS: &[Column<Check>] = corescope::columns![Check;
    TIME: "When it was checked" => |check| Value::Time(check.time_ns),
    UID => |check| check.uid.into(),
    PID => |check| check.pid.into(),
    TID => |check| check.tid.into(),
    COMM => |check| Value::c_string(&check.comm),
    "CAP" left 4 "cap" number: "Number of the capability" => |check| check.capability.into(),
    "NAME" left 20 "cap_name" text: "Its name; CAP_ and the number if it is newer than this tool" =>
        |check| capability::name(check.capability).into(),
    "AUDIT" left 6 "audit" bool: "Whether the check is for the audit log; null if the kernel's hook does not tell" =>
        |check| option(check, NO_AUDIT, false),
    "VERDICT" left 7 "verdict" text: "Whether the task has the capability: allow or deny" =>
        |check| if check.ret == 0 { "allow" } else { "deny" }.into(),
    "INSETID" left 7 "insetid" bool: "Whether the check is for a system call that sets user or group ids; null likewise" =>
        |check| option(check, SETS_ID, true),
    json "userns" number: "User namespace in which the capability is needed: inode number of /proc/PID/ns/user" =>
        |check| check.user_ns.into(),
    json RET: "What the kernel was answered: 0, or -1 (EPERM)" => |check| check.ret.into(),
    json ERRNO => |check| errno::of(check.ret).into(),
    json ERROR => |check| errno::name_of(check.ret).into(),
];

/// Whether the option is as `wanted`; the tracepoint does not tell.
fn option(check: &Check, option: u32, wanted: bool) -> Value<'static> {
    if check.options & UNKNOWN != 0 { Value::Missing } else { (wanted == (check.options & option != 0)).into() }
}
