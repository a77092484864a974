//! The columns that tools share: header, width, key, type and meaning, said once for all of them.
//!
//! A key means the same in every tool, and has the same type; common/testing/tests/matrix.rs holds all tools to it. What a
//! column is called in text is BCC's choice, so a tool may give it another header (`columns!` of [`super::column`]).

use super::column::Align::{Left, Right};
use super::column::{Field, Kind};

/// A term with a header.
const fn term(header: &'static str, width: usize, key: &'static str, kind: Kind, help: &'static str) -> Field {
    Field::json(key, kind, help).headed(header, Left, width)
}

/// When something happened.
pub const TIME: Field = term("TIME", 8, "time", Kind::Time, "When it happened; of summaries the end of the interval");
/// A process id (tgid).
pub const PID: Field = term("PID", 7, "pid", Kind::Number, "Process id");
/// A thread id.
pub const TID: Field = term("TID", 7, "tid", Kind::Number, "Thread id");
/// The id of a parent process.
pub const PPID: Field = term("PPID", 7, "ppid", Kind::Number, "Process id of the parent");
/// A user id.
pub const UID: Field = term("UID", 6, "uid", Kind::Number, "Real user id");
/// A processor.
pub const CPU: Field = term("CPU", 3, "cpu", Kind::Number, "CPU");
/// The name of a thread or process.
pub const COMM: Field = term("COMM", 16, "comm", Kind::Text, "Name of the thread");
/// The name of a parent process.
pub const PARENT_COMM: Field = term("PARENT", 16, "parent_comm", Kind::Text, "Name of the parent process");
/// The id of the process that something is done to.
pub const TPID: Field = term("TPID", 7, "tpid", Kind::Number, "Process id of the target");
/// The id of the thread that something is done to.
pub const TTID: Field = term("TTID", 7, "ttid", Kind::Number, "Thread id of the target; null for a whole process");
/// The name of what something is done to.
pub const TCOMM: Field = term("TCOMM", 16, "tcomm", Kind::Text, "Name of the target; null if there is none");

/// A system call by name.
pub const SYSCALL: Field = term("SYSCALL", 16, "syscall", Kind::Text, "System call");
/// Which numbers the caller's system calls have.
pub const ABI: Field =
    Field::json("abi", Kind::Text, "Who called: native, or compat for a 32-bit program on a 64-bit kernel");
/// How the caller asked for it.
pub const IO_URING: Field = Field::json("io_uring", Kind::Bool, "Whether io_uring(7) made the call for its program");
/// The raw result.
pub const RET: Field =
    Field::json("ret", Kind::Number, "Result: a negative number is an error (-errno)").headed("RET", Right, 3);
/// The error as a number.
pub const ERRNO: Field =
    Field::json("errno", Kind::Number, "Number of the error (errno), or 0").headed("ERR", Right, 3);
/// The error by name.
pub const ERROR: Field = Field::json("error", Kind::Text, "Name of the error, such as ENOENT; null if there was none");
/// Flags as they were given.
pub const FLAGS: Field = Field::json("flags", Kind::Number, "Flags");
/// The same by name.
pub const FLAG_NAMES: Field = term("FLAGS", 31, "flag_names", Kind::Text, "Flags by name, separated by |");
/// A descriptor.
pub const FD: Field = Field::json("fd", Kind::Number, "File descriptor").headed("FD", Right, 4);
/// What a relative path starts at.
pub const DIRFD: Field = Field::json(
    "dirfd",
    Kind::Number,
    "Descriptor of the directory that a relative path starts at; -100 (AT_FDCWD) is \
        the current one",
);
/// A path, from the program's own memory.
pub const PATH: Field = term("PATH", 0, "path", Kind::Text, "Path as the caller gave it; null if it could not be read");
/// What a path or a descriptor was resolved to.
pub const FILE: Field =
    term("FILE", 0, "file", Kind::Text, "Path of the file, as seen from the process's root directory; null if unknown");
/// A command line.
pub const ARGS: Field = term("ARGS", 0, "args", Kind::Words, "Arguments, the program's name first");
/// Whether it is all there.
pub const ARGS_CUT: Field = Field::json("args_cut", Kind::Bool, "Whether there were more arguments than are shown");
/// A signal.
pub const SIGNAL: Field = term("SIG", 4, "signal", Kind::Number, "Number of the signal");
/// The same by name.
pub const SIGNAL_NAME: Field =
    Field::json("signal_name", Kind::Text, "Name of the signal without SIG; null if it has none");

/// How long something took.
pub const LATENCY_MS: Field =
    Field::json("latency_ns", Kind::Number, "How long it took; null if its start was not seen")
        .headed("LAT(ms)", Right, 9);
/// The length of an interval.
pub const INTERVAL: Field = Field::json("interval_s", Kind::Number, "Length of the interval");
/// How many.
pub const COUNT: Field = Field::json("count", Kind::Number, "How many there were").headed("COUNT", Right, 8);
/// How long they took together.
pub const TOTAL: Field = Field::json("total_ns", Kind::Number, "How long they took together");
/// A network namespace.
pub const NETNS: Field = Field::json("netns", Kind::Number, "Network namespace: inode number of /proc/PID/ns/net");
/// Who a socket belongs to is known in one of several ways.
pub const OWNER: Field = Field::json(
    "owner",
    Kind::Text,
    "How the process is known: seen at work on the socket, found by a search among all open files, or unknown",
);
/// An IP version.
pub const FAMILY: Field = term("IP", 2, "family", Kind::Number, "4 or 6; IPv4 over an IPv6 socket is 4");
/// An address of this machine.
pub const LADDR: Field = term("LADDR", 16, "laddr", Kind::Text, "Local address");
/// A port of this machine.
pub const LPORT: Field = term("LPORT", 5, "lport", Kind::Number, "Local port");
/// An address of another machine.
pub const RADDR: Field = term("RADDR", 16, "raddr", Kind::Text, "Remote address");
/// A port of another machine.
pub const RPORT: Field = term("RPORT", 5, "rport", Kind::Number, "Remote port");
/// What came in.
pub const RX: Field = Field::json("rx_bytes", Kind::Number, "Bytes received").headed("RX_KB", Right, 6);
/// What went out.
pub const TX: Field = Field::json("tx_bytes", Kind::Number, "Bytes sent").headed("TX_KB", Right, 6);
/// A network device.
pub const DEVICE: Field = term("DEVICE", 15, "device", Kind::Text, "Name of the device");
/// A queue of a device.
pub const QUEUE_INDEX: Field =
    term("QUEUE", 5, "queue_index", Kind::Number, "Which of the device's queues it is, from 0");
/// A disk.
pub const DISK: Field = term("DISK", 8, "disk", Kind::Text, "Name of the disk");
/// What a request to a disk asks for.
pub const OPERATION: Field =
    Field::json("operation", Kind::Text, "What was asked for: read, write, discard, flush and so on");
/// How much.
pub const BYTES: Field = Field::json("bytes", Kind::Number, "Bytes").headed("BYTES", Right, 7);
/// A PID namespace.
pub const PIDNS: Field = Field::json("pidns", Kind::Number, "PID namespace: inode number of /proc/PID/ns/pid");
/// A mount namespace.
pub const MNTNS: Field = term("MNT_NS", 11, "mntns", Kind::Number, "Mount namespace: inode number of /proc/PID/ns/mnt");
/// A cgroup.
pub const CGROUP: Field = term("CGROUP", 0, "cgroup", Kind::Text, "Path of the cgroup, from the root of its hierarchy");

/// All terms.
const ALL: &[Field] = &[
    TIME,
    PID,
    TID,
    PPID,
    UID,
    CPU,
    COMM,
    PARENT_COMM,
    TPID,
    TTID,
    TCOMM,
    SYSCALL,
    ABI,
    IO_URING,
    RET,
    ERRNO,
    ERROR,
    FLAGS,
    FLAG_NAMES,
    FD,
    DIRFD,
    PATH,
    FILE,
    ARGS,
    ARGS_CUT,
    SIGNAL,
    SIGNAL_NAME,
    LATENCY_MS,
    INTERVAL,
    COUNT,
    TOTAL,
    NETNS,
    OWNER,
    FAMILY,
    LADDR,
    LPORT,
    RADDR,
    RPORT,
    RX,
    TX,
    DEVICE,
    QUEUE_INDEX,
    DISK,
    OPERATION,
    BYTES,
    PIDNS,
    MNTNS,
    CGROUP,
];

/// Whether a key is one of them.
pub(crate) fn has(key: &str) -> bool {
    ALL.iter().any(|term| term.key == key)
}

#[cfg(test)]
mod tests {
    use super::{ERRNO, PID, TOTAL};

    #[test]
    fn units_are_in_the_keys() {
        assert_eq!((PID.unit(), TOTAL.unit()), ("", "nanoseconds"));
        assert_eq!(ERRNO.headed("E", super::Left, 1).key, "errno");
    }

    #[test]
    fn each_key_is_there_once() {
        let mut keys: Vec<_> = super::ALL.iter().map(|term| term.key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), super::ALL.len());
        assert!(super::has("pid") && !super::has("no_such_key"));
    }
}
