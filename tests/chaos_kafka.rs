//! Exactly once from topic to topic: whatever stages are killed with -9, and whenever, who reads what
//! is committed finds each row once. Left out unless `HIGHWATER_TEST_SERVERS=1`, which `scripts/test`
//! and `scripts/chaos --kafka` set.

#![cfg(feature = "kafka")]
#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::fs;
use std::path::PathBuf;

use support::broker::{Broker, is_wanted};
use support::chaos::{Attempt, Chaos, Subject, settings};
use support::pipeline::Line;
use support::run;
use support::stages::INGEST;
use tempfile::TempDir;

/// What happens to the records between the topics.
const STAGES: &str = "parse --rejects rejects | window --size 1m --watermark 30s --late late
    --by service 'count(*) AS n, avg(response_time) AS mean, count(DISTINCT user_id) AS users'";

/// A line from topic to topic, and the rows that it writes if nobody kills it.
struct OverKafka {
    broker: Broker,
    folder: TempDir,
    attempts: usize,
    expected: Vec<String>,
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

impl OverKafka {
    /// With a topic `logs` of so many records.
    fn new(count: u64) -> Self {
        let broker = Broker::start(&["--topic", "logs:1"]);
        let folder = tempfile::tempdir().unwrap();
        let make = format!(
            "produce-synthetic logs --seed 11 --start 2025-09-12T00:00:00Z --rate 5 \
             --out-of-order 30s --late 2%:1m..20m --duplicate 1% --count {count} >>log"
        );
        Line::new(&make).run(folder.path()).success();
        let send = format!("ingest log | emit -b {} -t logs", broker.bootstrap);
        Line::new(&send).run(folder.path()).success();
        Line::new(&format!("ingest log | {STAGES} >>out")).run(folder.path()).success();
        let expected = sorted(&fs::read_to_string(folder.path().join("out")).unwrap());
        assert!(expected.len() > 100);
        Self { broker, folder, attempts: 0, expected }
    }

    /// The topic of an attempt, which is named like its folder.
    fn topic(attempt: &Attempt) -> &str {
        attempt.folder.file_name().unwrap().to_str().unwrap()
    }

    fn read(&self, topic: &str, isolation: &str) -> Vec<String> {
        let args = ["-b", &self.broker.bootstrap, "-t", topic, "-o", "earliest", "-e"];
        let more = ["--no-metadata", "--isolation", isolation];
        sorted(&run(INGEST.path, args.iter().chain(&more), b"").success().stdout)
    }
}

impl Subject for OverKafka {
    fn begin(&mut self) -> Attempt {
        let topic = format!("rows-{}", self.attempts);
        self.attempts += 1;
        self.broker.up(&["--topic", &format!("{topic}:3")]);
        let folder: PathBuf = self.folder.path().join(&topic);
        fs::create_dir(&folder).unwrap();
        let bootstrap = &self.broker.bootstrap;
        let line = format!(
            "ingest -b {bootstrap} -t logs --exit-at-end | {STAGES} |
             emit -b {bootstrap} -t {topic} --key service --transactional-id {topic}"
        );
        Attempt { line: Line::new(&line).under_checkpoint(), folder }
    }

    fn check(&mut self, attempt: &Attempt) {
        let rows = self.read(Self::topic(attempt), "read_committed");
        let differing = rows.iter().zip(&self.expected).find(|(row, expected)| row != expected);
        assert!(
            rows == self.expected,
            "{} rows, not {}, first {differing:?}",
            rows.len(),
            self.expected.len()
        );
        for name in ["rejects", "late"] {
            let [expected, got] = [self.folder.path(), &*attempt.folder]
                .map(|folder| fs::read_to_string(folder.join(name)).unwrap());
            // Those who read a topic know where each record came from.
            assert_eq!(got.lines().count(), expected.lines().count(), "{name}");
        }
    }
}

#[test]
fn rows_in_kafka_come_once_whatever_is_killed() {
    if !is_wanted("rows_in_kafka_come_once_whatever_is_killed") {
        return;
    }
    let (kills, random) = settings(10);
    let mut subject = OverKafka::new(200_000);
    let mut chaos = Chaos::new(random).while_there_is("pending.json");
    chaos.harass(&mut subject, kills);
    println!("over Kafka: {}", chaos.counts);
    assert!(chaos.counts.kills() >= kills && chaos.counts.resumed > 0, "{}", chaos.counts);
}
