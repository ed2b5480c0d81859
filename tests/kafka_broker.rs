//! `ingest --kafka` and `emit` against Apache Kafka itself. Left out unless
//! `HIGHWATER_TEST_SERVERS=1`, which `scripts/test` sets.

#![cfg(feature = "kafka")]
#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]
#![allow(clippy::format_collect, reason = "the input of a test may cost an allocation a line")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rustix::process::Signal;
use serde_json::Value;
use support::broker::{Broker, is_wanted};
use support::process::{End, Live};
use support::stages::INGEST;
use support::{Ran, command, run};

const EMIT: &str = env!("CARGO_BIN_EXE_emit");
const PATIENCE: Duration = Duration::from_secs(120);
const QUICK: [&str; 4] = ["-X", "session.timeout.ms=6000", "-X", "heartbeat.interval.ms=500"];

#[track_caller]
fn ingest(broker: &Broker, more: &[&str]) -> Ran {
    run(INGEST.path, [&["-b", &*broker.bootstrap][..], more].concat(), b"")
}

fn live(broker: &Broker, more: &[&str]) -> Live {
    Live::spawn(command(INGEST.path, [&["-b", &*broker.bootstrap][..], more].concat()))
}

#[track_caller]
fn emit(broker: &Broker, more: &[&str], input: &str) -> Ran {
    run(EMIT, [&["-b", &*broker.bootstrap][..], more].concat(), input.as_bytes())
}

fn emitting(broker: &Broker, more: &[&str]) -> Live {
    Live::spawn(command(EMIT, [&["-b", &*broker.bootstrap][..], more].concat()))
}

fn producer(broker: &Broker, more: &[(&str, &str)]) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &broker.bootstrap);
    for (key, value) in more {
        config.set(*key, *value);
    }
    config.create().unwrap()
}

/// Writes `{"n":0}` and so on.
fn count(producer: &BaseProducer, topic: &str, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let payload = format!("{{\"n\":{number}}}");
        let record = BaseRecord::<(), str>::to(topic).payload(&payload);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

fn number(row: &str) -> Option<u64> {
    serde_json::from_str::<Value>(row).unwrap()["n"].as_u64()
}

fn numbers(ran: &Ran) -> Vec<u64> {
    ran.stdout.lines().filter_map(number).collect()
}

/// Programs whose output goes into a file. Killed if the test fails.
struct Reader(Child);

impl Reader {
    fn begin(broker: &Broker, args: &[&str], into: &Path) -> Self {
        let mut command = command(INGEST.path, ["-b", &*broker.bootstrap]);
        command.args(args).stdin(Stdio::null()).stdout(File::create(into).unwrap());
        Self(command.spawn().unwrap())
    }

    #[track_caller]
    fn stop(mut self) {
        let id = rustix::process::Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        rustix::process::kill_process(id, Signal::TERM).unwrap();
        assert_eq!(support::process::wait(&mut self.0, PATIENCE), End::Code(0));
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn lines(path: &Path) -> usize {
    BufReader::new(File::open(path).unwrap()).split(b'\n').count()
}

#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "still not: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// A million events by keys, which another reader joins in reading.
#[test]
fn two_readers_of_a_group_share_a_million_events() {
    const EVENTS: usize = 1_000_000;
    if !is_wanted("two_readers_of_a_group_share_a_million_events") {
        return;
    }
    let broker = Broker::start(&["--topic", "events:8"]);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let events = File::create(path("events")).unwrap();
    let made = command(env!("CARGO_BIN_EXE_produce-synthetic"), ["events", "--seed", "7"])
        .args(["--count", &EVENTS.to_string(), "--start", "2025-09-12T00:00:00Z"])
        .stdout(events)
        .status();
    assert!(made.unwrap().success());
    let group = ["-t", "events", "-G", "two", "-o", "earliest"];
    let outs = [path("first"), path("second")];
    let first = Reader::begin(&broker, &group, &outs[0]);

    let all = fs::read_to_string(path("events")).unwrap();
    let mut sent: Vec<&str> = all.lines().collect();
    let (early, late) = sent.split_at(EVENTS / 2);
    emit(&broker, &["-t", "events", "-k", "user_id"], &(early.join("\n") + "\n")).success();
    wait_until("the first reader reads", || lines(&outs[0]) > EVENTS / 10);
    let second = Reader::begin(&broker, &group, &outs[1]);
    let more = producer(&broker, &[]);
    wait_until("the second reader has been let in", || {
        count(&more, "events", 0..100);
        lines(&outs[1]) > 0
    });
    emit(&broker, &["-t", "events", "-k", "user_id"], &(late.join("\n") + "\n")).success();
    let is_event = |line: &str| !line.contains(",\"n\":");
    wait_until("all events have been read", || {
        let both = || outs.iter().flat_map(|out| BufReader::new(File::open(out).unwrap()).lines());
        both().filter(|line| line.as_ref().is_ok_and(|line| is_event(line))).count() >= EVENTS
    });
    first.stop();
    second.stop();

    let mut places = BTreeSet::new();
    let mut got = Vec::with_capacity(EVENTS);
    for out in &outs {
        let mut last = BTreeMap::new();
        for line in fs::read_to_string(out).unwrap().lines() {
            let (source, rest) = line.split_once("},").unwrap();
            let source: Value =
                serde_json::from_str(&format!("{}}}", source.split_once(':').unwrap().1)).unwrap();
            let place = (source["partition"].as_u64().unwrap(), source["offset"].as_u64().unwrap());
            assert!(places.insert(place), "{place:?} came twice");
            let before = last.insert(place.0, place.1);
            assert!(before < Some(place.1), "{place:?} came behind {before:?}");
            if is_event(line) {
                got.push(format!("{{{rest}"));
            }
        }
    }
    got.sort_unstable();
    sent.sort_unstable();
    assert!(got.iter().eq(&sent), "{} events of {}", got.len(), sent.len());
    println!("{} and {} rows", lines(&outs[0]), lines(&outs[1]));
}

#[test]
fn a_broker_that_is_killed_costs_a_reader_nothing() {
    if !is_wanted("a_broker_that_is_killed_costs_a_reader_nothing") {
        return;
    }
    let mut broker =
        Broker::start(&["--topic", "logs:1", "--set", "log.flush.interval.messages=1"]);
    let live =
        live(&broker, &["-t", "logs", "-o", "earliest", "-X", "reconnect.backoff.max.ms=500"]);
    count(&producer(&broker, &[]), "logs", 0..1_000);
    let mut got: Vec<u64> = (0..1_000).map(|_| number(&live.line()).unwrap()).collect();
    broker.kill();
    let message = live.message();
    assert!(message.starts_with("ingest: kafka: no broker answers, trying again: "), "{message}");
    broker.up(&[]);
    count(&producer(&broker, &[]), "logs", 1_000..2_000);
    got.extend((0..1_000).map(|_| number(&live.line()).unwrap()));
    assert_eq!(got, (0..2_000).collect::<Vec<u64>>());
    assert_eq!(live.message(), "ingest: kafka: connected again");
    live.signal(Signal::TERM);
    assert_eq!(live.end().0, End::Code(0));
}

#[test]
fn a_reader_that_is_killed_is_replaced_by_the_other() {
    if !is_wanted("a_reader_that_is_killed_is_replaced_by_the_other") {
        return;
    }
    let broker = Broker::start(&["--topic", "logs:2"]);
    let folder = tempfile::tempdir().unwrap();
    let outs = [folder.path().join("first"), folder.path().join("second")];
    let group = [&["-t", "logs", "-G", "two", "-o", "earliest"], &QUICK[..]].concat();
    let mut killed = Reader::begin(&broker, &group, &outs[0]);
    let other = Reader::begin(&broker, &group, &outs[1]);
    let producer =
        producer(&broker, &[("partitioner", "random"), ("sticky.partitioning.linger.ms", "0")]);
    let mut written = 0;
    wait_until("both read", || {
        count(&producer, "logs", written..written + 100);
        written += 100;
        outs.iter().all(|out| lines(out) > 0)
    });
    killed.0.kill().unwrap();
    killed.0.wait().unwrap();
    count(&producer, "logs", written..written + 1_000);
    written += 1_000;
    let seen = || -> BTreeSet<u64> {
        let text = outs.iter().map(|out| fs::read_to_string(out).unwrap()).collect::<String>();
        text.lines().filter(|line| line.ends_with('}')).filter_map(number).collect()
    };
    wait_until("everything has been read by one of them", || seen().len() as u64 == written);
    other.stop();
    assert_eq!(seen(), (0..written).collect());
}

#[test]
fn a_broker_that_hangs_does_not_hold_up_the_end() {
    if !is_wanted("a_broker_that_hangs_does_not_hold_up_the_end") {
        return;
    }
    let mut broker = Broker::start(&["--topic", "logs:1"]);
    let writer = producer(&broker, &[]);
    count(&writer, "logs", 0..10);
    let late = ["-X", "auto.commit.interval.ms=600000"];
    let group = [&["-t", "logs", "-G", "g", "-o", "earliest"], &QUICK[..], &late].concat();
    let reader = live(&broker, &group);
    for number in 0..10 {
        assert_eq!(self::number(&reader.line()), Some(number));
    }
    broker.hold_up();
    let begun = Instant::now();
    reader.signal(Signal::INT);
    let (end, _, messages) = reader.end();
    let took = begun.elapsed();
    // Going on, it would find the commit among what it has not read yet.
    broker.kill();
    broker.up(&[]);
    assert_eq!(end, End::Code(0));
    assert!(took < Duration::from_secs(20), "{took:?}");
    let told = "ingest: kafka: the last offsets could not be committed, so their records may be \
                read again: no broker answers";
    assert_eq!(messages, [told]);
    assert_eq!(numbers(&ingest(&broker, &[&group[..], &["-e"]].concat())).len(), 10);
}

/// By a group, whether it is reading at that time or not.
#[test]
fn a_partition_that_is_added_is_read_from_its_beginning() {
    if !is_wanted("a_partition_that_is_added_is_read_from_its_beginning") {
        return;
    }
    let broker = Broker::start(&["--topic", "logs:1"]);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    // Without -o, it begins at the end of what there is.
    let group = [&["-t", "logs", "-G", "g"], &QUICK[..]].concat();
    let add = |partitions: usize| {
        let number = partitions.to_string();
        let args = ["--alter", "--topic", "logs", "--partitions", &number];
        broker.tool("org.apache.kafka.tools.TopicCommand", &args, "").success();
        wait_until("all partitions are known", || {
            let writer = producer(&broker, &[]);
            let metadata = writer.client().fetch_metadata(Some("logs"), PATIENCE).unwrap();
            metadata.topics()[0].partitions().len() == partitions
        });
    };
    let write = |partition: i32, numbers: std::ops::Range<u64>| {
        let writer = producer(&broker, &[]);
        for number in numbers {
            let payload = format!("{{\"n\":{number}}}");
            let record = BaseRecord::<(), str>::to("logs").partition(partition).payload(&payload);
            writer.send(record).map_err(|(error, _)| error).unwrap();
        }
        writer.flush(PATIENCE).unwrap();
    };
    write(0, 0..10);
    let reader = Reader::begin(&broker, &group, &out);
    let mut written = 10;
    wait_until("the group reads", || {
        write(0, written..written + 1);
        written += 1;
        lines(&out) > 0
    });
    let seen = || -> BTreeSet<u64> {
        let text = fs::read_to_string(&out).unwrap();
        text.lines().filter(|line| line.ends_with('}')).filter_map(number).collect()
    };
    add(2);
    write(1, 1_000..1_010);
    wait_until("the new partition is read", || seen().contains(&1_009));
    reader.stop();
    let added: BTreeSet<u64> = seen().into_iter().filter(|number| *number >= 1_000).collect();
    assert_eq!(added, (1_000..1_010).collect());
    assert!(!seen().contains(&9), "it has begun before the end");
    add(3);
    write(2, 2_000..2_010);
    let again = Reader::begin(&broker, &group, &out);
    wait_until("what came meanwhile is read", || lines(&out) >= 10);
    again.stop();
    assert_eq!(seen(), (2_000..2_010).collect());
}

#[test]
fn records_that_are_gone_are_told() {
    if !is_wanted("records_that_are_gone_are_told") {
        return;
    }
    let broker = Broker::start(&["--topic", "logs:2"]);
    let writer = producer(&broker, &[]);
    for number in 0..100 {
        let payload = format!("{{\"n\":{number}}}");
        let record = BaseRecord::<(), str>::to("logs").partition(0).payload(&payload);
        writer.send(record).map_err(|(error, _)| error).unwrap();
    }
    writer.flush(PATIENCE).unwrap();
    let group = ["-t", "logs", "-G", "g", "-o", "earliest"];
    assert_eq!(
        numbers(&ingest(&broker, &[&group[..], &["-c", "10"]].concat()).success()).len(),
        10
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("offsets.json");
    let offsets = r#"{"partitions":[{"topic":"logs","partition":0,"offset":60}],"version":1}"#;
    fs::write(&file, offsets).unwrap();
    let args = ["--offset-json-file", file.to_str().unwrap()];
    broker.tool("org.apache.kafka.tools.DeleteRecordsCommand", &args, "").success();
    let said = "ingest: logs[0]: offset 10 is gone, the earliest is 60: 50 records are lost; \
                --fail-on-data-loss false goes on\n";
    let failed = ingest(&broker, &[&group[..], &["-e"]].concat()).exited(1);
    assert_eq!((&*failed.stderr, &*failed.stdout), (said, ""));
    let from = ["-t", "logs", "-o", r#"{"logs":{"0":10,"1":0}}"#, "-e"];
    assert_eq!(ingest(&broker, &from).exited(1).stderr, said);
    let goes_on = ["--fail-on-data-loss", "false"];
    for args in [&group[..], &from] {
        let ran =
            ingest(&broker, &[args, &["-e"][..usize::from(args.len() == 6)], &goes_on].concat());
        let ran = ran.success();
        assert_eq!(numbers(&ran), (60..100).collect::<Vec<u64>>(), "{ran}");
        let said = "ingest: logs[0]: offsets 10 to 59 are gone: 50 lost, going on at 60\n";
        assert_eq!(ran.stderr, said);
    }
}

#[test]
fn only_what_has_been_committed_is_read() {
    if !is_wanted("only_what_has_been_committed_is_read") {
        return;
    }
    let broker = Broker::start(&["--topic", "logs:1"]);
    let writer = producer(&broker, &[("transactional.id", "writer")]);
    writer.init_transactions(PATIENCE).unwrap();
    for (numbers, is_kept) in [(0..5, true), (5..10, false), (10..15, true)] {
        writer.begin_transaction().unwrap();
        count(&writer, "logs", numbers);
        if is_kept {
            writer.commit_transaction(PATIENCE).unwrap();
        } else {
            writer.abort_transaction(PATIENCE).unwrap();
        }
    }
    // The last offset is a mark of the transaction and no message.
    let committed = ingest(&broker, &["-t", "logs", "-e"]).success();
    assert_eq!(numbers(&committed), (0..5).chain(10..15).collect::<Vec<u64>>());
    let all = ingest(&broker, &["-t", "logs", "-e", "--isolation", "read_uncommitted"]).success();
    assert_eq!(numbers(&all), (0..15).collect::<Vec<u64>>());
    // What is under way is not there yet.
    writer.begin_transaction().unwrap();
    count(&writer, "logs", 15..20);
    let committed = ingest(&broker, &["-t", "logs", "-e", "-o", "-4"]).success();
    assert_eq!(numbers(&committed), [12, 13, 14]);
    writer.abort_transaction(PATIENCE).unwrap();
}

#[test]
fn kcat_and_ingest_read_the_same() {
    if !is_wanted("kcat_and_ingest_read_the_same") {
        return;
    }
    let broker = Broker::start(&["--topic", "logs:3"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lines");
    let text: String = (0..1_000).map(|n| format!("key{}\t{{\"n\":{n}}}\n", n % 7)).collect();
    fs::write(&file, text + "\ttext \"quoted\"\n").unwrap();
    let kcat = |args: &[&str]| {
        let all = [&["-b", &*broker.bootstrap, "-t", "logs"], args].concat();
        run("kcat", all, b"").success()
    };
    kcat(&["-P", "-K", "\t", "-l", file.to_str().unwrap()]);
    let envelopes = kcat(&["-C", "-e", "-q", "-J"]);
    let by_kcat = run(INGEST.path, ["--kcat-json"], envelopes.stdout.as_bytes()).success();
    let by_itself = ingest(&broker, &["-t", "logs", "-e"]).success();
    let sorted = |ran: &Ran| ran.stdout.lines().map(str::to_owned).collect::<BTreeSet<String>>();
    assert_eq!(sorted(&by_itself).len(), 1_001);
    assert_eq!(sorted(&by_itself), sorted(&by_kcat));
}

#[test]
fn keys_choose_the_partitions_that_they_do_in_java() {
    if !is_wanted("keys_choose_the_partitions_that_they_do_in_java") {
        return;
    }
    let broker = Broker::start(&["--topic", "ours:7", "--topic", "javas:7"]);
    let keys: Vec<String> = (0..2_000).map(|n| format!("k\u{e9}y {n}")).collect();
    let ours: String = keys.iter().map(|key| format!("{{\"k\":\"{key}\"}}\n")).collect();
    emit(&broker, &["-t", "ours", "-k", "k"], &ours).success();
    let javas: String = keys.iter().map(|key| format!("{key}\tx\n")).collect();
    let parse = ["--reader-property", "parse.key=true", "--topic", "javas"];
    broker.tool("org.apache.kafka.tools.ConsoleProducer", &parse, &javas).success();
    let partitions = |topic: &str| -> BTreeMap<String, i64> {
        let ran = ingest(&broker, &["-t", topic, "-e"]).success();
        let row = |line: &str| {
            let row: Value = serde_json::from_str(line).unwrap();
            let source = &row["@source"];
            (source["key"].as_str().unwrap().to_owned(), source["partition"].as_i64().unwrap())
        };
        ran.stdout.lines().map(row).collect()
    };
    let ours = partitions("ours");
    assert_eq!(ours.len(), 2_000);
    assert_eq!(ours.values().collect::<BTreeSet<_>>().len(), 7);
    assert_eq!(ours, partitions("javas"));
}

#[test]
fn kcat_reads_what_was_emitted() {
    if !is_wanted("kcat_reads_what_was_emitted") {
        return;
    }
    let broker = Broker::start(&["--topic", "rows:1"]);
    let rows: String = (0..500).map(|n| format!("{{\"n\":{n},\"k\":\"k{}\"}}\n", n % 3)).collect();
    emit(&broker, &["-t", "rows", "-k", "k", "-X", "compression.type=zstd"], &rows).success();
    let format = ["-b", &broker.bootstrap, "-t", "rows", "-C", "-e", "-q", "-f", "%k %s\n"];
    let read = run("kcat", format, b"").success();
    let key = |line: &str| format!("{} {line}\n", &line[line.len() - 4..line.len() - 2]);
    assert_eq!(read.stdout, rows.lines().map(key).collect::<String>());
}

#[test]
fn a_broker_that_is_killed_costs_no_record_and_repeats_none() {
    const RECORDS: u64 = 300_000;
    if !is_wanted("a_broker_that_is_killed_costs_no_record_and_repeats_none") {
        return;
    }
    let mut broker = Broker::start(&["--topic", "logs:3"]);
    let mut emit = emitting(&broker, &["-t", "logs", "-X", "reconnect.backoff.max.ms=500"]);
    let kill_at = RECORDS / 3;
    for number in 0..RECORDS {
        emit.write(format!("{{\"n\":{number}}}\n"));
        if number == kill_at {
            broker.kill();
        }
        if number == kill_at + 1_000 {
            let message = emit.message();
            let said = "emit: kafka: no broker answers, trying again: ";
            assert!(message.starts_with(said), "{message}");
            broker.up(&[]);
        }
    }
    emit.close();
    let (end, _, messages) = emit.end_within(PATIENCE);
    assert_eq!(end, End::Code(0), "{messages:?}");
    let mut got = numbers(&ingest(&broker, &["-t", "logs", "-e"]).success());
    got.sort_unstable();
    assert!(got.iter().copied().eq(0..RECORDS), "{} of {RECORDS}", got.len());
}

#[test]
fn a_transaction_is_read_whole_or_not_at_all() {
    if !is_wanted("a_transaction_is_read_whole_or_not_at_all") {
        return;
    }
    let broker = Broker::start(&["--topic", "logs:2"]);
    let args = ["-t", "logs", "--transactional-id", "writer", "--transaction-interval"];
    let lines = |numbers: std::ops::Range<u64>| -> String {
        numbers.map(|number| format!("{{\"n\":{number}}}\n")).collect()
    };
    let committed = || {
        let mut numbers = numbers(&ingest(&broker, &["-t", "logs", "-e"]).success());
        numbers.sort_unstable();
        numbers
    };
    let uncommitted = ["-t", "logs", "-e", "--isolation", "read_uncommitted"];
    let sent = || numbers(&ingest(&broker, &uncommitted).success()).len();
    // Short ones are read while the pipe is open.
    let mut short = emitting(&broker, &[&args[..], &["100ms"]].concat());
    // By the clock on the wall, whatever the stream's own clock is.
    short.write(concat!(
        r#"{"@":"start","format":1,"line":null,"run":null,"epoch":null,"stage":0}"#,
        "\n",
        r#"{"@":"heartbeat","at":"2025-09-12T00:00:00Z"}"#,
        "\n",
    ));
    short.write(lines(0..10));
    wait_until("the transaction is committed", || committed().len() == 10);
    short.close();
    assert_eq!(short.end().0, End::Code(0));
    // One that is killed leaves nothing behind, once the id is used again.
    let mut killed = emitting(&broker, &[&args[..], &["1h"]].concat());
    killed.write(lines(10..110));
    wait_until("it has been sent", || sent() == 110);
    assert_eq!(committed().len(), 10);
    killed.signal(Signal::KILL);
    killed.end();
    emit(&broker, &[&args[..], &["1h"]].concat(), &lines(110..115)).success();
    // Partitions get their marks after the commit has been answered.
    wait_until("it can be read", || committed().len() == 15);
    assert_eq!(committed(), (0..10).chain(110..115).collect::<Vec<u64>>());
    // Two at once are one too many: the older one is shut out.
    let mut older = emitting(&broker, &[&args[..], &["1h"]].concat());
    older.write(lines(200..210));
    wait_until("it has been sent", || sent() == 125);
    emit(&broker, &[&args[..], &["1h"]].concat(), &lines(115..120)).success();
    older.write(lines(210..220));
    older.close();
    let (end, _, messages) = older.end_within(PATIENCE);
    assert_eq!(end, End::Code(1), "{messages:?}");
    let said = "emit: kafka: cannot go on writing: another process has begun to write with this \
                transactional id";
    assert_eq!(messages.last().map(String::as_str), Some(said), "{messages:?}");
    let number = &messages[messages.len() - 2];
    assert!(number.ends_with(" records were not delivered"), "{messages:?}");
    wait_until("it can be read", || committed().len() == 20);
    assert_eq!(committed(), (0..10).chain(110..120).collect::<Vec<u64>>());
}

/// A port that nobody listens on now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn passwords_open_a_broker_over_tls() {
    if !is_wanted("passwords_open_a_broker_over_tls") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let keytool = |args: &[&str]| {
        let output = Command::new("keytool").args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    };
    let store = ["-keystore", &path("store.p12"), "-storetype", "PKCS12", "-storepass", "changeit"];
    let pair = [
        "-genkeypair",
        "-alias",
        "broker",
        "-keyalg",
        "RSA",
        "-dname",
        "CN=broker",
        "-ext",
        "san=ip:127.0.0.1",
        "-validity",
        "30",
    ];
    keytool(&[&pair[..], &store].concat());
    let export = ["-exportcert", "-rfc", "-alias", "broker", "-file", &path("ca.pem")];
    keytool(&[&export[..], &store].concat());

    let (plain, controller, tls) = (free_port(), free_port(), free_port());
    let listeners = format!("PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{tls}");
    let module = "org.apache.kafka.common.security";
    let mut args =
        vec!["--port".to_owned(), plain.to_string(), "--topic".to_owned(), "logs".to_owned()];
    for setting in [
        format!("listeners={listeners},CONTROLLER://127.0.0.1:{controller}"),
        format!("advertised.listeners={listeners}"),
        format!("controller.quorum.voters=1@127.0.0.1:{controller}"),
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT"
            .to_owned(),
        "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512".to_owned(),
        format!(
            "listener.name.sasl_ssl.plain.sasl.jaas.config={module}.plain.PlainLoginModule required user_me=\"secret\";"
        ),
        format!(
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;"
        ),
        format!("ssl.keystore.location={}", path("store.p12")),
        "ssl.keystore.type=PKCS12".to_owned(),
        "ssl.keystore.password=changeit".to_owned(),
    ] {
        args.extend(["--set".to_owned(), setting]);
    }
    let broker = Broker::start(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let user = [
        "--alter",
        "--entity-type",
        "users",
        "--entity-name",
        "me",
        "--add-config",
        "SCRAM-SHA-512=[password=secret]",
    ];
    broker.tool("kafka.admin.ConfigCommand", &user, "").success();
    count(&producer(&broker, &[]), "logs", 0..10);

    let address = format!("127.0.0.1:{tls}");
    let file = path("client.properties");
    for mechanism in ["PLAIN", "SCRAM-SHA-512"] {
        let settings = format!(
            "security.protocol=sasl_ssl\nsasl.mechanism={mechanism}\nssl.ca.location={}\n\
             sasl.username=me\n",
            path("ca.pem")
        );
        fs::write(&file, settings).unwrap();
        let args = ["-b", &*address, "-t", "logs", "-e", "-F", &file];
        let with_password = |password: &str| {
            let output = command(INGEST.path, args)
                .env("HIGHWATER_KAFKA_PASSWORD", password)
                .output()
                .unwrap();
            let text = |bytes| String::from_utf8(bytes).unwrap();
            (output.status.code(), text(output.stdout), text(output.stderr))
        };
        let (code, rows, said) = with_password("secret");
        assert_eq!((code, rows.lines().count(), &*said), (Some(0), 10, ""), "{mechanism}");
        let begun = Instant::now();
        let (code, rows, said) = with_password("hunter2");
        assert!(begun.elapsed() < Duration::from_secs(10), "{mechanism}");
        assert_eq!((code, &*rows), (Some(1), ""), "{mechanism}: {said}");
        let refused = format!("ingest: {address} refuses to let us in: ");
        assert!(said.starts_with(&refused) && said.lines().count() == 1, "{mechanism}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}
