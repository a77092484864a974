//! virtiostat against devices of an emulated machine that are used so many times.

use std::fs::File;
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::process::Command;

use corescope_testing::tool::binary;
use corescope_testing::workload::{Cgroup, Stat, Virtio};
use corescope_testing::{Seen, Tool, number};
use serde_json::Value;

/// Prime numbers, so that no product of something else hits them by chance.
const READS: usize = 101;
const WRITES: usize = 37;
const LARGE: usize = 13;

const KEYS: [&str; 4] = ["in_sgs", "out_sgs", "in_bytes", "out_bytes"];

fn sums<'a>(rows: impl IntoIterator<Item = &'a Value>) -> [u64; 4] {
    let mut sums = [0; 4];
    for row in rows {
        sums.iter_mut().zip(KEYS).for_each(|(sum, key)| *sum += number(row, key));
    }
    sums
}

fn run(arguments: &[&str], work: impl FnOnce()) -> Seen {
    let tool = Tool::start("virtiostat", arguments);
    work();
    let seen = tool.stop();
    assert_eq!((seen.lost(), seen.skipped()), (0, 0), "{}", seen.messages);
    assert!(!seen.messages.contains("pieces"), "{}", seen.messages);
    seen
}

/// Uses the disk; gives what goes through its queues. Of each request the device reads a header of 16 bytes and writes a
/// byte that tells how it went.
fn use_disk(virtio: &Virtio) -> [u64; 4] {
    let before = Stat::of(virtio.disk());
    virtio.read(READS, 4096);
    virtio.write(WRITES, 16 << 10);
    // Of many pieces: the kernel cuts what is more than the device takes at once.
    virtio.read(LARGE, 1 << 20);
    let stat = Stat::of(virtio.disk()).since(before);
    assert_eq!(stat.read_bytes, (READS * 4096 + LARGE * (1 << 20)) as u64);
    let requests = stat.reads + stat.writes;
    [stat.reads + requests, requests + stat.writes, stat.read_bytes + requests, requests * 16 + stat.written_bytes]
}

#[test]
fn requests_of_a_disk_are_the_kernels() {
    let Some(virtio) = Virtio::new() else {
        let output = Command::new(binary("virtiostat")).output().expect("the tool starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        // Where nobody may trace functions it says so; elsewhere it has no such devices to be tried with.
        assert!(corescope::kernel::has_kprobes() || stderr.contains("this kernel has no"), "{stderr}");
        return;
    };
    let device = virtio.device_of_disk();
    let mut truth = [0; 4];
    // More intervals than one.
    let seen = run(&["0.3"], || truth = use_disk(&virtio));
    let rows = seen.rows_with("device", device.as_str());
    assert!(
        rows.iter()
            .all(|row| row["driver"] == "virtio_blk"
                && row["queue"].as_str().is_some_and(|name| name.starts_with("req")))
    );
    assert_eq!(sums(rows), truth, "{}", seen.messages);
}

#[test]
fn bytes_to_a_port_are_those_that_were_written() {
    const TEXT: &[u8] = b"seventeen bytes!\n";
    let Some(virtio) = Virtio::new() else { return };
    let mut port = virtio.port();
    let seen = run(&[], || (0..WRITES).for_each(|_| port.write_all(TEXT).expect("a port that takes everything")));
    // There is another port with a queue of this name, which the output of this test goes to.
    let written = [0, WRITES as u64, 0, (WRITES * TEXT.len()) as u64];
    let rows = seen.rows_with("queue", "output");
    let of_index = |index: u64| sums(rows.iter().copied().filter(|row| number(row, "queue_index") == index));
    assert_eq!((0..64).filter(|index| of_index(*index) == written).count(), 1, "{rows:?}");
}

#[test]
fn random_numbers_come_by_buffers_of_one_queue() {
    let Some(_virtio) = Virtio::new() else { return };
    let mut bytes = [0; 64];
    let seen = run(&["-d", "virtio_rng"], || {
        let mut random = File::open("/dev/hwrng").expect("a source of random numbers");
        (0..WRITES).for_each(|_| random.read_exact(&mut bytes).expect("random numbers"));
    });
    assert!(seen.rows().all(|row| row["driver"] == "virtio_rng" && row["queue"] == "input"));
    let [in_sgs, out_sgs, in_bytes, out_bytes] = sums(seen.rows());
    // The driver asks for the next ones before somebody wants them.
    assert!((WRITES as u64..WRITES as u64 * 3 / 2).contains(&in_sgs), "{in_sgs} for {WRITES}");
    assert!(in_bytes >= (WRITES * bytes.len()) as u64, "{in_bytes}");
    assert_eq!((out_sgs, out_bytes), (0, 0));
}

#[test]
fn other_drivers_devices_and_cgroups_are_left_out() {
    let Some(virtio) = Virtio::new() else { return };
    let (device, own, other) = (virtio.device_of_disk(), Cgroup::of_this_process(), Cgroup::new("cs-virtiostat"));
    let filters = [
        (["-d", "virtio_blk"], true),
        (["-d", "virtio_bl"], false),
        (["-n", &device], true),
        (["-n", "virtio77"], false),
        (["--cgroup", own.to_str().expect("ASCII")], true),
        (["--cgroup", other.path_str()], false),
    ];
    for (arguments, is_seen) in filters {
        let seen = run(&arguments, || virtio.read(READS, 4096));
        let rows = seen.rows_with("device", device.as_str());
        let [in_sgs, out_sgs, ..] = sums(rows.iter().copied());
        let expected = if is_seen { [2 * READS as u64, READS as u64] } else { [0, 0] };
        assert_eq!([in_sgs, out_sgs], expected, "{arguments:?}");
        assert!(arguments[0] == "--cgroup" || rows.len() == seen.rows().count(), "{arguments:?}");
    }
}

#[test]
fn packets_and_the_buffers_for_those_that_may_come() {
    const TEXT: &[u8] = &[1; 101];
    /// Headers of Ethernet, IP and UDP, and that of the device.
    const HEADERS: usize = 14 + 20 + 8 + 12;
    let Some(virtio) = Virtio::new() else { return };
    let mut interface = None;
    let seen = run(&["-d", "virtio_net"], || {
        let network = virtio.network();
        let socket = UdpSocket::bind((network.address(), 0)).expect("an address");
        socket.set_broadcast(true).expect("a network");
        // To all: nobody is asked for an address first.
        (0..WRITES)
            .for_each(|_| _ = socket.send_to(TEXT, network.broadcast()).expect("a network that takes everything"));
        network.wait_for_sent(WRITES as u64);
        interface = Some(network);
    });
    let of_queue = |name: &str| sums(seen.rows_with("queue", name));
    assert_eq!(
        of_queue("output.0"),
        [0, WRITES as u64, 0, (WRITES * (TEXT.len() + HEADERS)) as u64],
        "{}",
        seen.messages
    );
    // The driver fills the queue, and no packet comes.
    let [in_sgs, out_sgs, in_bytes, out_bytes] = of_queue("input.0");
    assert_eq!((in_sgs, out_sgs, out_bytes), (256, 0, 0), "{}", seen.messages);
    assert!(in_bytes >= 256 * 1500, "{in_bytes}");
}
