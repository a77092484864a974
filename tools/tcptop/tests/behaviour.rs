//! tcptop against transfers of known size over loopback.

use std::env;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use corescope_testing::{Seen, Tool, workload};
use serde_json::Value;

/// Longer than any test: all rows come at the end, with the whole of each connection.
const ONE_INTERVAL: &str = "600";
/// Prime numbers, so that no sum of something else hits them by chance.
const REQUEST: usize = 1_000_003;
const ANSWER: usize = 70_001;
const LOOPBACKS: [&str; 2] = ["127.0.0.1:0", "[::1]:0"];

/// Which side ends a connection, and how.
#[derive(Debug, Clone, Copy)]
enum Ending {
    ClientFirst,
    ServerFirst,
    /// The client has sent all that it wants to, and still reads.
    HalfClosed,
}

/// The two ends of a connection, the one that connected first.
struct Pair {
    client: TcpStream,
    server: TcpStream,
}

impl Pair {
    fn open(at: &str) -> Self {
        let listener = TcpListener::bind(at).expect("loopback");
        let address = listener.local_addr().expect("bound");
        let client = TcpStream::connect(address).expect("a listener");
        let (server, _) = listener.accept().expect("the client");
        Self { client, server }
    }

    fn ports(&self) -> (u16, u16) {
        let port = |address: std::io::Result<SocketAddr>| address.expect("a connection").port();
        (port(self.client.local_addr()), port(self.client.peer_addr()))
    }

    fn send(&mut self, request: usize, answer: usize) {
        pour(&mut self.client, &mut self.server, request);
        pour(&mut self.server, &mut self.client, answer);
    }

    fn end(self, ending: Ending) {
        let Self { mut client, mut server } = self;
        match ending {
            Ending::ClientFirst => {
                drop(client);
                assert_ended(&mut server);
            }
            Ending::ServerFirst => {
                drop(server);
                assert_ended(&mut client);
            }
            Ending::HalfClosed => {
                client.shutdown(Shutdown::Write).expect("a connection");
                assert_ended(&mut server);
                drop(server);
                assert_ended(&mut client);
            }
        }
    }
}

fn assert_ended(stream: &mut TcpStream) {
    assert_eq!(stream.read(&mut [0]).expect("an end without error"), 0);
}

/// Sends `size` bytes and reads them at the other end.
fn pour(from: &mut TcpStream, to: &mut TcpStream, size: usize) {
    thread::scope(|scope| {
        scope.spawn(|| from.write_all(&vec![b'x'; size]).expect("an open connection"));
        to.read_exact(&mut vec![0; size]).expect("all of it");
    });
}

/// The sum of `key` over all rows of the end of a connection that has this port.
fn sum(seen: &Seen, key: &str, local: u16, remote: u16) -> usize {
    let rows = rows(seen, local, remote);
    rows.iter().map(|row| usize::try_from(row[key].as_u64().expect("a number")).expect("not so many")).sum()
}

fn rows(seen: &Seen, local: u16, remote: u16) -> Vec<&Value> {
    seen.rows().filter(|row| row["lport"] == local && row["rport"] == remote).collect()
}

/// Both ends have transferred exactly this, in however many rows.
fn assert_bytes(seen: &Seen, (client, server): (u16, u16), request: usize, answer: usize) {
    assert_eq!(seen.lost(), 0);
    let bytes = |local, remote| (sum(seen, "tx_bytes", local, remote), sum(seen, "rx_bytes", local, remote));
    assert_eq!(bytes(client, server), (request, answer), "the client's: {:?}", rows(seen, client, server));
    assert_eq!(bytes(server, client), (answer, request), "the server's: {:?}", rows(seen, server, client));
}

#[test]
fn bytes_are_exact_in_both_directions_whoever_closes_first() {
    let tool = Tool::start("tcptop", &[ONE_INTERVAL]);
    let mut ports = Vec::new();
    for at in LOOPBACKS {
        for ending in [Ending::ClientFirst, Ending::ServerFirst, Ending::HalfClosed] {
            let mut pair = Pair::open(at);
            ports.push(pair.ports());
            pair.send(REQUEST, ANSWER);
            pair.end(ending);
        }
    }
    let seen = tool.stop();
    for (client, server) in ports {
        assert_bytes(&seen, (client, server), REQUEST, ANSWER);
        for row in rows(&seen, client, server) {
            assert_eq!(row["ended"], true);
            assert_eq!(row["pid"], std::process::id());
            // The tool's look right after it is attached may still run, and find the first ones open.
            assert!(row["owner"] == "seen" || row["owner"] == "found", "{row}");
            assert_eq!(row["rx_total_bytes"], ANSWER);
            assert_eq!(row["tx_total_bytes"], REQUEST);
            let v4 = row["laddr"] == "127.0.0.1";
            assert_eq!(row["family"], if v4 { 4 } else { 6 });
            assert!(v4 || row["laddr"] == "::1", "{row}");
        }
    }
}

#[test]
fn a_reset_loses_no_byte_and_no_owner() {
    let tool = Tool::start("tcptop", &[ONE_INTERVAL]);
    let mut pair = Pair::open(LOOPBACKS[0]);
    let ports = pair.ports();
    pair.send(REQUEST, ANSWER);
    // What was received and not read makes a reset of the close.
    pair.server.write_all(&[b'x'; 1009]).expect("an open connection");
    while pair.client.peek(&mut [0; 2000]).expect("an open connection") < 1009 {}
    drop(pair.client);
    let reset = pair.server.read(&mut [0]).expect_err("a reset connection");
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    drop(pair.server);
    let seen = tool.stop();
    assert_bytes(&seen, ports, REQUEST, ANSWER + 1009);
    for row in rows(&seen, ports.0, ports.1).iter().chain(&rows(&seen, ports.1, ports.0)) {
        assert_eq!(row["pid"], std::process::id(), "{row}");
    }
}

#[test]
fn many_short_connections_are_all_there() {
    const CONNECTIONS: usize = 101;
    let tool = Tool::start("tcptop", &[ONE_INTERVAL]);
    let ports: Vec<(u16, u16)> = (0..CONNECTIONS)
        .map(|_| {
            let mut pair = Pair::open(LOOPBACKS[0]);
            let ports = pair.ports();
            pair.send(1009, 7);
            pair.end(Ending::ClientFirst);
            ports
        })
        .collect();
    let seen = tool.stop();
    for ports in ports {
        assert_bytes(&seen, ports, 1009, 7);
    }
}

#[test]
fn an_old_connection_counts_from_the_start_of_the_tool() {
    let mut pair = Pair::open(LOOPBACKS[1]);
    let ports = pair.ports();
    pair.send(500_009, 3);
    let tool = Tool::start("tcptop", &["0.05"]);
    for _ in 0..7 {
        pair.send(10_007, 101);
        thread::sleep(Duration::from_millis(60));
    }
    let seen = tool.stop();
    assert_bytes(&seen, ports, 7 * 10_007, 7 * 101);
    let rows = rows(&seen, ports.0, ports.1);
    assert!(rows.len() > 3, "the bytes of {} intervals", rows.len());
    let last = rows.last().expect("a row");
    assert_eq!(last["tx_total_bytes"], 500_009 + 7 * 10_007);
    assert_eq!(last["rx_total_bytes"], 3 + 7 * 101);
    assert_eq!(last["ended"], false);
    assert_eq!(last["pid"], std::process::id());
    assert_eq!(last["owner"], "found");
    // The end of the tool cuts the last one short, and what is late shortens the next.
    assert!(rows.iter().any(|row| row["interval_s"].as_f64().is_some_and(|length| length > 0.04)), "{rows:?}");
}

#[test]
fn a_connection_over_several_intervals_adds_up() {
    let tool = Tool::start("tcptop", &["0.05"]);
    let mut pair = Pair::open(LOOPBACKS[0]);
    let ports = pair.ports();
    for _ in 0..11 {
        pair.send(100_003, 11);
        thread::sleep(Duration::from_millis(20));
    }
    pair.end(Ending::ServerFirst);
    let seen = tool.stop();
    assert_bytes(&seen, ports, 11 * 100_003, 11 * 11);
}

#[test]
fn filters_by_process_and_version() {
    let own = std::process::id().to_string();
    // (options, whether IPv4 and IPv6 connections of this process are rows)
    let cases: [(&[&str], bool, bool); 5] = [
        (&["-p", &own], true, true),
        (&["-p", "1"], false, false),
        (&["-4"], true, false),
        (&["-6"], false, true),
        (&["-p", &own, "-6"], false, true),
    ];
    for (options, v4, v6) in cases {
        // One connection that was there before, one that comes and goes.
        let mut old = LOOPBACKS.map(Pair::open);
        let tool = Tool::start("tcptop", &[options, &[ONE_INTERVAL]].concat());
        let mut new = LOOPBACKS.map(Pair::open);
        let ports = [old[0].ports(), old[1].ports(), new[0].ports(), new[1].ports()];
        old.iter_mut().chain(&mut new).for_each(|pair| pair.send(REQUEST, ANSWER));
        for pair in new {
            pair.end(Ending::ClientFirst);
        }
        let seen = tool.stop();
        for (index, ports) in ports.into_iter().enumerate() {
            let factor = usize::from(if index % 2 == 0 { v4 } else { v6 });
            assert_bytes(&seen, ports, REQUEST * factor, ANSWER * factor);
        }
    }
}

#[test]
fn filters_by_cgroup() {
    let inside = workload::Cgroup::new("tcptop-in");
    let outside = workload::Cgroup::new("tcptop-out");
    for (directory, factor) in [(&inside, 1), (&outside, 0)] {
        let tool = Tool::start("tcptop", &["--cgroup", directory.path_str(), ONE_INTERVAL]);
        let mut command = helper();
        workload::Cgroup::join_before_exec(&mut command, inside.path());
        let helper = Helper::start(command);
        let ports = helper.ports;
        helper.go();
        let seen = tool.stop();
        assert_bytes(&seen, ports, REQUEST * factor, ANSWER * factor);
    }
}

#[test]
fn another_process_is_the_owner_of_its_connections() {
    let helper_before = Helper::start(helper());
    let tool = Tool::start("tcptop", &[ONE_INTERVAL]);
    let helper_after = Helper::start(helper());
    let known = [&helper_before, &helper_after].map(|helper| (helper.child.id(), helper.ports));
    helper_before.go();
    helper_after.go();
    let seen = tool.stop();
    for (pid, ports) in known {
        assert_bytes(&seen, ports, REQUEST, ANSWER);
        for row in rows(&seen, ports.0, ports.1) {
            assert_eq!(row["pid"], pid);
            assert_eq!(row["comm"].as_str().map(|comm| &comm[..9]), Some("behaviour"), "{row}");
        }
    }
}

#[test]
fn other_network_namespaces_are_read_as_well() {
    let isolated = || {
        let mut command = helper();
        workload::network::isolate(&mut command);
        Helper::start(command)
    };
    let before = isolated();
    let tool = Tool::start("tcptop", &["0.05"]);
    let after = isolated();
    let known = [&before, &after].map(|helper| (helper.child.id(), helper.ports, netns(helper.child.id())));
    // Over several intervals, and with both ends still open for some: what ends alone would not tell.
    let open = [before.go_and_stay(), after.go_and_stay()];
    thread::sleep(Duration::from_millis(300));
    let seen = tool.stop();
    drop(open);
    for (pid, ports, netns) in known {
        let rows = |(local, remote): (u16, u16)| -> Vec<&Value> {
            seen.rows().filter(|row| row["lport"] == local && row["rport"] == remote && row["netns"] == netns).collect()
        };
        let total = |key: &str| rows(ports).iter().filter_map(|row| row[key].as_u64()).sum::<u64>();
        assert_eq!((total("tx_bytes"), total("rx_bytes")), (REQUEST as u64, ANSWER as u64), "{}", seen.messages);
        assert!(rows(ports).iter().all(|row| row["pid"] == pid && row["ended"] == false));
    }
}

fn netns(pid: u32) -> u64 {
    let link = std::fs::read_link(format!("/proc/{pid}/ns/net")).expect("a process");
    let digits: String = link.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}

/// This test again, as another process: it connects to itself, and transfers when it is told to.
fn helper() -> Command {
    let mut command = Command::new(env::current_exe().expect("a test has a path"));
    command.args(["--exact", "the_other_process", "--ignored", "--nocapture"]);
    command
}

struct Helper {
    child: Child,
    output: BufReader<ChildStdout>,
    /// The client's and the server's.
    ports: (u16, u16),
}

impl Helper {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("this test");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let line = wait_for(&mut output, "ports ");
        let mut ports = line.split(' ').filter_map(|word| word.trim().parse().ok());
        let ports = (ports.next().expect("a port"), ports.next().expect("a port"));
        Self { child, output, ports }
    }

    /// Lets it transfer and end.
    fn go(self) {
        let mut helper = self.go_and_stay();
        drop(helper.child.stdin.take());
        assert!(helper.child.wait().expect("a child").success());
    }

    /// Lets it transfer; it ends when it is dropped.
    fn go_and_stay(mut self) -> Self {
        self.child.stdin.as_mut().expect("piped").write_all(b"\n").expect("a child that reads");
        wait_for(&mut self.output, "done");
        self
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The rest of the first line that contains `mark`, from there on: libtest writes before it.
fn wait_for(output: &mut impl BufRead, mark: &str) -> String {
    let mut line = String::new();
    while output.read_line(&mut line).expect("text") > 0 {
        if let Some(at) = line.find(mark) {
            return line.split_off(at);
        }
        line.clear();
    }
    panic!("the other process ended early");
}

#[test]
#[ignore = "run by other tests as a process of its own"]
fn the_other_process() {
    let mut pair = Pair::open(LOOPBACKS[0]);
    let (client, server) = pair.ports();
    println!("ports {client} {server}");
    let mut lines = std::io::stdin().lines();
    assert!(lines.next().is_some());
    pair.send(REQUEST, ANSWER);
    println!("done");
    // Until the other end closes.
    assert!(lines.next().is_none());
}
