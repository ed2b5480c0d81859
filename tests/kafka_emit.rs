//! `emit` against the client library's imitation of a cluster.

#![cfg(feature = "kafka")]
#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]
#![allow(clippy::format_collect, reason = "the input of a test may cost an allocation a line")]

mod support;

use std::fs;
use std::time::{Duration, Instant};

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rustix::process::Signal;
use serde_json::Value;
use support::mock::Mock;
use support::process::{End, Live};
use support::stages::INGEST;
use support::{Ran, command, run};

const EMIT: &str = env!("CARGO_BIN_EXE_emit");
/// As long as brokers may take to be found again.
const PATIENCE: Duration = Duration::from_secs(90);

#[track_caller]
fn emit(mock: &Mock, more: &[&str], input: &str) -> Ran {
    run(EMIT, [&["--kafka", &*mock.bootstrap][..], more].concat(), input.as_bytes())
}

/// The records of a topic as `ingest` reads them: key and the rest, in order of
/// partitions and offsets.
#[track_caller]
fn read(mock: &Mock, topic: &str) -> Vec<(Value, String)> {
    let args = ["--kafka", &*mock.bootstrap, "--topic", topic, "-e"];
    let ran = run(INGEST.path, args, b"").success();
    let mut records = Vec::new();
    for line in ran.stdout.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let source = &row["@source"];
        let place = (source["partition"].as_i64().unwrap(), source["offset"].as_i64().unwrap());
        let end = line.find('}').unwrap() + 1;
        records.push((place, (source["key"].clone(), line[end..].to_owned())));
    }
    records.sort_by_key(|(place, _)| *place);
    records.into_iter().map(|(_, record)| record).collect()
}

#[test]
fn records_go_under_the_key_of_a_field() {
    let mock = Mock::new(&[("events", 1)]);
    let input = concat!(
        "{\"user\":\"a\\u00e9\\\"\",\"n\":1.00}\n",
        "{\"n\":2,\"user\":17}\n",
        " {\"user\":null, \"n\":3 }\n",
        "{\"n\":4}\n",
        "\n",
        "{\"@raw\":\"text\",\"user\":\"b\"}\n",
        "{\"@source\":{\"path\":\"x\",\"offset\":1} , \"user\":\"c\",\"n\":5}\n",
        "{\"@source\":{\"peer\":\"x\"}}\n",
    );
    let ran = emit(&mock, &["--topic", "events", "--key", "user"], input).success();
    assert_eq!((&*ran.stdout, &*ran.stderr), ("", ""));
    let got = read(&mock, "events");
    let expected = [
        ("\"aé\\\"\"", ",\"user\":\"a\\u00e9\\\"\",\"n\":1.00}"),
        ("\"17\"", ",\"n\":2,\"user\":17}"),
        ("null", ",\"user\":null, \"n\":3 }"),
        ("null", ",\"n\":4}"),
        // It is no record of `ingest`'s that comes back so, and may not pass for one.
        ("\"c\"", ", \"user\":\"c\",\"n\":5}"),
        ("null", "}"),
    ];
    let expected: Vec<(Value, String)> =
        expected.map(|(key, rest)| (serde_json::from_str(key).unwrap(), rest.to_owned())).to_vec();
    assert_eq!(got, expected);
    let raw = ["--kafka", &*mock.bootstrap, "-t", "events", "-e", "--rejects", "/dev/stdout"];
    assert!(run(INGEST.path, raw, b"").stdout.contains(r#"\"@raw\":\"text\",\"user\":\"b\""#));
}

#[test]
fn keys_are_paths_and_a_copy_is_a_copy() {
    let mock = Mock::new(&[("from", 1), ("to", 1), ("kept", 1)]);
    mock.write("from", 0, Some(b"k1"), Some(b"{\"a\":{\"b\":7}}"), None);
    mock.write("from", 0, Some(b"k2"), None, None);
    mock.write("from", 0, None, Some(b"{}"), None);
    let args = ["--kafka", &*mock.bootstrap, "-t", "from", "-e"];
    let rows = run(INGEST.path, args, b"").success().stdout;
    emit(&mock, &["-t", "to", "-k", "@source.key"], &rows).success();
    assert_eq!(read(&mock, "to"), read(&mock, "from"));
    emit(&mock, &["-t", "kept", "-k", "a.b", "--keep-source"], rows.lines().next().unwrap())
        .success();
    let kept = ["-b", &*mock.bootstrap, "-t", "kept", "-e", "--rejects", "/dev/stdout"];
    let kept = run(INGEST.path, kept, b"").exited(1).stdout;
    assert!(kept.contains("{\\\"@source\\\":{\\\"topic\\\":\\\"from\\\""), "{kept}");
}

#[test]
fn a_full_queue_holds_up_the_pipe_and_loses_nothing() {
    let mock = Mock::new(&[("events", 1)]);
    mock.cluster.broker_round_trip_time(1, Duration::from_millis(50)).unwrap();
    // Each 100th is one that the client refuses; those around it go on in their order.
    let giant = "x".repeat(3_000);
    let input: String = (1..=2_000)
        .map(|n| {
            if n % 100 == 0 {
                format!("{{\"n\":\"{giant}\"}}\n")
            } else {
                format!("{{\"n\":{n}}}\n")
            }
        })
        .collect();
    let small =
        ["queue.buffering.max.messages=150", "batch.num.messages=50", "message.max.bytes=2000"];
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("stats");
    let mut args = vec!["-t", "events", "--stats", stats.to_str().unwrap()];
    args.extend(small.into_iter().flat_map(|property| ["-X", property]));
    let ran = emit(&mock, &args, &input).exited(1);
    assert!(ran.stderr.contains("20 of 2000 records were not delivered"), "{}", ran.stderr);
    let stats: Value = serde_json::from_str(&fs::read_to_string(stats).unwrap()).unwrap();
    assert_eq!((&stats["records_in"], &stats["records_out"]), (&2_000.into(), &1_980.into()));
    let rests: Vec<String> = read(&mock, "events").into_iter().map(|(_, rest)| rest).collect();
    let expected: Vec<String> =
        (1..=2_000).filter(|n| n % 100 != 0).map(|n| format!(",\"n\":{n}}}")).collect();
    assert_eq!(rests, expected);
}

#[test]
fn a_full_queue_is_no_failure() {
    let mock = Mock::new(&[("events", 2)]);
    mock.cluster.broker_round_trip_time(1, Duration::from_millis(50)).unwrap();
    let input: String = (0..2_000).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let small = ["-X", "queue.buffering.max.messages=100", "-X", "batch.num.messages=50"];
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("stats");
    let args = [&["-t", "events", "--stats", stats.to_str().unwrap()], &small[..]].concat();
    emit(&mock, &args, &input).success();
    let stats: Value = serde_json::from_str(&fs::read_to_string(stats).unwrap()).unwrap();
    assert_eq!((&stats["records_in"], &stats["records_out"]), (&2_000.into(), &2_000.into()));
    let mut rests: Vec<String> = read(&mock, "events").into_iter().map(|(_, rest)| rest).collect();
    rests.sort_unstable();
    let mut expected: Vec<String> = (0..2_000).map(|n| format!(",\"n\":{n}}}")).collect();
    expected.sort_unstable();
    assert_eq!(rests, expected);
}

#[test]
fn what_can_be_tried_again_is() {
    let mock = Mock::new(&[("events", 1)]);
    mock.cluster.request_errors(
        RDKafkaApiKey::Produce,
        &[
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        ],
    );
    emit(&mock, &["-t", "events"], "{\"n\":1}\n{\"n\":2}\n").success();
    let rests: Vec<String> = read(&mock, "events").into_iter().map(|(_, rest)| rest).collect();
    assert_eq!(rests, [",\"n\":1}", ",\"n\":2}"]);
}

#[test]
fn what_was_not_delivered_is_counted_and_told() {
    let mock = Mock::new(&[("events", 1)]);
    let large = format!("{{\"text\":\"{}\"}}\n", "x".repeat(5_000));
    let input = ["{\"n\":1}\n", &*large, "{\"n\":2}\n"].concat();
    let ran = emit(&mock, &["-t", "events", "-X", "message.max.bytes=2000"], &input).exited(1);
    let why = "5011 bytes are more than message.max.bytes allows";
    let said = format!(
        "emit: kafka: a record was not delivered: {why}\n\
         emit: 1 of 3 records were not delivered: {why}\n"
    );
    assert_eq!(ran.stderr, said);
    assert_eq!(read(&mock, "events").len(), 2, "the others are");
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("stats");
    let args = ["-t", "events", "-X", "message.max.bytes=2000", "--stats", stats.to_str().unwrap()];
    emit(&mock, &args, &input).exited(1);
    let stats: Value = serde_json::from_str(&fs::read_to_string(stats).unwrap()).unwrap();
    let counts = ["records_in", "records_out", "undelivered"].map(|name| stats[name].as_u64());
    assert_eq!(counts, [Some(3), Some(2), Some(1)]);
    // It counts though it had not been handed over when the run failed.
    let input = [&*large, "no record\n"].concat();
    let limit = ["-t", "events", "--strict", "-X", "message.max.bytes=2000"];
    let ran = emit(&mock, &limit, &input).exited(1);
    assert!(ran.stderr.contains(&format!("was not delivered: {why}\n")), "{ran}");
    assert!(ran.stderr.contains("emit: kafka: 1 of 1 records were not delivered\n"), "{ran}");

    // A broker that does not come back in time.
    let live = |mock: &Mock, timeout: &str| {
        let timeout = format!("message.timeout.ms={timeout}");
        Live::spawn(command(EMIT, ["-b", &*mock.bootstrap, "-t", "events", "-X", &timeout]))
    };
    let mut mock = mock;
    let mut emit = live(&mock, "8000");
    emit.write("{\"n\":3}\n");
    while read(&mock, "events").len() < 5 {}
    mock.set_up(false);
    emit.write("{\"n\":4}\n{\"n\":5}\n");
    let message = emit.message();
    assert!(message.starts_with("emit: kafka: no broker answers, trying again: "), "{message}");
    emit.close();
    let (end, _, messages) = emit.end_within(PATIENCE);
    assert_eq!(end, End::Code(1));
    let waits = "emit: kafka: waiting for 2 records to be acknowledged";
    assert!(messages.iter().any(|message| message == waits), "{messages:?}");
    let last = messages.last().unwrap();
    assert!(last.starts_with("emit: 2 of 3 records were not delivered: "), "{messages:?}");
    // One that does.
    mock.set_up(true);
    let mut emit = live(&mock, "60000");
    emit.write("{\"n\":6}\n");
    while read(&mock, "events").len() < 6 {}
    mock.set_up(false);
    emit.write("{\"n\":7}\n");
    emit.message();
    mock.set_up(true);
    emit.close();
    assert_eq!(emit.end_within(PATIENCE).0, End::Code(0));
    assert_eq!(read(&mock, "events").last().unwrap().1, ",\"n\":7}");
}

#[test]
fn a_record_arrives_while_the_pipe_is_open() {
    let mock = Mock::new(&[("events", 1)]);
    let mut emit = Live::spawn(command(EMIT, ["-b", &*mock.bootstrap, "-t", "events"]));
    let begun = Instant::now();
    emit.write("{\"n\":1}\n");
    while read(&mock, "events").is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
    emit.signal(Signal::TERM);
    emit.write("{\"n\":2}\n");
    emit.close();
    assert_eq!(emit.end().0, End::Code(0), "a notice: its input has ended soon after");
    assert_eq!(read(&mock, "events").len(), 2);
}

#[test]
fn lines_that_are_no_records_are_rejected() {
    let mock = Mock::new(&[("events", 1)]);
    let ran =
        emit(&mock, &["-t", "events", "-k", "nn"], "{\"n\":1}\nhello\n[1]\n{\"n\":\n").success();
    assert!(ran.stderr.contains("stdin:2: invalid_json"), "{ran}");
    assert!(ran.stderr.contains("emit: no record had a field nn: none has a key\n"), "{ran}");
    assert_eq!(read(&mock, "events").len(), 1);
}

#[test]
fn nobody_has_to_read_what_is_not_written() {
    let mock = Mock::new(&[("events", 1)]);
    let mut emit = Live::spawn(command(EMIT, ["-b", &*mock.bootstrap, "-t", "events"]));
    emit.leave();
    emit.write("{\"n\":1}\n");
    while read(&mock, "events").is_empty() {}
    emit.write("{\"n\":2}\n");
    emit.close();
    assert_eq!(emit.end().0, End::Code(0));
    assert_eq!(read(&mock, "events").len(), 2);
    // What has been taken before a run fails arrives, and counts.
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("stats");
    let args = ["-t", "events", "--strict", "--stats", stats.to_str().unwrap()];
    let input: &[u8] = b"{\"n\":3}\n{\"n\":\"\xff\"}\n{\"n\":4}\n";
    let ran = run(EMIT, [&["-b", &*mock.bootstrap], &args[..]].concat(), input).exited(1);
    assert!(ran.stderr.contains("stdin:2: invalid_utf8"), "{ran}");
    assert_eq!(read(&mock, "events").len(), 3);
    let stats: Value = serde_json::from_str(&fs::read_to_string(stats).unwrap()).unwrap();
    assert_eq!((&stats["records_out"], &stats["bytes_out"]), (&1.into(), &7.into()));
}

#[test]
fn mistakes_are_one_line() {
    let mock = Mock::new(&[("events", 2)]);
    for (args, code, said) in [
        (&["-t", "events", "-p", "7"][..], 1, "cannot write to events[7]: it has 2 partitions"),
        (&["-t", "events", "-X", "no.such=1"], 2, "no.such: No such configuration property"),
        (&["-t", "events", "-X", "sasl.password"], 2, "is written key=value"),
        (&["-t", "events", "--partitioner", "java"], 2, "murmur2_random"),
        (&["-t", "events", "-X", "acks=1"], 2, "acks"),
        (
            &[
                "-t",
                "events",
                "-X",
                "message.max.bytes=9000000",
                "-X",
                "queue.buffering.max.kbytes=99",
            ],
            2,
            "no room for a record of message.max.bytes: give 8790 at least",
        ),
        (&["-t", "events", "--transaction-interval", "1s"], 2, "--transactional-id"),
        (&[], 2, "--topic"),
    ] {
        let ran = emit(&mock, args, "").exited(code);
        assert!(ran.stderr.contains(said), "{ran}");
    }
    let begun = Instant::now();
    let ran = run(EMIT, ["-b", "127.0.0.1:9", "-t", "events"], b"{}\n").exited(1);
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(ran.stderr.starts_with("emit: no broker answers at 127.0.0.1:9: "), "{ran}");
    assert_eq!(ran.stderr.lines().count(), 1, "{ran}");
}
