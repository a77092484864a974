//! What the arguments of each call mean: include/uapi/linux/mount.h, fcntl.h and fs.h of the kernel.

use corescope::flags::Flag;

use crate::bpf::types::mountsnoop_call as Number;

/// What an argument is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A string.
    Text,
    /// The value of fsconfig(2): a string, bytes or nothing, as the command says.
    Value,
    /// A file descriptor.
    Fd,
    /// A size.
    Size,
    /// Flags, 32 bits of them.
    Flags(&'static [Flag]),
    /// The flags of mount(2), which may have the mark of old programs.
    MountFlags,
    /// A command of fsconfig(2).
    Command,
    /// A struct mount_attr.
    Attributes,
}

/// A call: its name, the system call, its number on the kernel side, and what its arguments are called in JSON, in their
/// order.
///
/// umount2(2) goes by the name that BCC gives it, that of libc's function. What is mounted is always `source`, where it is
/// mounted `target`, whatever the call's own manual page says.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) syscall: &'static str,
    pub(crate) number: Number,
    pub(crate) arguments: &'static [(&'static str, Kind)],
}

impl Call {
    /// The call of an event.
    pub(crate) fn of(number: u16) -> &'static Self {
        CALLS.iter().find(|call| call.number.0 == u32::from(number)).unwrap_or(&CALLS[0])
    }

    /// All system calls by their numbers, for the kernel side.
    pub(crate) fn numbers() -> Vec<(&'static str, u32)> {
        CALLS.iter().map(|call| (call.syscall, call.number.0)).collect()
    }
}

pub(crate) const CALLS: &[Call] = &[
    Call {
        name: "mount",
        syscall: "mount",
        number: Number::MOUNTSNOOP_MOUNT,
        arguments: &[
            ("source", Kind::Text),
            ("target", Kind::Text),
            ("fs_type", Kind::Text),
            ("flags", Kind::MountFlags),
            ("data", Kind::Text),
        ],
    },
    Call {
        name: "umount",
        syscall: "umount2",
        number: Number::MOUNTSNOOP_UMOUNT,
        arguments: &[("target", Kind::Text), ("flags", Kind::Flags(UMOUNT))],
    },
    Call {
        name: "umount",
        syscall: "umount",
        number: Number::MOUNTSNOOP_OLD_UMOUNT,
        arguments: &[("target", Kind::Text)],
    },
    Call {
        name: "pivot_root",
        syscall: "pivot_root",
        number: Number::MOUNTSNOOP_PIVOT_ROOT,
        arguments: &[("source", Kind::Text), ("target", Kind::Text)],
    },
    Call {
        name: "fsopen",
        syscall: "fsopen",
        number: Number::MOUNTSNOOP_FSOPEN,
        arguments: &[("fs_type", Kind::Text), ("flags", Kind::Flags(FSOPEN))],
    },
    Call {
        name: "fspick",
        syscall: "fspick",
        number: Number::MOUNTSNOOP_FSPICK,
        arguments: &[("target_fd", Kind::Fd), ("target", Kind::Text), ("flags", Kind::Flags(FSPICK))],
    },
    Call {
        name: "fsconfig",
        syscall: "fsconfig",
        number: Number::MOUNTSNOOP_FSCONFIG,
        arguments: &[
            ("fd", Kind::Fd),
            ("command", Kind::Command),
            ("key", Kind::Text),
            ("value", Kind::Value),
            ("aux", Kind::Fd),
        ],
    },
    Call {
        name: "fsmount",
        syscall: "fsmount",
        number: Number::MOUNTSNOOP_FSMOUNT,
        arguments: &[("fd", Kind::Fd), ("flags", Kind::Flags(FSMOUNT)), ("attr_set", Kind::Flags(MOUNT_ATTR))],
    },
    Call {
        name: "move_mount",
        syscall: "move_mount",
        number: Number::MOUNTSNOOP_MOVE_MOUNT,
        arguments: &[
            ("source_fd", Kind::Fd),
            ("source", Kind::Text),
            ("target_fd", Kind::Fd),
            ("target", Kind::Text),
            ("flags", Kind::Flags(MOVE_MOUNT)),
        ],
    },
    Call {
        name: "open_tree",
        syscall: "open_tree",
        number: Number::MOUNTSNOOP_OPEN_TREE,
        arguments: &[("source_fd", Kind::Fd), ("source", Kind::Text), ("flags", Kind::Flags(OPEN_TREE))],
    },
    Call {
        name: "mount_setattr",
        syscall: "mount_setattr",
        number: Number::MOUNTSNOOP_MOUNT_SETATTR,
        arguments: &[
            ("target_fd", Kind::Fd),
            ("target", Kind::Text),
            ("flags", Kind::Flags(AT)),
            ("attr", Kind::Attributes),
            ("attr_bytes", Kind::Size),
        ],
    },
    Call {
        name: "open_tree_attr",
        syscall: "open_tree_attr",
        number: Number::MOUNTSNOOP_OPEN_TREE_ATTR,
        arguments: &[
            ("source_fd", Kind::Fd),
            ("source", Kind::Text),
            ("flags", Kind::Flags(OPEN_TREE)),
            ("attr", Kind::Attributes),
            ("attr_bytes", Kind::Size),
        ],
    },
];

/// The fields of a struct mount_attr, each of 8 bytes.
pub(crate) const ATTRIBUTES: [(&str, Kind); 4] = [
    ("attr_set", Kind::Flags(MOUNT_ATTR)),
    ("attr_clr", Kind::Flags(MOUNT_ATTR)),
    ("propagation", Kind::Flags(MOUNT)),
    ("userns_fd", Kind::Fd),
];

/// The commands of fsconfig(2), by number.
pub(crate) const COMMANDS: &[&str] = &[
    "FSCONFIG_SET_FLAG",
    "FSCONFIG_SET_STRING",
    "FSCONFIG_SET_BINARY",
    "FSCONFIG_SET_PATH",
    "FSCONFIG_SET_PATH_EMPTY",
    "FSCONFIG_SET_FD",
    "FSCONFIG_CMD_CREATE",
    "FSCONFIG_CMD_RECONFIGURE",
    "FSCONFIG_CMD_CREATE_EXCL",
];
/// FSCONFIG_SET_BINARY, the only one whose value is no string.
pub(crate) const BINARY: u64 = 2;

/// What programs that know kernels before 2.4 put into the upper half of mount(2)'s flags.
pub(crate) const MAGIC: u64 = 0xc0ed_0000;
pub(crate) const MAGIC_MASK: u64 = 0xffff_0000;

pub(crate) const MOUNT: &[Flag] = &[
    (1, "MS_RDONLY"),
    (1 << 1, "MS_NOSUID"),
    (1 << 2, "MS_NODEV"),
    (1 << 3, "MS_NOEXEC"),
    (1 << 4, "MS_SYNCHRONOUS"),
    (1 << 5, "MS_REMOUNT"),
    (1 << 6, "MS_MANDLOCK"),
    (1 << 7, "MS_DIRSYNC"),
    (1 << 8, "MS_NOSYMFOLLOW"),
    (1 << 10, "MS_NOATIME"),
    (1 << 11, "MS_NODIRATIME"),
    (1 << 12, "MS_BIND"),
    (1 << 13, "MS_MOVE"),
    (1 << 14, "MS_REC"),
    (1 << 15, "MS_SILENT"),
    (1 << 16, "MS_POSIXACL"),
    (1 << 17, "MS_UNBINDABLE"),
    (1 << 18, "MS_PRIVATE"),
    (1 << 19, "MS_SLAVE"),
    (1 << 20, "MS_SHARED"),
    (1 << 21, "MS_RELATIME"),
    (1 << 22, "MS_KERNMOUNT"),
    (1 << 23, "MS_I_VERSION"),
    (1 << 24, "MS_STRICTATIME"),
    (1 << 25, "MS_LAZYTIME"),
    (1 << 26, "MS_SUBMOUNT"),
    (1 << 27, "MS_NOREMOTELOCK"),
    (1 << 28, "MS_NOSEC"),
    (1 << 29, "MS_BORN"),
    (1 << 30, "MS_ACTIVE"),
    (1 << 31, "MS_NOUSER"),
];
const UMOUNT: &[Flag] = &[(1, "MNT_FORCE"), (2, "MNT_DETACH"), (4, "MNT_EXPIRE"), (8, "UMOUNT_NOFOLLOW")];
const FSOPEN: &[Flag] = &[(1, "FSOPEN_CLOEXEC")];
const FSPICK: &[Flag] =
    &[(1, "FSPICK_CLOEXEC"), (2, "FSPICK_SYMLINK_NOFOLLOW"), (4, "FSPICK_NO_AUTOMOUNT"), (8, "FSPICK_EMPTY_PATH")];
const FSMOUNT: &[Flag] = &[(1, "FSMOUNT_CLOEXEC"), (2, "FSMOUNT_NAMESPACE")];
const MOVE_MOUNT: &[Flag] = &[
    (0x1, "MOVE_MOUNT_F_SYMLINKS"),
    (0x2, "MOVE_MOUNT_F_AUTOMOUNTS"),
    (0x4, "MOVE_MOUNT_F_EMPTY_PATH"),
    (0x10, "MOVE_MOUNT_T_SYMLINKS"),
    (0x20, "MOVE_MOUNT_T_AUTOMOUNTS"),
    (0x40, "MOVE_MOUNT_T_EMPTY_PATH"),
    (0x100, "MOVE_MOUNT_SET_GROUP"),
    (0x200, "MOVE_MOUNT_BENEATH"),
];
const AT: &[Flag] = &[
    (0x100, "AT_SYMLINK_NOFOLLOW"),
    (0x400, "AT_SYMLINK_FOLLOW"),
    (0x800, "AT_NO_AUTOMOUNT"),
    (0x1000, "AT_EMPTY_PATH"),
    (0x8000, "AT_RECURSIVE"),
];
const OPEN_TREE: &[Flag] = &[
    (1, "OPEN_TREE_CLONE"),
    (2, "OPEN_TREE_NAMESPACE"),
    (0o2_000_000, "OPEN_TREE_CLOEXEC"),
    (0x100, "AT_SYMLINK_NOFOLLOW"),
    (0x800, "AT_NO_AUTOMOUNT"),
    (0x1000, "AT_EMPTY_PATH"),
    (0x8000, "AT_RECURSIVE"),
];
const MOUNT_ATTR: &[Flag] = &[
    (0x1, "MOUNT_ATTR_RDONLY"),
    (0x2, "MOUNT_ATTR_NOSUID"),
    (0x4, "MOUNT_ATTR_NODEV"),
    (0x8, "MOUNT_ATTR_NOEXEC"),
    // The mask of the next two, as it is cleared before one of them is set.
    (0x70, "MOUNT_ATTR__ATIME"),
    (0x10, "MOUNT_ATTR_NOATIME"),
    (0x20, "MOUNT_ATTR_STRICTATIME"),
    (0x80, "MOUNT_ATTR_NODIRATIME"),
    (0x10_0000, "MOUNT_ATTR_IDMAP"),
    (0x20_0000, "MOUNT_ATTR_NOSYMFOLLOW"),
];
