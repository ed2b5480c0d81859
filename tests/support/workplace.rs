//! A line under a checkpoint over a log that grows, part by part, and what stands in its folders.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::command;
use super::pipeline::{Ended, Line, STATE, append, committed};

/// The line. It leaves windows open at the end of the log, for the next part.
pub const LINE: &str = "ingest log --stats stats.json | parse --rejects rejects |
    window --size 1m --watermark 30s --by service --late late --at-end keep
        'count(*) AS n, avg(response_time) AS mean, collect_list(request_id) AS ids' |
    detect --pass-through --zscore n --by service >>out";

/// What it writes.
pub const FILES: [&str; 3] = ["out", "rejects", "late"];

/// How many parts there are of the log.
pub const PARTS: usize = 3;

/// A folder in which the line runs.
pub struct Workplace {
    folder: TempDir,
    parts: Vec<Vec<u8>>,
}

/// So many records, some of them late or broken.
pub fn synthetic(count: u64) -> Vec<u8> {
    let args = "logs --seed 5 --start 2025-09-12T00:00:00Z --rate 5 --out-of-order 20s \
                --late 2%:1m..5m --malformed 1% --count";
    let mut command = command(env!("CARGO_BIN_EXE_produce-synthetic"), args.split_whitespace());
    command.arg(count.to_string()).output().unwrap().stdout
}

impl Workplace {
    /// With an empty log.
    pub fn new() -> Self {
        let made = synthetic(6_000);
        let lines: Vec<&[u8]> = made.split_inclusive(|byte| *byte == b'\n').collect();
        let parts = lines.chunks(lines.len().div_ceil(PARTS)).map(<[_]>::concat).collect();
        let place = Self { folder: tempfile::tempdir().unwrap(), parts };
        append(place.path("log"), b"");
        place
    }

    /// A file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file in DIR.
    pub fn state(&self, name: &str) -> PathBuf {
        self.path(STATE).join(name)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Appends a part to the log.
    pub fn grow(&self, part: usize) {
        append(self.path("log"), &self.parts[part]);
    }

    /// How many lines the log has behind an offset.
    pub fn lines_behind(&self, offset: u64) -> usize {
        let log = fs::read(self.path("log")).unwrap();
        log[offset as usize..].split_inclusive(|byte| *byte == b'\n').count()
    }

    /// Runs the line to its end.
    #[track_caller]
    pub fn run(&self) -> Ended {
        Line::new(LINE).under_checkpoint().run(self.folder())
    }

    /// Grows the log by two parts, running the line after each. The last part is still to come.
    #[track_caller]
    pub fn begin(&self) {
        for part in 0..2 {
            self.grow(part);
            self.run().success();
        }
        assert!(self.committed() > 0);
    }

    /// Appends the last part, runs the line, and compares what it wrote in all with what it writes
    /// where nothing ever went wrong.
    #[track_caller]
    pub fn finish(&self) {
        self.grow(PARTS - 1);
        self.run().success();
        self.check();
    }

    /// Compares what the line wrote with what it writes where nothing ever went wrong.
    #[track_caller]
    pub fn check(&self) {
        let whole = Self { folder: tempfile::tempdir().unwrap(), parts: vec![] };
        fs::copy(self.path("log"), whole.path("log")).unwrap();
        whole.run().success();
        let (expected, got) = (whole.written(), self.written());
        assert!(expected.iter().all(|bytes| !bytes.is_empty()));
        for ((name, expected), got) in FILES.iter().zip(&expected).zip(&got) {
            assert!(expected == got, "{name}: {} bytes, not {}", got.len(), expected.len());
        }
    }

    /// What the line has written so far.
    pub fn written(&self) -> Vec<Vec<u8>> {
        FILES.iter().map(|name| fs::read(self.path(name)).unwrap_or_default()).collect()
    }

    /// The committed epoch.
    #[track_caller]
    pub fn committed(&self) -> u64 {
        committed(&self.path(STATE)).expect("an epoch should be committed")
    }

    /// The figures that `ingest` left behind.
    pub fn records_in(&self) -> u64 {
        let stats = fs::read_to_string(self.path("stats.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&stats).unwrap()["records_in"].as_u64().unwrap()
    }
}
