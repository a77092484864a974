//! Network addresses as the kernel holds them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Address families, as in a socket's `skc_family`.
pub const AF_INET: u16 = 2;
/// See [`AF_INET`].
pub const AF_INET6: u16 = 10;

/// The address in the 16 bytes that the kernel side fills: IPv4 in the first four.
#[must_use]
pub fn address(family: u16, bytes: [u8; 16]) -> IpAddr {
    if family == AF_INET {
        let [a, b, c, d, ..] = bytes;
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    } else {
        // An IPv4 connection of an IPv6 socket is one of IPv4 to whoever looks at the network.
        Ipv6Addr::from(bytes).to_canonical()
    }
}

/// `192.0.2.1:443`, `[2001:db8::1]:443`.
#[must_use]
pub fn with_port(address: IpAddr, port: u16) -> String {
    SocketAddr::new(address, port).to_string()
}

#[cfg(test)]
mod tests {
    use super::{AF_INET, AF_INET6, address, with_port};

    #[test]
    fn both_families_and_mapped_addresses() {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&[192, 0, 2, 1]);
        assert_eq!(with_port(address(AF_INET, bytes), 443), "192.0.2.1:443");
        bytes = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        assert_eq!(with_port(address(AF_INET6, bytes), 80), "[2001:db8::1]:80");
        bytes = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1];
        assert_eq!(with_port(address(AF_INET6, bytes), 80), "127.0.0.1:80");
    }
}
