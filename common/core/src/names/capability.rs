//! Capabilities by name, as in include/uapi/linux/capability.h.

use std::borrow::Cow;

const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// The name of a capability; of one that came with a newer kernel its number, as `CAP_41`.
#[must_use]
pub fn name(capability: u32) -> Cow<'static, str> {
    let known = usize::try_from(capability).ok().and_then(|index| NAMES.get(index));
    known.map_or_else(|| format!("CAP_{capability}").into(), |name| (*name).into())
}

/// A capability as a user writes it, `CAP_SYS_ADMIN`, `sys_admin` or `21`.
///
/// # Errors
/// A sentence where there is no such capability.
pub fn parse(text: &str) -> Result<u32, String> {
    let upper = text.to_uppercase();
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    let named = NAMES.iter().position(|name| name.strip_prefix("CAP_") == Some(bare));
    let given = named.and_then(|index| u32::try_from(index).ok()).or_else(|| bare.parse().ok());
    // The kernel keeps 64 of them.
    given
        .filter(|number| *number < u64::BITS)
        .ok_or_else(|| "not a capability (expected a name or number such as CAP_SYS_ADMIN, sys_admin or 21)".into())
}

#[cfg(test)]
mod tests {
    use super::{name, parse};

    #[test]
    fn names_are_understood_as_users_write_them() {
        for text in ["CAP_SYS_ADMIN", "cap_sys_admin", "sys_admin", "21", "CAP_21"] {
            assert_eq!(parse(text), Ok(21), "{text}");
        }
        assert_eq!((parse("0"), parse("63")), (Ok(0), Ok(63)));
        for text in ["", "CAP_", "admin", "-1", "64", "cap_sys_admin "] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn each_number_has_a_name() {
        assert_eq!(name(0), "CAP_CHOWN");
        assert_eq!(name(21), "CAP_SYS_ADMIN");
        assert_eq!(name(40), "CAP_CHECKPOINT_RESTORE");
        assert_eq!(name(41), "CAP_41");
        assert_eq!(name(u32::MAX), "CAP_4294967295");
    }
}
