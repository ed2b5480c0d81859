//! `ingest --kafka` against the client library's imitation of a cluster.

#![cfg(feature = "kafka")]
#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rustix::process::Signal;
use serde_json::{Value, json};
use support::mock::Mock;
use support::process::{End, Live};
use support::stages::INGEST;
use support::{Ran, command, run};

/// A group is quick to find out here that a reader is gone.
const QUICK: [&str; 4] = ["-X", "session.timeout.ms=6000", "-X", "heartbeat.interval.ms=500"];

fn args<'a>(mock: &'a Mock, more: &[&'a str]) -> Vec<&'a str> {
    [&["--kafka", &*mock.bootstrap][..], more].concat()
}

#[track_caller]
fn ingest(mock: &Mock, more: &[&str]) -> Ran {
    run(INGEST.path, args(mock, more), b"")
}

fn live(mock: &Mock, more: &[&str]) -> Live {
    Live::spawn(command(INGEST.path, args(mock, more)))
}

/// The numbers that `Mock::count` has written, in the order of the rows.
fn numbers<'a>(rows: impl IntoIterator<Item = &'a str>) -> Vec<u64> {
    let number = |row: &str| {
        let row: Value = serde_json::from_str(row).unwrap();
        row["n"].as_u64()
    };
    rows.into_iter().filter_map(number).collect()
}

fn sorted(mut numbers: Vec<u64>) -> Vec<u64> {
    numbers.sort_unstable();
    numbers
}

/// Key and payload, and what the record shows of them.
type Case = (Option<&'static [u8]>, Option<&'static [u8]>, &'static str, &'static str);

#[test]
fn messages_become_records() {
    let mock = Mock::new(&[("my.logs", 2)]);
    let headers = OwnedHeaders::new()
        .insert(Header { key: "trace", value: Some("7") })
        .insert(Header { key: "tag", value: Some("a") })
        .insert(Header { key: "tag", value: Some("b\"") })
        .insert(Header { key: "none", value: None::<&str> });
    let mut expected = String::new();
    let payloads: [Case; 10] = [
        (Some(b"user_001"), Some(b"{\"a\":1.00}"), "\"user_001\"", ",\"a\":1.00}"),
        (None, Some(b"GET / 200"), "null", ",\"@raw\":\"GET / 200\"}"),
        (Some(b""), Some(b""), "\"\"", ",\"@raw\":\"\"}"),
        (Some(b"gone"), None, "\"gone\"", "}"),
        (Some(b"k\"\n"), Some(b"{}"), "\"k\\\"\\n\"", "}"),
        (Some(b"\xff"), Some(b" { } "), "\"\u{fffd}\"", " }"),
        (None, Some(b"{\n  \"a\": 1\n}\n"), "null", ",   \"a\": 1 }"),
        (None, Some(b"a\nb\r\n"), "null", ",\"@raw\":\"a\\nb\\r\\n\"}"),
        (None, Some(b"{\"a\":\"\xff\"}"), "null", ",\"@raw\":\"{\\\"a\\\":\\\"\u{fffd}\\\"}\"}"),
        (None, Some(b"a\0b\r"), "null", ",\"@raw\":\"a\\u0000b\\r\"}"),
    ];
    for (offset, (key, payload, shown, rest)) in payloads.into_iter().enumerate() {
        mock.write("my.logs", 1, key, payload, (offset == 0).then(|| headers.clone()));
        let time = "\"timestamp\":\"2025-09-12T00:00:00.123Z\"";
        let row = format!(
            "{{\"@source\":{{\"topic\":\"my.logs\",\"partition\":1,\"offset\":{offset},{time},\
             \"key\":{shown}}}{rest}\n"
        );
        expected.push_str(&row);
    }
    assert_eq!(ingest(&mock, &["--topic", "my.logs", "-e"]).success().stdout, expected);
    let bare = ingest(&mock, &["--topic", "my.logs", "-e", "--no-metadata"]).success().stdout;
    assert_eq!(bare.lines().next(), Some("{\"a\":1.00}"));
    assert_eq!(bare.lines().nth(3), Some("{}"));
    let with = ingest(&mock, &["--topic", "my.logs", "-e", "-c", "1", "--headers"]).success();
    let headers =
        ",\"headers\":{\"trace\":\"7\",\"tag\":[\"a\",\"b\\\"\"],\"none\":null}},\"a\":1.00}\n";
    assert!(with.stdout.ends_with(headers), "{with}");
}

#[test]
fn what_could_pass_for_the_stream_is_rejected_with_its_place() {
    let mock = Mock::new(&[("logs", 1)]);
    mock.count("logs", 0, 0..2);
    mock.write("logs", 0, None, Some(b"{\"@\":\"end\"}"), None);
    let folder = tempfile::tempdir().unwrap();
    let rejects = folder.path().join("rejects");
    let ran =
        ingest(&mock, &["-t", "logs", "-e", "--rejects", rejects.to_str().unwrap()]).success();
    assert_eq!(numbers(ran.stdout.lines()), [0, 1]);
    assert!(ran.stderr.contains("logs[0]:2: reserved_key"), "{ran}");
    let reject: Value = serde_json::from_str(&fs::read_to_string(rejects).unwrap()).unwrap();
    assert_eq!(reject["source"], json!({"topic": "logs", "partition": 0, "offset": 2}));
    assert_eq!(reject["raw"], "{\"@\":\"end\"}");
}

#[test]
fn readings_begin_and_end_where_they_are_told() {
    let mock = Mock::new(&[("logs", 2)]);
    mock.count("logs", 0, 0..10);
    mock.count("logs", 1, 10..15);
    for (args, expected) in [
        (&["-e"][..], (0..15).collect::<Vec<u64>>()),
        (&["-o", "earliest", "--ending-offsets", "latest"], (0..15).collect()),
        (&["-o", "latest", "-e"], vec![]),
        (&["-o", "-2", "-e"], vec![8, 9, 13, 14]),
        (&["-o", "4", "-e"], vec![4, 5, 6, 7, 8, 9, 14]),
        (&["-o", "4", "-e", "-p", "1"], vec![14]),
        (&["-o", r#"{"logs":{"0":8,"1":-1}}"#, "-e"], vec![8, 9]),
        (&["-o", r#"{"logs":{"0":8}}"#, "-e"], vec![8, 9, 10, 11, 12, 13, 14]),
        (&["--ending-offsets", r#"{"logs":{"0":2,"1":0}}"#], vec![0, 1]),
        (&["-o", "5", "--ending-offsets", r#"{"logs":{"0":6,"1":0}}"#], vec![5]),
    ] {
        let ran = ingest(&mock, &[&["-t", "logs"], args].concat()).success();
        assert_eq!(sorted(numbers(ran.stdout.lines())), expected, "{args:?}\n{ran}");
    }
    let all = ingest(&mock, &["-t", "logs", "-o", "earliest", "-c", "15"]).success();
    assert_eq!(numbers(all.stdout.lines()).len(), 15, "--limit ends what has no end");
}

#[test]
fn topics_can_be_told_by_a_pattern() {
    let mock = Mock::new(&[("logs-a", 1), ("logs-b", 1), ("other", 1)]);
    for (index, topic) in ["logs-a", "logs-b", "other"].into_iter().enumerate() {
        let first = 10 * index as u64;
        mock.count(topic, 0, first..first + 3);
    }
    let ran = ingest(&mock, &["--topic", "^logs-.*", "-e"]).success();
    assert_eq!(sorted(numbers(ran.stdout.lines())), [0, 1, 2, 10, 11, 12]);
    let ran = ingest(&mock, &["-t", "other", "-t", "logs-b", "-e"]).success();
    assert_eq!(sorted(numbers(ran.stdout.lines())), [10, 11, 12, 20, 21, 22]);
}

#[test]
fn what_comes_later_is_read_at_once_and_a_signal_is_a_clean_end() {
    let mock = Mock::new(&[("logs", 1)]);
    mock.count("logs", 0, 0..5);
    let live = live(&mock, &["-t", "logs", "-o", "-1"]);
    assert_eq!(numbers([&*live.line()]), [4]);
    for number in 5..8 {
        let begun = Instant::now();
        mock.count("logs", 0, number..number + 1);
        assert_eq!(numbers([&*live.line()]), [number]);
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
    live.signal(Signal::TERM);
    assert_eq!(live.end(), (End::Code(0), vec![], vec![]));
}

#[test]
fn a_group_goes_on_behind_what_has_been_written() {
    let mock = Mock::new(&[("logs", 1)]);
    mock.count("logs", 0, 0..100);
    let group = [&["-t", "logs", "-G", "g", "-o", "earliest"], &QUICK[..]].concat();
    let first = ingest(&mock, &[&group[..], &["-c", "40"]].concat()).success();
    assert_eq!(numbers(first.stdout.lines()), (0..40).collect::<Vec<u64>>(), "{first}");
    let second = ingest(&mock, &[&group[..], &["-e"]].concat()).success();
    assert_eq!(numbers(second.stdout.lines()), (40..100).collect::<Vec<u64>>(), "{second}");
    let other = ingest(&mock, &[&["-t", "logs", "-G", "other", "-e"], &QUICK[..]].concat());
    assert_eq!(numbers(other.success().stdout.lines()).len(), 100);
}

#[test]
fn a_group_remembers_where_it_began() {
    let mock = Mock::new(&[("logs", 1)]);
    mock.count("logs", 0, 0..10);
    let group = [&["-t", "logs", "-G", "g", "-e"], &QUICK[..]].concat();
    let first = ingest(&mock, &[&group[..], &["-o", "latest"]].concat()).success();
    assert_eq!(first.stdout, "");
    mock.count("logs", 0, 10..15);
    let second = ingest(&mock, &[&group[..], &["-o", "latest"]].concat()).success();
    assert_eq!(numbers(second.stdout.lines()), (10..15).collect::<Vec<u64>>());
}

#[test]
fn a_topic_that_a_pattern_finds_later_is_read_whole() {
    let mock = Mock::new(&[("log-a", 1), ("else", 1)]);
    mock.count("log-a", 0, 0..10);
    let group = [&["-t", "^log-", "-G", "g"], &QUICK[..]].concat();
    let first = live(&mock, &[&group[..], &["-o", "earliest"]].concat());
    for number in 0..10 {
        assert_eq!(numbers([&*first.line()]), [number]);
    }
    first.signal(Signal::INT);
    assert_eq!(first.end().0, End::Code(0));
    mock.cluster.create_topic("log-b", 2, 1).unwrap();
    mock.count("log-b", 1, 1_000..1_005);
    // What is not new would be read from its end.
    let second = live(&mock, &group);
    for number in 1_000..1_005 {
        assert_eq!(numbers([&*second.line()]), [number]);
    }
}

#[test]
fn brokers_that_do_not_answer_a_group_are_asked_again() {
    let mock = Mock::new(&[("logs", 1)]);
    mock.count("logs", 0, 0..10);
    let group = [&["-t", "logs", "-G", "g", "-e"], &QUICK[..]].concat();
    // For longer than a broker may be silent without a word of it.
    let not_now = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT; 60];
    mock.cluster.request_errors(RDKafkaApiKey::ListOffsets, &not_now);
    let ran = ingest(&mock, &group).success();
    assert_eq!(numbers(ran.stdout.lines()), (0..10).collect::<Vec<u64>>());
    let told = "kafka: cannot read logs[0] yet, asking again: Broker: Request timed out";
    assert_eq!(ran.stderr.matches(told).count(), 1, "{ran}");
}

#[test]
fn a_reader_that_is_killed_costs_no_message() {
    let mock = Mock::new(&[("logs", 2)]);
    mock.count("logs", 0, 0..50);
    let group = [&["-t", "logs", "-G", "g", "-o", "earliest"], &QUICK[..]].concat();
    let killed = live(&mock, &group);
    let mut seen: BTreeSet<u64> = (0..50).flat_map(|_| numbers([&*killed.line()])).collect();
    killed.signal(Signal::KILL);
    killed.end();
    mock.count("logs", 1, 50..100);
    let next = live(&mock, &group);
    while seen.len() < 100 {
        seen.extend(numbers([&*next.line()]));
    }
    next.signal(Signal::INT);
    assert_eq!(next.end().0, End::Code(0));
    assert_eq!(seen, (0..100).collect());
}

#[test]
fn a_checkpoint_goes_on_where_its_last_epoch_ended() {
    let mock = Mock::new(&[("logs", 2)]);
    mock.count("logs", 0, 0..60);
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    let args = ["-t", "logs", "-o", "earliest", "--last", "--checkpoint", dir.to_str().unwrap()];
    let first = live(&mock, &[&args[..], &["--checkpoint-interval", "50ms"]].concat());
    for _ in 0..60 {
        first.line();
    }
    // The second commit from here on is of an epoch that has all of them.
    let newest = || highwater_core::checkpoint::Commits::new(&dir).newest().unwrap();
    let (now, deadline) = (newest().unwrap_or(0), Instant::now() + Duration::from_secs(20));
    while newest() < Some(now + 2) {
        assert!(Instant::now() < deadline, "no epoch is committed");
        thread::sleep(Duration::from_millis(5));
    }
    first.signal(Signal::KILL);
    first.end();
    mock.count("logs", 1, 60..70);
    let second = ingest(&mock, &[&args[..], &["-e"]].concat()).success();
    let got = numbers(second.stdout.lines());
    assert_eq!(got, (60..70).collect::<Vec<u64>>(), "{second}");
    let third = ingest(&mock, &[&args[..], &["-e"]].concat()).success();
    assert_eq!(numbers(third.stdout.lines()), [0_u64; 0]);
    // The folder is of no use to what reads files.
    let file = folder.path().join("file");
    fs::write(&file, "x\n").unwrap();
    let args = [file.to_str().unwrap(), "--last", "--checkpoint", dir.to_str().unwrap()];
    let other = run(INGEST.path, args, b"").exited(1);
    assert!(other.stderr.contains("a run that read Kafka"), "{other}");
}

#[test]
fn brokers_may_go_away_and_come_back() {
    let mut mock = Mock::new(&[("logs", 1)]);
    mock.count("logs", 0, 0..3);
    let live = live(&mock, &["-t", "logs", "-o", "earliest", "-X", "reconnect.backoff.max.ms=500"]);
    for number in 0..3 {
        assert_eq!(numbers([&*live.line()]), [number]);
    }
    mock.set_up(false);
    let message = live.message();
    assert!(message.starts_with("ingest: kafka: no broker answers, trying again: "), "{message}");
    mock.set_up(true);
    mock.count("logs", 0, 3..5);
    assert_eq!(numbers([&*live.line(), &*live.line()]), [3, 4]);
    assert_eq!(live.message(), "ingest: kafka: connected again");
    live.signal(Signal::TERM);
    assert_eq!(live.end().0, End::Code(0));
}

#[test]
fn so_many_messages_come_at_each_trigger() {
    let mock = Mock::new(&[("logs", 1)]);
    mock.count("logs", 0, 0..50);
    let args =
        ["-t", "logs", "-o", "earliest", "--max-offsets-per-trigger", "20", "--trigger", "2s"];
    let begun = Instant::now();
    let ran = ingest(&mock, &[&args[..], &["-e"]].concat()).success();
    assert_eq!(numbers(ran.stdout.lines()), (0..50).collect::<Vec<u64>>());
    assert!(begun.elapsed() >= Duration::from_secs(4), "three triggers take two intervals");
}

#[test]
fn partitions_are_merged_by_event_time() {
    let mock = Mock::new(&[("a", 2), ("b", 1), ("empty", 2)]);
    // Minutes of event times, by partition; 0 is a line without one.
    let partitions: [(&str, i32, &[u64]); 3] =
        [("a", 0, &[0, 1, 4, 3, 9]), ("a", 1, &[2, 0, 4, 5]), ("b", 0, &[4, 6, 7, 0])];
    let mut expected = Vec::new();
    for (topic, partition, minutes) in partitions {
        let mut time = 0;
        for (offset, minute) in minutes.iter().enumerate() {
            let payload = match minute {
                0 => "no time".to_owned(),
                _ => format!("{{\"time\":\"2025-09-12T00:{minute:02}:00Z\"}}"),
            };
            mock.write(topic, partition, None, Some(payload.as_bytes()), None);
            time = time.max(*minute);
            expected.push((time, topic, i64::from(partition), offset as u64));
        }
    }
    // A stable sort of the partitions in their order.
    expected.sort_by_key(|(time, ..)| *time);
    let places = |lines: &[&str]| -> Vec<(String, i64, u64)> {
        let place = |line: &&str| {
            let row: Value = serde_json::from_str(line).unwrap();
            let source = &row["@source"];
            let number = |key: &str| source[key].as_i64().unwrap();
            let topic = source["topic"].as_str().unwrap().to_owned();
            (topic, number("partition"), number("offset").unsigned_abs())
        };
        lines.iter().map(place).collect()
    };
    let expected: Vec<(String, i64, u64)> = expected
        .into_iter()
        .map(|(_, topic, partition, offset)| (topic.to_owned(), partition, offset))
        .collect();
    let topics = ["-t", "b", "-t", "a", "-t", "empty", "-e", "--merge-by-time"];
    let ran = ingest(&mock, &topics).success();
    assert_eq!(places(&ran.stdout.lines().collect::<Vec<_>>()), expected);

    // Cut off after any number of records, it goes on in the same order.
    for cut in 1..expected.len() {
        let folder = tempfile::tempdir().unwrap();
        let dir = ["--last", "--checkpoint", folder.path().to_str().unwrap()];
        let cut_off = ["-c", &cut.to_string()];
        let first = ingest(&mock, &[&topics[..], &dir, &cut_off].concat()).success();
        let second = ingest(&mock, &[&topics[..], &dir].concat()).success();
        let rows: Vec<&str> =
            [&first, &second].into_iter().flat_map(|ran| ran.stdout.lines()).collect();
        assert_eq!(places(&rows), expected, "cut after {cut}");
    }
    let live = ingest(&mock, &["-t", "a", "--merge-by-time"]).exited(2);
    assert!(live.stderr.contains("--exit-at-end"), "{live}");
}

#[test]
fn mistakes_are_one_line() {
    let mock = Mock::new(&[("logs", 1)]);
    let password = "sasl.password=hunter2";
    for (args, code, said) in [
        (&["-t", "logs", "-p", "7", "-e"][..], 1, "cannot read partition 7 of logs"),
        (&["-t", "logs", "-X", "no.such=1"], 2, "no.such: No such configuration property"),
        (&["-t", "logs", "-X", password, "-X", "hunter2"], 2, "is written key=value"),
        (&["-t", "logs", "-F", "/no/such/file"], 2, "/no/such/file"),
        (&["-t", "logs", "-X", "session.timeout.ms=600000"], 2, "max.poll.interval.ms"),
        (&["-t", "^(", "-e"], 2, "--topic ^("),
        (&["-t", "logs", "-o", "newest"], 2, "earliest, latest"),
        (&["-t", "logs", "-t", "more", "-G", "g", "-e"], 2, "give one --topic"),
        (&["-t", "logs", "file.log"], 2, "cannot be used with"),
        (&["-t", "logs", "-G", ""], 2, "--group <GROUP>"),
        (&["-t", ""], 2, "--topic '' is no name"),
        (&["-t", "logs,more"], 2, "of several topics each has its own --topic"),
        (&["-t", "logs.*"], 2, "a pattern begins with ^"),
        (
            &["-t", "logs", "-o", r#"{"more":{"0":1}}"#],
            2,
            "--starting-offsets names more[0], which",
        ),
        (
            &["-t", "logs", "--ending-offsets", r#"{"logs":{"9":1}}"#],
            2,
            "--ending-offsets names logs[9], which is not among what is read",
        ),
        (&["logs"], 2, "--kafka, -X and -F need --topic TOPIC"),
        (&[], 2, "--topic"),
    ] {
        let ran = ingest(&mock, args).exited(code);
        assert!(ran.stderr.contains(said) && !ran.stderr.contains("hunter2"), "{ran}");
    }
    let unknown = ingest(&mock, &["-t", "logs", "-t", "^nope", "-e"]).exited(1);
    assert!(
        unknown.stderr.starts_with("ingest: there is no topic that ^nope means at "),
        "{unknown}"
    );
    assert_eq!(unknown.stderr.lines().count(), 1, "{unknown}");
}

#[test]
fn a_cluster_that_is_not_there_is_told_within_ten_seconds() {
    let begun = Instant::now();
    let ran = run(INGEST.path, ["-b", "127.0.0.1:9", "-t", "logs"], b"").exited(1);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let said = "ingest: no broker answers at 127.0.0.1:9: Connect to 127.0.0.1:9 failed: \
                Connection refused\n";
    assert_eq!(ran.stderr, said);
    // The environment may name brokers, which the command line overrides.
    let mut command = command(INGEST.path, ["-t", "logs", "-e"]);
    let mock = Mock::new(&[("logs", 1)]);
    mock.count("logs", 0, 0..1);
    command.env("HIGHWATER_KAFKA", &mock.bootstrap);
    let output = command.output().unwrap();
    assert_eq!(numbers([std::str::from_utf8(&output.stdout).unwrap().trim()]), [0]);
}
