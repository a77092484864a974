//! A link between two network namespaces, with several queues.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::process::Command;

use super::netlink::Request;
use super::network::{Namespace, index, up};

const VETH_INFO_PEER: u16 = 1;
/// `struct ifinfomsg`: family, type, number, flags.
const INFO: usize = 16;

/// A pair of veth devices, each in a namespace of its own. There is IPv4 only: nothing is sent by itself but ARP.
#[derive(Debug)]
pub struct Veth {
    /// Where the near end is.
    pub near: Namespace,
    /// And the far one.
    pub far: Namespace,
}

/// What a device has sent and received: its line of /proc/net/dev.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes that it received, with their Ethernet headers.
    pub rx_bytes: u64,
    /// Packets that it received.
    pub rx_packets: u64,
    /// Bytes that it sent, with their Ethernet headers.
    pub tx_bytes: u64,
    /// Packets that it sent.
    pub tx_packets: u64,
}

impl Veth {
    /// The name of the near end. It had a longer one before.
    pub const NEAR: &str = "cs-near";
    /// The name of the far end.
    pub const FAR: &str = "cs-far";
    /// The address of the near end.
    pub const NEAR_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    /// The address of the far end.
    pub const FAR_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

    /// One with so many queues in each direction; none where the kernel has no veth.
    ///
    /// # Panics
    /// The kernel refuses.
    #[must_use]
    pub fn new(queues: u32) -> Option<Self> {
        const FORMER: &str = "cs-former-name";
        let link = Self { near: Namespace::new(), far: Namespace::new() };
        let _ = Command::new("modprobe").arg("veth").output();
        for end in [&link.near, &link.far] {
            end.within(|| fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").expect("a setting"));
        }
        match link.near.within(|| link.request(FORMER, queues).send()) {
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => return None,
            made => made.expect("a pair of devices"),
        }
        link.near.within(|| rename(FORMER, Self::NEAR));
        for (end, device, address) in
            [(&link.near, Self::NEAR, Self::NEAR_ADDRESS), (&link.far, Self::FAR, Self::FAR_ADDRESS)]
        {
            end.within(|| {
                give_address(device, address);
                up(device).expect("a device");
            });
        }
        Some(link)
    }

    fn request(&self, name: &str, queues: u32) -> Request {
        let with_queues = |request: &mut Request, name: &str| {
            request.with(libc::IFLA_IFNAME, name.as_bytes());
            request.with(libc::IFLA_NUM_TX_QUEUES, &queues.to_ne_bytes());
            request.with(libc::IFLA_NUM_RX_QUEUES, &queues.to_ne_bytes());
        };
        let mut request = Request::new(libc::RTM_NEWLINK, &[0; INFO]);
        with_queues(&mut request, name);
        let link = request.open(libc::IFLA_LINKINFO);
        request.with(libc::IFLA_INFO_KIND, b"veth");
        let data = request.open(libc::IFLA_INFO_DATA);
        let peer = request.open(VETH_INFO_PEER);
        request.push(&[0; INFO]);
        with_queues(&mut request, Self::FAR);
        request.with(libc::IFLA_NET_NS_FD, &self.far.as_raw_fd().to_ne_bytes());
        request.close(peer);
        request.close(data);
        request.close(link);
        request
    }

    /// What sockets that are opened from now on send from the near end goes by this queue (XPS), whichever CPU they run on.
    ///
    /// # Panics
    /// The kernel refuses.
    pub fn send_by(&self, queue: usize) {
        // sysfs shows the devices of the namespace in which it was mounted.
        let script = "mount -t sysfs sysfs /sys && cd /sys/class/net/$1/queues && \
            for queue in tx-*; do echo 0 >$queue/xps_cpus; done && echo $3 >tx-$2/xps_cpus";
        let cpus = libbpf_rs::num_possible_cpus().expect("a number");
        let all = format!("{:x}", (1u64 << cpus.min(63)) - 1);
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-e", "-c", script, "-", Self::NEAR, &queue.to_string(), &all]);
        let output = self.near.within(|| command.output()).expect("unshare");
        assert!(output.status.success(), "{output:?}");
    }
}

impl Traffic {
    /// Of a device in the namespace of the calling thread.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    pub fn of(device: &str) -> Self {
        let text = fs::read_to_string("/proc/thread-self/net/dev").expect("/proc");
        let line = text.lines().find_map(|line| line.trim_start().strip_prefix(device)?.strip_prefix(':'));
        let numbers = line.unwrap_or_else(|| panic!("no {device}: {text}")).split_whitespace();
        let numbers: Vec<u64> = numbers.map(|number| number.parse().expect("a number")).collect();
        Self { rx_bytes: numbers[0], rx_packets: numbers[1], tx_bytes: numbers[8], tx_packets: numbers[9] }
    }

    /// What came since.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            rx_bytes: self.rx_bytes - earlier.rx_bytes,
            rx_packets: self.rx_packets - earlier.rx_packets,
            tx_bytes: self.tx_bytes - earlier.tx_bytes,
            tx_packets: self.tx_packets - earlier.tx_packets,
        }
    }
}

fn rename(device: &str, name: &str) {
    let mut head = [0; INFO];
    head[4..8].copy_from_slice(&index(device).to_ne_bytes());
    let mut request = Request::new(libc::RTM_SETLINK, &head);
    request.with(libc::IFLA_IFNAME, &[name.as_bytes(), b"\0"].concat());
    request.send().expect("another name");
}

fn give_address(device: &str, address: Ipv4Addr) {
    // struct ifaddrmsg: family, length of the network's part, flags, scope, number
    let mut head = vec![u8::try_from(libc::AF_INET).expect("small"), 24, 0, 0];
    head.extend(index(device).to_ne_bytes());
    let mut request = Request::new(libc::RTM_NEWADDR, &head);
    request.with(libc::IFA_LOCAL, &address.octets());
    request.with(libc::IFA_ADDRESS, &address.octets());
    let made: io::Result<()> = request.send();
    made.expect("an address");
}
