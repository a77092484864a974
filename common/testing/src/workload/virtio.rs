//! Virtio devices of an emulated machine that nobody else uses: scripts/vm gives them to each.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::{Aligned, direct};
use crate::kernels;

/// A disk that keeps nothing, a port that takes everything, and random numbers.
#[derive(Debug)]
pub struct Virtio {
    disk: String,
}

impl Virtio {
    /// None outside of emulated machines.
    ///
    /// # Panics
    /// An emulated machine does not have them.
    #[must_use]
    pub fn new() -> Option<Self> {
        kernels::series()?;
        let drivers = ["virtio_pci", "virtio_blk", "virtio_console", "virtio_rng"];
        let loaded = Command::new("modprobe").arg("-a").args(drivers).output();
        assert!(loaded.is_ok_and(|output| output.status.success()), "drivers of virtio devices");
        let is_ours = |disk: &String| read(&format!("/sys/block/{disk}/serial")) == "null";
        Some(Self { disk: names("/sys/block").find(is_ours).expect("the disk") })
    }

    /// The disk, as the kernel calls it.
    #[must_use]
    pub fn disk(&self) -> &str {
        &self.disk
    }

    /// The device of the disk among those of virtio.
    ///
    /// # Panics
    /// It has none.
    #[must_use]
    pub fn device_of_disk(&self) -> String {
        let path = fs::canonicalize(format!("/sys/block/{}/device", self.disk)).expect("a device");
        path.file_name().expect("a name").to_string_lossy().into_owned()
    }

    /// Reads `bytes` of the disk as often as `times`, past the cache.
    ///
    /// # Panics
    /// It cannot be read.
    pub fn read(&self, times: usize, bytes: usize) {
        let (file, mut memory) = (direct(format!("/dev/{}", self.disk), 0), Aligned::new(bytes));
        (0..times).for_each(|_| file.read_exact_at(memory.bytes(), 0).expect("a disk that can be read"));
    }

    /// Writes in the same way.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn write(&self, times: usize, bytes: usize) {
        let (file, mut memory) = (direct(format!("/dev/{}", self.disk), 0), Aligned::new(bytes));
        (0..times).for_each(|_| file.write_all_at(memory.bytes(), 0).expect("a disk that can be written"));
    }

    /// The port, to be written to.
    ///
    /// # Panics
    /// It is not there.
    #[must_use]
    pub fn port(&self) -> File {
        let ports = "/sys/class/virtio-ports";
        let is_ours = |port: &String| read(&format!("{ports}/{port}/name")) == "corescope.nobody";
        let port = names(ports).find(is_ours).expect("the port");
        File::options().write(true).open(PathBuf::from("/dev").join(port)).expect("a port that takes everything")
    }

    /// Brings the network interface up, which sends nothing by itself.
    ///
    /// # Panics
    /// It is not there.
    #[must_use]
    pub fn network(&self) -> Network {
        let loaded = Command::new("modprobe").arg("virtio_net").output();
        assert!(loaded.is_ok_and(|output| output.status.success()), "a driver");
        let is_virtio = |name: &String| PathBuf::from(format!("/sys/class/net/{name}/device/features")).exists();
        let network = Network(names("/sys/class/net").find(is_virtio).expect("a network interface"));
        // It would look for neighbours.
        fs::write(format!("/proc/sys/net/ipv6/conf/{}/disable_ipv6", network.0), "1").expect("IPv6");
        ip(&["addr", "add", "10.99.99.1/24", "broadcast", "10.99.99.255", "dev", &network.0]);
        ip(&["link", "set", &network.0, "up"]);
        // What is sent before that is dropped.
        network.wait_until("carrier", |carrier| carrier == 1);
        network
    }
}

/// A network interface that is up and alone, down in the end.
#[derive(Debug)]
pub struct Network(String);

impl Network {
    /// Its address.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 99, 99, 1)
    }

    /// Waits until the device has taken that many packets: the kernel keeps some back while it has others.
    pub fn wait_for_sent(&self, packets: u64) {
        self.wait_until("statistics/tx_packets", |sent| sent >= packets);
    }

    /// Not for ever: what is missing then is for the test to tell.
    fn wait_until(&self, file: &str, is_so: impl Fn(u64) -> bool) {
        let end = Instant::now() + Duration::from_secs(10);
        while !read(&format!("/sys/class/net/{}/{file}", self.0)).parse().is_ok_and(&is_so) && Instant::now() < end {
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The address and port of all that is there.
    #[must_use]
    pub fn broadcast(&self) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::new(10, 99, 99, 255), 9)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        ip(&["link", "set", &self.0, "down"]);
        ip(&["addr", "flush", "dev", &self.0]);
    }
}

fn ip(arguments: &[&str]) {
    let done = Command::new("ip").args(arguments).output();
    assert!(done.is_ok_and(|output| output.status.success()), "ip {arguments:?}");
}

fn names(folder: &str) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
}

fn read(file: &str) -> String {
    fs::read_to_string(file).unwrap_or_default().trim().into()
}
