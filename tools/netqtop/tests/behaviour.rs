//! netqtop against what devices count by themselves.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use corescope_testing::run::refuses;
use corescope_testing::workload::network::{Connection, Namespace};
use corescope_testing::workload::{Cgroup, Traffic, Veth};
use corescope_testing::{Seen, Tool, number};
use serde_json::{Value, json};

const PORT: u16 = 4001;
/// Of the datagrams: Ethernet, IPv4 and UDP.
const HEADERS: usize = 14 + 20 + 8;
/// What is sent by each queue: datagrams of a size, prime numbers of them.
const SENT: [(usize, usize); 4] = [(211, 21), (101, 22), (53, 1000), (31, 470)];

fn send(namespace: &Namespace, to: Ipv4Addr, times: usize, size: usize) {
    namespace.within(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("a port");
        for _ in 0..times {
            socket.send_to(&vec![0; size], (to, PORT)).expect("a device that sends");
        }
    });
}

/// Somebody whom datagrams are for: otherwise each one has an answer.
fn receiver(namespace: &Namespace) -> UdpSocket {
    namespace.within(|| UdpSocket::bind(("0.0.0.0", PORT)).expect("a port"))
}

/// What a tool has seen of packets in one direction: by queue, and with their bytes in all.
fn sums(seen: &Seen, direction: &str) -> (Vec<(u64, u64)>, u64) {
    let rows = seen.rows_with("direction", direction);
    let mut queues: Vec<(u64, u64)> =
        rows.iter().map(|row| (number(row, "queue_index"), number(row, "packets"))).collect();
    queues.sort_unstable();
    (queues, rows.iter().map(|row| number(row, "bytes")).sum())
}

fn traffic(seen: &Seen) -> Traffic {
    let ((rx, rx_bytes), (tx, tx_bytes)) = (sums(seen, "rx"), sums(seen, "tx"));
    let packets = |queues: Vec<(u64, u64)>| queues.iter().map(|queue| queue.1).sum();
    Traffic { rx_bytes, rx_packets: packets(rx), tx_bytes, tx_packets: packets(tx) }
}

fn bucket(row: &Value, low: u64) -> u64 {
    let buckets = row["buckets"].as_array().expect("a list");
    number(buckets.iter().find(|bucket| bucket["low"] == low).expect("a range"), "count")
}

/// Both ends know each other's address, so that nothing but what is sent is sent.
fn link() -> Option<Veth> {
    let link = Veth::new(4)?;
    let _receiver = receiver(&link.far);
    send(&link.near, Veth::FAR_ADDRESS, 1, 1);
    let _receiver = receiver(&link.near);
    send(&link.far, Veth::NEAR_ADDRESS, 1, 1);
    Some(link)
}

/// Runs the tool for one end of a link.
fn run(namespace: &Namespace, device: &str, work: impl FnOnce()) -> (Seen, Traffic) {
    let id = namespace.id().to_string();
    let tool = Tool::start("netqtop", &["--netns", &id, "-n", device, "-i", "1000"]);
    let before = namespace.within(|| Traffic::of(device));
    work();
    // What was sent last is received in a moment.
    thread::sleep(Duration::from_millis(200));
    let truth = namespace.within(|| Traffic::of(device)).since(before);
    let seen = tool.stop();
    assert_eq!((seen.lost(), seen.skipped()), (0, 0), "{}", seen.messages);
    (seen, truth)
}

#[test]
fn each_queue_has_what_went_by_it() {
    let Some(link) = link() else { return };
    let _receiver = receiver(&link.far);
    let work = || {
        for (queue, (times, size)) in SENT.into_iter().enumerate() {
            link.send_by(queue);
            send(&link.near, Veth::FAR_ADDRESS, times, size);
        }
    };
    let (seen, truth) = run(&link.near, Veth::NEAR, work);
    assert_eq!(traffic(&seen), truth);
    let expected: Vec<(u64, u64)> = (0..).zip(SENT).map(|(queue, (times, _))| (queue, times as u64)).collect();
    let bytes: usize = SENT.iter().map(|(times, size)| times * (HEADERS + size)).sum();
    assert_eq!(sums(&seen, "tx"), (expected.clone(), bytes as u64));
    for (row, (low, (times, _))) in seen.rows().zip([0, 64, 512, 512].into_iter().zip(SENT)) {
        assert_eq!(bucket(row, low), times as u64, "{row}");
        assert_eq!((&row["device"], &row["netns"]), (&json!(Veth::NEAR), &json!(link.near.id())));
    }
    // The far end receives by the queue of the same number.
    let (seen, truth) = run(&link.far, Veth::FAR, work);
    assert_eq!(traffic(&seen), truth);
    assert_eq!(sums(&seen, "rx"), (expected, bytes as u64), "{:?}", seen.rows().collect::<Vec<_>>());
}

#[test]
fn packets_of_many_segments_count_once_as_the_device_counts_them() {
    let Some(link) = link() else { return };
    let (seen, truth) = run(&link.near, Veth::NEAR, || {
        let listener = link.far.within(|| TcpListener::bind((Veth::FAR_ADDRESS, PORT)).expect("an address"));
        let mut client = link.near.within(|| TcpStream::connect((Veth::FAR_ADDRESS, PORT)).expect("a listener"));
        let (mut server, _) = listener.accept().expect("a connection");
        thread::scope(|scope| {
            scope.spawn(|| client.write_all(&vec![0; 2_000_003]).expect("a connection"));
            server.read_exact(&mut vec![0; 2_000_003]).expect("all of it");
        });
        // Acknowledgements are held back for a while.
        thread::sleep(Duration::from_millis(300));
    });
    assert_eq!(traffic(&seen), truth);
    assert!(truth.tx_bytes > 2_000_003 && truth.rx_packets > 0, "{truth:?}");
    let large: u64 = seen.rows_with("direction", "tx").iter().map(|row| bucket(row, 16384)).sum();
    assert!(large > 0, "{:?}", seen.rows().collect::<Vec<_>>());
}

#[test]
fn other_devices_namespaces_and_cgroups_are_left_out() {
    let namespace = Namespace::new();
    let (id, other) = (namespace.id().to_string(), Namespace::new().id().to_string());
    let (group, own_group) = (Cgroup::new("cs-netqtop"), Cgroup::of_this_process());
    let own_group = own_group.to_str().expect("ASCII");
    for (arguments, directions) in [
        (&["--netns", &id][..], &["rx", "tx"][..]),
        (&["--netns", &id, "-n", "lo"], &["rx", "tx"]),
        (&["--netns", &id, "-n", "l"], &[]),
        (&["--netns", &id, "-n", "lo2"], &[]),
        (&["--netns", &other], &[]),
        // Whose a packet is that was just received is not known.
        (&["--netns", &id, "--cgroup", own_group], &["tx"]),
        (&["--netns", &id, "--cgroup", group.path_str()], &[]),
    ] {
        let tool = Tool::start("netqtop", arguments);
        namespace.within(|| Connection::to("127.0.0.1:0")).ping(53);
        let seen = tool.stop();
        let rows: Vec<&Value> = seen.rows().collect();
        let mut seen: Vec<&str> = rows.iter().filter_map(|row| row["direction"].as_str()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, directions, "{arguments:?}");
        assert!(rows.iter().all(|row| row["device"] == "lo" && row["queue_index"] == 0), "{rows:?}");
    }
    refuses("netqtop", "there is no network device cs-none", |command| _ = command.args(["-n", "cs-none"]));
}
