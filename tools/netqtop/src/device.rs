//! Network devices by name.

use std::fs;

use anyhow::Result;
use corescope::bail;
use corescope::net::netns;

/// The kernel's `IFNAMSIZ`, with the NUL.
const LENGTH: usize = 16;

pub(crate) fn name(text: &str) -> Result<String, String> {
    let possible =
        (1..LENGTH).contains(&text.len()) && !text.contains(['/', ':']) && !text.contains(char::is_whitespace);
    if possible { Ok(text.into()) } else { Err("not the name of a network device, which has 15 bytes at most".into()) }
}

/// A name as the kernel side compares it, and which bits of that count: what follows its NUL does not.
pub(crate) fn bytes(name: &str) -> ([u8; LENGTH], [u8; LENGTH]) {
    let (mut bytes, mut bits) = ([0; LENGTH], [0; LENGTH]);
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bits[..=name.len()].fill(u8::MAX);
    (bytes, bits)
}

/// Refuses a name that no device has in a network namespace, where that can be known: it needs a process that lives there.
///
/// # Errors
/// There is no such device.
pub(crate) fn must_be_there(name: &str, netns: u32) -> Result<()> {
    let Some(pid) = netns::all().get(&netns).copied() else { return Ok(()) };
    let Ok(text) = fs::read_to_string(format!("/proc/{pid}/net/dev")) else { return Ok(()) };
    let all = devices(&text);
    if !all.contains(&name) {
        bail!("there is no network device {name} in this network namespace, but {}", all.join(", "));
    }
    Ok(())
}

/// Two lines of headers, then `  eth0: 1 2 3`.
fn devices(text: &str) -> Vec<&str> {
    text.lines().skip(2).filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim()).collect()
}

#[cfg(test)]
mod tests {
    use super::{bytes, devices, name};

    #[test]
    fn names_end_with_their_nul() {
        let (name, bits) = bytes("lo");
        assert_eq!((&name[..4], &bits[..4], bits[15]), (&b"lo\0\0"[..], &[255, 255, 255, 0][..], 0));
        assert_eq!(bytes("fifteen_letters").1, [255; 16]);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        assert_eq!(name("eth0"), Ok("eth0".into()));
        assert!(["", "sixteen__letters", "a b", "eth0:1", "a/b"].into_iter().all(|text| name(text).is_err()));
    }

    #[test]
    fn devices_are_in_front_of_colons() {
        assert_eq!(devices("Inter-|\n face |\n    lo: 1 2\n  eth0:3 4\n"), ["lo", "eth0"]);
    }
}
