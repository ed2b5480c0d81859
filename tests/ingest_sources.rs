//! What `ingest` reads besides files: TCP peers, and the test source.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::fs;
use std::io::Write as _;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use support::Ran;
use support::process::{End, Live};
use support::stages::INGEST;

/// As long as anything may take that happens at once.
const PATIENCE: Duration = Duration::from_secs(20);

fn live(args: &[&str]) -> Live {
    Live::spawn(support::command(INGEST.path, args))
}

/// `ingest --listen` at an address with port 0, and where it listens.
fn listening(address: &str, more: &[&str]) -> (Live, String) {
    let live = live(&[&["--listen", address], more].concat());
    let address = announced(&live);
    (live, address)
}

#[track_caller]
fn announced(live: &Live) -> String {
    let message = live.message();
    let address = message.strip_prefix("ingest: listening on ");
    address.unwrap_or_else(|| panic!("{message}")).to_owned()
}

/// Writes `text` as a segment of its own.
fn send(peer: &mut TcpStream, text: &str) {
    peer.set_nodelay(true).unwrap();
    peer.write_all(text.as_bytes()).unwrap();
}

/// Ends the program by a signal; what is left of its output.
#[track_caller]
fn stop(live: Live) -> (Vec<String>, Vec<String>) {
    live.signal(Signal::TERM);
    let (end, rows, messages) = live.end_within(PATIENCE);
    assert_eq!(end, End::Code(0), "{messages:?}");
    (rows, messages)
}

#[test]
fn a_peer_is_read_until_it_closes() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let live = live(&["--socket", &address]);
        let (mut peer, _) = listener.accept().unwrap();
        send(&mut peer, "{\"a\":1}\nto be ");
        assert_eq!(live.line(), r#"{"a":1}"#);
        send(&mut peer, "continued\r\n\nlast");
        assert_eq!(live.line(), r#"{"@raw":"to be continued"}"#);
        drop(peer);
        let rest = vec![r#"{"@raw":"last"}"#.to_owned()];
        assert_eq!(live.end(), (End::Code(0), rest, vec![]));
    }
}

#[test]
fn a_signal_ends_a_connection_well() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let live = live(&["--socket", &listener.local_addr().unwrap().to_string()]);
    let (mut peer, _) = listener.accept().unwrap();
    send(&mut peer, "{\"a\":1}\n");
    assert_eq!(live.line(), r#"{"a":1}"#);
    assert_eq!(stop(live), (vec![], vec![]));
}

/// Whoever cannot be reached at once is not waited for beyond a signal.
#[test]
fn a_signal_ends_the_attempt_to_connect() {
    use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};
    let busy = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&busy, &"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap()).unwrap();
    listen(&busy, 0).unwrap();
    let address = std::net::SocketAddr::try_from(getsockname(&busy).unwrap()).unwrap();
    // Until its queue is full, after which the system answers nobody.
    let mut queue = vec![];
    while let Ok(peer) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        queue.push(peer);
    }
    let live = live(&["--socket", &address.to_string()]);
    let begun = Instant::now();
    while !catches_term(&live) {
        assert!(begun.elapsed() < PATIENCE, "never took notice of signals");
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(stop(live), (vec![], vec![]));
}

fn catches_term(live: &Live) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", live.id())).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() & (1 << 14) != 0
}

#[test]
fn who_is_not_there_is_named() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let ran = INGEST.run(&["--socket", &closed], "").exited(1);
    let message = format!("ingest: nothing listens at {closed} (connection refused)");
    assert!(ran.stderr.starts_with(&message), "{ran}");
    let (live, taken) = listening("127.0.0.1:0", &[]);
    let ran = INGEST.run(&["--listen", &taken], "").exited(1);
    assert!(ran.stderr.starts_with(&format!("ingest: cannot listen on {taken}: ")), "{ran}");
    stop(live);
}

#[test]
fn lines_of_many_peers_never_mix() {
    let (live, address) = listening("127.0.0.1:0", &[]);
    let mut first = TcpStream::connect(&address).unwrap();
    let mut second = TcpStream::connect(&address).unwrap();
    send(&mut first, "{\"from\":\"first\",");
    send(&mut second, "{\"from\":\"second\",");
    // Answered only when what came before it has been read.
    let mut third = TcpStream::connect(&address).unwrap();
    send(&mut third, "third\n");
    assert_eq!(live.line(), r#"{"@raw":"third"}"#);
    send(&mut second, "\"n\":1}\n{\"from\":\"second\"");
    assert_eq!(live.line(), r#"{"from":"second","n":1}"#);
    send(&mut first, "\"n\":1}\n");
    assert_eq!(live.line(), r#"{"from":"first","n":1}"#);
    // What a peer leaves unfinished is a line too.
    send(&mut second, ",\"n\":2}");
    drop(second);
    assert_eq!(live.line(), r#"{"from":"second","n":2}"#);
    send(&mut first, "still here\n");
    assert_eq!(live.line(), r#"{"@raw":"still here"}"#);
    assert_eq!(stop(live), (vec![], vec![]));
}

#[test]
fn a_busy_peer_leaves_others_their_turn() {
    let (live, address) = listening("127.0.0.1:0", &[]);
    let mut busy = TcpStream::connect(&address).unwrap();
    let flood = thread::spawn(move || {
        let lines = "{\"busy\":true}\n".repeat(10_000);
        while busy.write_all(lines.as_bytes()).is_ok() {}
    });
    assert_eq!(live.line(), r#"{"busy":true}"#);
    let mut quiet = TcpStream::connect(&address).unwrap();
    send(&mut quiet, "{\"busy\":false}\n");
    let begun = Instant::now();
    while live.line() != r#"{"busy":false}"# {
        assert!(begun.elapsed() < PATIENCE, "never had its turn");
    }
    stop(live);
    flood.join().unwrap();
}

#[test]
fn all_that_many_peers_send_arrives_whole() {
    let (live, address) = listening("127.0.0.1:0", &[]);
    let peers: Vec<_> = (0..20)
        .map(|peer| {
            let mut stream = TcpStream::connect(&address).unwrap();
            thread::spawn(move || {
                let record = |n| format!("{{\"peer\":{peer},\"n\":{n}}}\n");
                let text = (0..200).map(record).collect::<Vec<_>>().concat();
                for piece in text.as_bytes().chunks(37 + peer) {
                    stream.write_all(piece).unwrap();
                }
            })
        })
        .collect();
    let mut next = [0; 20];
    for _ in 0..4_000 {
        let row: Value = serde_json::from_str(&live.line()).unwrap();
        let peer = row["peer"].as_u64().unwrap() as usize;
        assert_eq!(row["n"], next[peer], "lines of one peer keep their order");
        next[peer] += 1;
    }
    for peer in peers {
        peer.join().unwrap();
    }
    assert_eq!(stop(live), (vec![], vec![]));
}

#[test]
fn an_endless_line_is_rejected_and_not_kept() {
    let (live, address) = listening("127.0.0.1:0", &["--max-line", "64k"]);
    let mut peer = TcpStream::connect(&address).unwrap();
    let piece = "x".repeat(1 << 20);
    for _ in 0..100 {
        send(&mut peer, &piece);
    }
    let message = live.message();
    assert!(message.contains(":1: too_long: longer than 65536 bytes"), "{message}");
    assert!(memory(&live) < 50 << 20, "{}", memory(&live));
    send(&mut peer, "\n{\"a\":1}\n\x7f{\n");
    assert_eq!(live.line(), r#"{"a":1}"#);
    assert_eq!(live.line(), "{\"@raw\":\"\x7f{\"}");
    let (rows, messages) = stop(live);
    assert!(rows.is_empty(), "{rows:?}");
    assert!(messages[0].contains("3 records in: 2 out, 1 rejected (too_long 1; "), "{messages:?}");
}

/// The most memory that the program has had, in bytes.
fn memory(live: &Live) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", live.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim_end_matches("kB").trim().parse::<u64>().unwrap() << 10
}

#[test]
fn rejects_name_the_peer_and_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let rejects = folder.path().join("rejects");
    let (live, address) =
        listening("[::1]:0", &["--rejects", rejects.to_str().unwrap(), "--strict"]);
    let mut peer = TcpStream::connect(&address).unwrap();
    let name = peer.local_addr().unwrap().to_string();
    send(&mut peer, "{\"a\":1}\n");
    assert_eq!(live.line(), r#"{"a":1}"#);
    send(&mut peer, "{\"@\":\"end\"}\n");
    let (end, _, messages) = live.end();
    assert_eq!(end, End::Code(1));
    assert!(messages[0].starts_with(&format!("ingest: {name}:2: reserved_key")), "{messages:?}");
    let reject: Value = serde_json::from_str(&fs::read_to_string(rejects).unwrap()).unwrap();
    assert_eq!(reject["source"], serde_json::json!({"peer": name, "line": 2}));
}

#[test]
fn peers_beyond_the_limit_wait_until_others_leave() {
    let limited = "ulimit -n 16; exec \"$0\" --listen 127.0.0.1:0";
    let live = Live::spawn(support::command("sh", ["-c", limited, INGEST.path]));
    let address = announced(&live);
    let mut peers: Vec<TcpStream> = (0..20)
        .map(|number| {
            let mut peer = TcpStream::connect(&address).unwrap();
            send(&mut peer, &format!("{{\"peer\":{number}}}\n"));
            peer
        })
        .collect();
    let message = live.message();
    let room = message.strip_prefix("ingest: no room for more than ").expect(&message);
    let digits = room.find(|c: char| !c.is_ascii_digit()).unwrap();
    // How many there is room for depends on what the test itself has open. As
    // many may stay; the others make room.
    let room: usize = room[..digits].parse().unwrap();
    assert!((1..20).contains(&room), "{message}");
    peers.drain(..peers.len() - room);
    let mut rows: Vec<String> = (0..20).map(|_| live.line()).collect();
    rows.sort_by_key(|row| (row.len(), row.clone()));
    let expected: Vec<String> = (0..20).map(|number| format!("{{\"peer\":{number}}}")).collect();
    assert_eq!(rows, expected);
    assert_eq!(stop(live), (vec![], vec![]));
}

#[test]
fn a_listener_whose_reader_has_gone_ends() {
    let (mut live, address) = listening("127.0.0.1:0", &[]);
    let mut peer = TcpStream::connect(&address).unwrap();
    send(&mut peer, "{\"a\":1}\n");
    assert_eq!(live.line(), r#"{"a":1}"#);
    live.leave();
    // A test's reader notices that it is to leave at the next line.
    send(&mut peer, "{\"a\":2}\n");
    assert_eq!(live.end().0, End::Code(0));
    peer.shutdown(Shutdown::Both).unwrap_or_default();
}

#[test]
fn rate_counts_up_with_the_time_at_which_each_row_is_due() {
    let begun = Instant::now();
    let live = live(&["--rate", "50"]);
    let rows: Vec<Value> = (0..26).map(|_| serde_json::from_str(&live.line()).unwrap()).collect();
    assert!(begun.elapsed() >= Duration::from_millis(500), "{:?}", begun.elapsed());
    let millis = |row: &Value| {
        let time = row["timestamp"].as_str().unwrap();
        assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
        time[17..19].parse::<i64>().unwrap() * 1_000 + time[20..23].parse::<i64>().unwrap()
    };
    for (value, row) in rows.iter().enumerate() {
        assert_eq!(row["value"], value);
        let since = (millis(row) - millis(&rows[0])).rem_euclid(60_000);
        assert_eq!(since, 20 * value as i64, "{row}");
    }
    let (rest, messages) = stop(live);
    assert!(rest.len() < 100 && messages.is_empty(), "{} {messages:?}", rest.len());
}

#[test]
fn high_rates_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows");
    let mut child = support::command(INGEST.path, ["--rate", "1000000"])
        .stdout(fs::File::create(&path).unwrap())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    // However slow this machine: in the end there are rows, each a step on.
    while fs::metadata(&path).unwrap().len() < 10_000_000 {
        assert!(begun.elapsed() < PATIENCE, "too few rows");
        thread::sleep(Duration::from_millis(10));
    }
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, Signal::TERM).unwrap();
    assert_eq!(support::process::end(&mut child), End::Code(0));
    let elapsed = begun.elapsed();
    let rows = fs::read_to_string(&path).unwrap();
    for (value, row) in rows.lines().enumerate() {
        assert!(row.ends_with(&format!("Z\",\"value\":{value}}}")), "{row}");
    }
    let most = elapsed.as_micros() as usize + 1;
    assert!(rows.lines().count() <= most, "a row was made before it was due");
}

#[test]
fn kcat_envelopes_become_records() {
    let lines = concat!(
        r#"{"topic":"logs","partition":0,"offset":42,"tstype":"create","ts":1757635200123,"broker":0,"key":"user_001","payload":"{\"a\":1}"}"#,
        "\n",
        r#"{"topic":"logs","partition":1,"offset":7,"tstype":"create","ts":1757635200124,"broker":0,"headers":["k","v"],"key":null,"payload":"GET /"}"#,
        "\n",
        r#"{"topic":"logs","partition":1,"offset":8,"tstype":"create","ts":1757635200125,"broker":0,"key":"gone","payload":null}"#,
        "\n",
        r#"{"topic":"logs","partition":1,"offset":9,"tstype":"create","ts":1757635200126,"broker":0,"key":null,"payload":"{\"@\":\"end\"}"}"#,
        "\n",
        "no envelope\n",
    );
    let (ran, stats) = INGEST.run_counting(&["--kcat-json"], lines);
    let ran = ran.success();
    let source = |partition: u32, offset: u32, millis: u32, key: &str| {
        format!(
            r#""@source":{{"topic":"logs","partition":{partition},"offset":{offset},"timestamp":"2025-09-12T00:00:00.{millis}Z","key":{key}}}"#
        )
    };
    let rows = [
        format!("{{{},\"a\":1}}\n", source(0, 42, 123, "\"user_001\"")),
        format!("{{{},\"@raw\":\"GET /\"}}\n", source(1, 7, 124, "null")),
        format!("{{{}}}\n", source(1, 8, 125, "\"gone\"")),
    ];
    assert_eq!(ran.stdout, rows.concat());
    assert!(ran.stderr.contains("ingest: stdin:4: reserved_key: payload: "), "{ran}");
    assert_eq!(stats["rejected"], serde_json::json!({"reserved_key": 1, "invalid_json": 1}));
    let bare = INGEST.run(&["--kcat-json", "--no-metadata"], lines).success();
    assert_eq!(bare.stdout, "{\"a\":1}\n{\"@raw\":\"GET /\"}\n{}\n");
    INGEST.run(&["--no-metadata"], lines).exited(2);
    INGEST.run(&["--kcat-json", "--rate", "1"], "").exited(2);
}

#[test]
fn one_source_at_a_time() {
    let refused = |args: &[&str]| -> Ran { INGEST.run(args, "").exited(2) };
    for args in [
        &["--socket", "127.0.0.1:9", "--listen", "127.0.0.1:9"][..],
        &["--socket", "127.0.0.1:9", "access.log"],
        &["--listen", "127.0.0.1:0", "access.log"],
        &["--rate", "1", "--listen", "127.0.0.1:0"],
        &["--rate", "1", "-"],
    ] {
        let ran = refused(args);
        assert!(ran.stderr.contains("cannot be used with"), "{ran}");
    }
    for args in [&["--socket", "9999"][..], &["--listen", "::1:9"], &["--rate", "0"]] {
        let ran = refused(args);
        assert!(ran.stderr.starts_with("ingest: invalid value"), "{ran}");
    }
}
