//! The flags of open(2): by name, and as a filter.

use corescope::flags::{self, Flag};

/// `O_ACCMODE` of open(2), and the three modes.
const ACCESS: u32 = 3;
const MODES: [&str; 4] = ["O_RDONLY", "O_WRONLY", "O_RDWR", "3"];

/// The flags of open(2), those of several bits first.
#[allow(clippy::cast_sign_loss, reason = "bits")]
const FLAGS: &[Flag] = &[
    (libc::O_TMPFILE as u64, "O_TMPFILE"),
    (libc::O_SYNC as u64, "O_SYNC"),
    (libc::O_CREAT as u64, "O_CREAT"),
    (libc::O_EXCL as u64, "O_EXCL"),
    (libc::O_NOCTTY as u64, "O_NOCTTY"),
    (libc::O_TRUNC as u64, "O_TRUNC"),
    (libc::O_APPEND as u64, "O_APPEND"),
    (libc::O_NONBLOCK as u64, "O_NONBLOCK"),
    (libc::O_DSYNC as u64, "O_DSYNC"),
    (libc::O_ASYNC as u64, "O_ASYNC"),
    (libc::O_DIRECT as u64, "O_DIRECT"),
    // libc's own is 0 on 64-bit machines, where programs need not say it.
    (LARGEFILE, "O_LARGEFILE"),
    (libc::O_DIRECTORY as u64, "O_DIRECTORY"),
    (libc::O_NOFOLLOW as u64, "O_NOFOLLOW"),
    (libc::O_NOATIME as u64, "O_NOATIME"),
    (libc::O_CLOEXEC as u64, "O_CLOEXEC"),
    (libc::O_PATH as u64, "O_PATH"),
];
const LARGEFILE: u64 = if cfg!(target_arch = "aarch64") { 0o400_000 } else { 0o100_000 };

/// All flags by name, the access mode first.
pub(crate) fn names(all: u32) -> String {
    let mode = MODES[(all & ACCESS) as usize];
    match all & !ACCESS {
        0 => mode.to_string(),
        rest => format!("{mode}|{}", flags::names(rest.into(), FLAGS)),
    }
}

/// What `-f` asks for: an access mode, or bits that must all be there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted {
    Mode(u32),
    Flags(u32),
}

/// A flag of open(2) by name, as `O_WRONLY`.
///
/// # Errors
/// A sentence for what is none.
pub(crate) fn wanted(name: &str) -> Result<Wanted, String> {
    if let Some(mode) = MODES[..3].iter().position(|mode| *mode == name) {
        return Ok(Wanted::Mode(1 << mode));
    }
    let found = FLAGS.iter().find(|(_, known)| *known == name);
    let bits = found.and_then(|(bits, _)| u32::try_from(*bits).ok());
    bits.map(Wanted::Flags).ok_or_else(|| "not a flag of open(2), as O_WRONLY or O_CREAT".into())
}

/// The access modes as a mask, and the sets of other flags, as the kernel side has them.
pub(crate) fn filter(wanted: &[Wanted]) -> (u32, [u32; 32]) {
    let (mut modes, mut sets) = (0, [0; 32]);
    let mut places = sets.iter_mut();
    for wanted in wanted {
        match wanted {
            Wanted::Mode(mode) => modes |= mode,
            Wanted::Flags(bits) => {
                if let Some(place) = places.next() {
                    *place = *bits;
                }
            }
        }
    }
    (modes, sets)
}
