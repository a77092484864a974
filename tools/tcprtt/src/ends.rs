//! Which connections are traced, by their ends.

use std::net::{IpAddr, Ipv6Addr};

use anyhow::Result;
use corescope::Setup;
use corescope::cli::{self, Usage};
use corescope::net::netns;

/// BCC's filters.
#[derive(Debug, clap::Args)]
pub(crate) struct Ends {
    /// Trace connections with this local port only
    #[arg(short = 'p', long, value_name = "PORT", value_parser = port)]
    lport: Option<u32>,
    /// Trace connections with this remote port only
    #[arg(short = 'P', long, value_name = "PORT", value_parser = port)]
    rport: Option<u32>,
    /// Trace connections with this local address only
    #[arg(short = 'a', long, value_name = "ADDRESS")]
    laddr: Option<IpAddr>,
    /// Trace connections with this remote address only
    #[arg(short = 'A', long, value_name = "ADDRESS")]
    raddr: Option<IpAddr>,
    /// Trace IPv4 only, which may be an IPv6 socket's
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    ipv4: bool,
    /// Trace IPv6 only
    #[arg(short = '6', long)]
    ipv6: bool,
    /// Trace this network namespace only: inode number of /proc/PID/ns/net
    #[arg(long, value_name = "INODE", value_parser = cli::count::<u32>)]
    netns: Option<u32>,
}

fn port(text: &str) -> Result<u32, String> {
    text.parse::<u16>()
        .ok()
        .filter(|port| *port > 0)
        .map(u32::from)
        .ok_or_else(|| "expected a port, from 1 to 65535".into())
}

impl Ends {
    /// Whether any connection is left out.
    pub(crate) fn is_any(&self) -> bool {
        let numbers = [self.lport, self.rport, self.netns];
        numbers.iter().any(Option::is_some) || self.laddr.or(self.raddr).is_some() || self.ipv4 || self.ipv6
    }

    /// Sets the constants of the object.
    ///
    /// # Errors
    /// No connection can be like this.
    pub(crate) fn apply(&self, setup: &mut Setup<'_>) -> Result<()> {
        setup.set("only_version", self.version()?)?;
        setup.set("only_local_port", self.lport.unwrap_or(0))?;
        setup.set("only_remote_port", self.rport.unwrap_or(0))?;
        self.netns.inspect(|netns| netns::complain_if_empty(*netns));
        setup.set("only_netns", self.netns.unwrap_or(0))?;
        setup.set("only_local", self.laddr.is_some())?;
        setup.set("only_local_address", bytes(self.laddr))?;
        setup.set("only_remote", self.raddr.is_some())?;
        setup.set("only_remote_address", bytes(self.raddr))
    }

    /// 4 or 6 where it was asked for, 0 for both.
    fn version(&self) -> Result<u32> {
        let asked = if self.ipv4 { 4 } else { u32::from(self.ipv6) * 6 };
        let of = |address: IpAddr| if address.to_canonical().is_ipv4() { 4 } else { 6 };
        let mut all: Vec<u32> = [self.laddr, self.raddr].into_iter().flatten().map(of).collect();
        all.extend(Some(asked).filter(|asked| *asked > 0));
        if all.iter().any(|version| *version != all[0]) {
            return Err(
                Usage("a connection is either one of IPv4 or of IPv6, and has addresses of that only".into()).into()
            );
        }
        Ok(asked)
    }
}

/// As the kernel side compares addresses: those of IPv4 are mapped.
fn bytes(address: Option<IpAddr>) -> [u8; 16] {
    match address {
        Some(IpAddr::V4(address)) => address.to_ipv6_mapped().octets(),
        Some(IpAddr::V6(address)) => address.octets(),
        None => Ipv6Addr::UNSPECIFIED.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Ends, bytes, port};

    fn ends(laddr: &str, raddr: &str, ipv4: bool) -> Ends {
        let (laddr, raddr) = (laddr.parse().ok(), raddr.parse().ok());
        Ends { lport: None, rport: None, laddr, raddr, ipv4, ipv6: false, netns: None }
    }

    #[test]
    fn no_connection_is_of_both_versions() {
        assert_eq!(ends("127.0.0.1", "::ffff:10.0.0.1", true).version().ok(), Some(4));
        assert_eq!(ends("", "::1", false).version().ok(), Some(0));
        assert!(ends("127.0.0.1", "::1", false).version().is_err());
        assert!(ends("", "::1", true).version().is_err());
    }

    #[test]
    fn a_mapped_address_is_that_of_ipv4() {
        assert_eq!(bytes("192.0.2.1".parse().ok()), bytes("::ffff:192.0.2.1".parse().ok()));
        assert_eq!((port("443"), port("0").is_err(), port("65536").is_err()), (Ok(443), true, true));
    }
}
