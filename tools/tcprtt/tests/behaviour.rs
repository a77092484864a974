//! tcprtt against the kernel's own count of segments, and paths of a known length.

use std::fs;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use corescope_testing::workload::network::{Connection, Namespace, TcpInfo};
use corescope_testing::workload::{Cgroup, Netem};
use corescope_testing::{Seen, Tool, number};
use serde_json::{Value, json};

/// A prime number, so that no sum of something else hits it by chance.
const PINGS: usize = 211;
const DELAY: Duration = Duration::from_millis(50);

/// How many segments both ends have received so far.
fn received(connection: &Connection) -> u64 {
    [&connection.client, &connection.server].map(|end| u64::from(TcpInfo::of(end).segments_in)).iter().sum()
}

/// Uses a connection; how many segments it received meanwhile, once nothing is on its way any more.
fn ping(connection: &Connection, times: usize) -> u64 {
    let before = received(connection);
    connection.ping(times);
    let mut last = received(connection);
    loop {
        // Longer than an acknowledgement is held back (TCP_DELACK_MAX), and on its way.
        thread::sleep(Duration::from_millis(300));
        let now = received(connection);
        if now == last {
            return now - before;
        }
        last = now;
    }
}

fn count<'a>(rows: impl IntoIterator<Item = &'a Value>) -> u64 {
    rows.into_iter().map(|row| number(row, "count")).sum()
}

/// Runs the tool while one connection in the namespace is used; what it has seen, and the truth.
fn run(namespace: &Namespace, address: &str, arguments: &[&str], pings: usize) -> (Seen, u64, Connection) {
    let id = namespace.id().to_string();
    let tool = Tool::start("tcprtt", &[&["--netns", &id], arguments].concat());
    let connection = namespace.within(|| Connection::to(address));
    let truth = ping(&connection, pings);
    let seen = tool.stop();
    assert_eq!(seen.lost(), 0, "{}", seen.messages);
    (seen, truth, connection)
}

#[test]
fn each_segment_counts_once() {
    let namespace = Namespace::new();
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (seen, truth, _open) = run(&namespace, address, &[], PINGS);
        let rows: Vec<&Value> = seen.rows().collect();
        assert!(truth >= 2 * PINGS as u64, "{truth}");
        assert_eq!((rows.len(), count(rows.clone()) + seen.skipped()), (1, truth), "{address}: {rows:?}");
        assert_eq!(
            (&rows[0]["unit"], &rows[0]["laddr"], &rows[0]["netns"]),
            (&json!("us"), &json!(null), &json!(null))
        );
    }
}

#[test]
fn all_samples_of_a_long_path_are_as_long() {
    let namespace = Namespace::new();
    if !namespace.within(|| Netem { delay: DELAY, ..Netem::default() }.on("lo")) {
        return;
    }
    for (unit, low) in [("us", 65_536), ("ms", 64)] {
        let argument = if unit == "ms" { "-m" } else { "-e" };
        let (seen, truth, connection) = run(&namespace, "[::1]:0", &["-B", argument], 7);
        let info = [&connection.client, &connection.server].map(TcpInfo::of);
        assert!(info.iter().all(|end| end.rtt_us >= 100_000), "{info:?}");
        let rows: Vec<&Value> = seen.rows().collect();
        assert_eq!((rows.len(), count(rows.clone()) + seen.skipped()), (1, truth), "{rows:?}");
        let buckets = rows[0]["buckets"].as_array().expect("a list");
        let first = buckets.iter().find(|bucket| number(bucket, "count") > 0).expect("a sample");
        assert_eq!((number(first, "low"), &rows[0]["unit"]), (low, &json!(unit)), "{}", rows[0]);
        let (sum, longest) = (number(rows[0], "sum_ns"), info.iter().map(|end| end.rtt_us).max().unwrap_or(0));
        assert!(sum >= truth * 100_000_000, "{}", rows[0]);
        assert!(sum <= truth * 2 * 1000 * u64::from(longest.max(200_000)), "{}", rows[0]);
    }
}

#[test]
fn addresses_are_told_apart_and_mapped_ones_are_of_ipv4() {
    let namespace = Namespace::new();
    let id = namespace.id().to_string();
    let tool = Tool::start("tcprtt", &["-b", "-B", "--netnss", "--netns", &id]);
    let connections = namespace.within(|| {
        let both = TcpListener::bind("[::]:0").expect("a dual-stack socket");
        // Of IPv4 sockets, of an IPv6 socket at one end and at both, and of IPv6.
        let ipv4 = [Connection::to("127.0.0.1:0"), Connection::via(&both, "127.0.0.1:0")];
        (ipv4, [Connection::to("[::ffff:127.0.0.1]:0"), Connection::to("[::1]:0")])
    });
    let ([plain, one], [mapped, ipv6]) = &connections;
    let truth = [plain, one, mapped, ipv6].map(|connection| ping(connection, PINGS));
    let seen = tool.stop();
    let of = |local: &str, remote: &str| {
        let matches = |row: &&Value| row["laddr"] == local && row["raddr"] == remote && row["netns"] == namespace.id();
        count(seen.rows().filter(matches))
    };
    assert_eq!(seen.rows().count(), 2, "{:?}", seen.rows().collect::<Vec<_>>());
    assert_eq!(of("127.0.0.1", "127.0.0.1") + seen.skipped(), truth[..3].iter().sum::<u64>());
    assert_eq!(of("::1", "::1") + seen.skipped(), truth[3]);
}

#[test]
fn the_same_address_in_two_namespaces_is_two() {
    let namespaces = [Namespace::new(), Namespace::new()];
    let tool = Tool::start("tcprtt", &["-B", "--netnss"]);
    let connections = [0, 1].map(|index| namespaces[index].within(|| Connection::to("127.0.0.1:4001")));
    let truth = [ping(&connections[0], PINGS), ping(&connections[1], 53)];
    let seen = tool.stop();
    for (namespace, truth) in namespaces.iter().zip(truth) {
        let rows = seen.rows_with("netns", namespace.id());
        assert_eq!((rows.len(), count(rows.clone()) + seen.skipped()), (1, truth), "{rows:?}");
        assert_eq!(rows[0]["raddr"], "127.0.0.1");
    }
}

#[test]
fn what_has_no_room_is_reported_as_lost() {
    let namespace = Namespace::new();
    let id = namespace.id().to_string();
    let tool = Tool::start("tcprtt", &["-b", "--max-entries", "1", "--netns", &id]);
    let connections = namespace.within(|| [Connection::to("127.0.0.1:0"), Connection::to("[::1]:0")]);
    let truth: u64 = connections.iter().map(|connection| ping(connection, PINGS)).sum();
    let seen = tool.stop();
    assert_eq!((seen.rows().count(), count(seen.rows()) + seen.lost() + seen.skipped()), (1, truth));
    assert!(seen.lost() >= PINGS as u64, "{}", seen.messages);
}

#[test]
fn a_connection_that_has_no_time_yet_is_not_one_of_no_time() {
    let namespace = Namespace::new();
    // What was sent twice tells nothing, without timestamps: nobody knows which one was answered.
    let lossy = namespace.within(|| {
        fs::write("/proc/sys/net/ipv4/tcp_timestamps", "0").expect("a setting");
        Netem { loss_percent: 100, ..Netem::default() }.on("lo")
    });
    if !lossy {
        return;
    }
    let id = namespace.id().to_string();
    let tool = Tool::start("tcprtt", &["--netns", &id]);
    let connection = namespace.within(|| {
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(300));
                Netem::off("lo");
            });
            Connection::to("127.0.0.1:0")
        })
    });
    assert_eq!(TcpInfo::of(&connection.client).rtt_us, 0);
    let truth = ping(&connection, PINGS);
    let seen = tool.stop();
    let (_, told) = seen.messages.split_once("had no round-trip time yet, which are not counted: ").expect("a report");
    let untimed: u64 = told.lines().next().and_then(|number| number.parse().ok()).expect("a number");
    assert!((1..5).contains(&untimed), "{}", seen.messages);
    assert_eq!(count(seen.rows()) + untimed + seen.skipped(), truth);
}

#[test]
fn filters_leave_out_all_else() {
    let namespace = Namespace::new();
    let (group, own_group) = (Cgroup::new("cs-tcprtt"), Cgroup::of_this_process());
    let other = Namespace::new().id().to_string();
    let mapped = "[::ffff:127.0.0.1]:4001";
    for (address, arguments, halves) in [
        // Each of the two ends has the port at its own side.
        ("127.0.0.1:4001", &["-p", "4001"][..], 1),
        ("127.0.0.1:4001", &["-P", "4001"], 1),
        ("127.0.0.1:4001", &["-p", "4001", "-P", "4001"], 0),
        ("127.0.0.1:4001", &["-p", "4001", "-a", "127.0.0.1"], 1),
        (mapped, &["-a", "127.0.0.1"], 2),
        (mapped, &["-A", "::ffff:127.0.0.1", "-4"], 2),
        (mapped, &["-6"], 0),
        (mapped, &["-a", "127.0.0.9"], 0),
        ("[::1]:4001", &["-a", "::1", "-A", "::1", "-6"], 2),
        ("[::1]:4001", &["-4"], 0),
        ("[::1]:4001", &["-A", "::2"], 0),
        ("[::1]:4001", &["--cgroup", own_group.to_str().expect("ASCII")], 2),
        ("[::1]:4001", &["--cgroup", group.path_str()], 0),
    ] {
        let (seen, truth, _open) = run(&namespace, address, arguments, PINGS);
        let counted = count(seen.rows()) + seen.skipped();
        match halves {
            // What one end receives the other one has sent: as many, but for the last acknowledgements.
            1 => assert!(counted.abs_diff(truth / 2) <= truth / 8, "{arguments:?}: {counted} of {truth}"),
            halves => assert_eq!(counted, truth * halves / 2, "{address} {arguments:?}"),
        }
    }
    let tool = Tool::start("tcprtt", &["--netns", &other]);
    namespace.within(|| Connection::to("127.0.0.1:0")).ping(PINGS);
    assert_eq!(tool.stop().rows().count(), 0);
}
