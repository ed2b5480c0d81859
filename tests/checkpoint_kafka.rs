//! What `emit` finds out from its broker about an epoch whose commit was broken off. Left out unless
//! `HIGHWATER_TEST_SERVERS=1`.

#![cfg(feature = "kafka")]
#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::fs;
use std::path::PathBuf;

use support::broker::{Broker, is_wanted};
use support::pipeline::{Line, STATE, append, committed};
use support::run;
use support::stages::INGEST;
use tempfile::TempDir;

/// A line from a log to a topic.
struct ToTopic {
    broker: Broker,
    folder: TempDir,
    line: Line,
    sent: usize,
}

impl ToTopic {
    fn new() -> Self {
        let broker = Broker::start(&["--topic", "rows:2"]);
        let folder = tempfile::tempdir().unwrap();
        let bootstrap = &broker.bootstrap;
        let text = format!("ingest log | emit -b {bootstrap} -t rows --transactional-id line");
        let line = Line::new(&text).under_checkpoint();
        Self { broker, folder, line, sent: 0 }
    }

    fn state(&self, name: &str) -> PathBuf {
        self.folder.path().join(STATE).join(name)
    }

    fn committed(&self) -> u64 {
        committed(&self.folder.path().join(STATE)).unwrap()
    }

    /// Appends so many records.
    fn grow(&mut self, count: usize) {
        let numbers = self.sent..self.sent + count;
        let records: Vec<String> = numbers.map(|number| format!("{{\"n\":{number}}}\n")).collect();
        self.sent += count;
        append(self.folder.path().join("log"), records.concat().as_bytes());
    }

    /// Runs the line, and compares how much readers of what is committed find.
    #[track_caller]
    fn run(&self) {
        self.line.run(self.folder.path()).success();
        assert!(!self.state("pending.json").exists());
        let args = ["-b", &self.broker.bootstrap, "-t", "rows", "-o", "earliest", "-e"];
        let read = run(INGEST.path, args.iter().chain(&["--isolation", "read_committed"]), b"");
        assert_eq!(read.success().stdout.lines().count(), self.sent);
    }

    /// As if the commit of an epoch had just begun.
    fn begin_commit(&self, epoch: u64) {
        let text = format!("{{\"format\":1,\"epoch\":{epoch}}}");
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        fs::write(self.state("pending.json"), format!("{text}\n{hash:016x}\n")).unwrap();
    }
}

#[test]
fn a_commit_that_was_broken_off_is_asked_for() {
    if !is_wanted("a_commit_that_was_broken_off_is_asked_for") {
        return;
    }
    let mut line = ToTopic::new();
    line.grow(1_000);
    line.run();
    line.grow(500);
    line.run();

    // The broker has committed the epoch, and nothing here says so.
    let epoch = line.committed();
    fs::remove_file(line.state(&format!("commit.{epoch}.json"))).unwrap();
    line.begin_commit(epoch);
    line.run();
    assert!(line.committed() > epoch);

    // It has not.
    let epoch = line.committed();
    line.begin_commit(epoch + 1);
    line.grow(300);
    line.run();

    // It says something that cannot be.
    line.begin_commit(line.committed() + 7);
    let said = ["emit: the broker has committed epoch", "ingest: "];
    line.line.run(line.folder.path()).refused(&said);
    fs::remove_file(line.state("pending.json")).unwrap();
    line.run();

    // The folder is older than the topic, as after a restore.
    let epoch = line.committed();
    fs::remove_file(line.state(&format!("commit.{epoch}.json"))).unwrap();
    line.line.run(line.folder.path()).refused(&["emit: the broker has committed epoch"]);
}
