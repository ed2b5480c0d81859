//! The programs that read a stream, each with arguments that make it write
//! something for any record with a time and a number.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::{Ran, command, run};

/// A program and its arguments.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// What its messages begin with.
    pub name: &'static str,
    /// The executable.
    pub path: &'static str,
    /// The arguments.
    pub args: &'static [&'static str],
}

pub const INGEST: Stage = Stage { name: "ingest", path: env!("CARGO_BIN_EXE_ingest"), args: &[] };
pub const PARSE: Stage = Stage { name: "parse", path: env!("CARGO_BIN_EXE_parse"), args: &[] };
pub const WINDOW: Stage = Stage {
    name: "window",
    path: env!("CARGO_BIN_EXE_window"),
    args: &["--size", "1m", "count(*) AS n"],
};
pub const WINDOW_QUERY: Stage = Stage { args: &["--query", "response_time"], ..WINDOW };
pub const DETECT: Stage = Stage {
    name: "detect",
    path: env!("CARGO_BIN_EXE_detect"),
    args: &["--rules", "reference", "--pass-through"],
};
pub const EXPORT: Stage =
    Stage { name: "export-prom", path: env!("CARGO_BIN_EXE_export-prom"), args: &[] };
/// With a report that goes nowhere, so that none listens.
pub const DASHBOARD: Stage = Stage {
    name: "dashboard",
    path: env!("CARGO_BIN_EXE_dashboard"),
    args: &["--report", "/dev/null"],
};

/// Those that write to stdout.
pub const STAGES: [Stage; 6] = [INGEST, PARSE, WINDOW, WINDOW_QUERY, DETECT, EXPORT];

/// All of them.
pub const READERS: [Stage; 7] = [INGEST, PARSE, WINDOW, WINDOW_QUERY, DETECT, EXPORT, DASHBOARD];

impl Stage {
    /// Runs it over `input`, with `more` arguments.
    #[track_caller]
    pub fn run(&self, more: &[&str], input: impl AsRef<[u8]>) -> Ran {
        run(self.path, self.args.iter().chain(more), input.as_ref())
    }

    /// Runs it over `input`; the figures of `--stats` too.
    ///
    /// # Panics
    ///
    /// If there are none.
    #[track_caller]
    pub fn run_counting(&self, more: &[&str], input: impl AsRef<[u8]>) -> (Ran, Value) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stats.json");
        let ran = self.run(&[more, &["--stats", file.to_str().unwrap()]].concat(), input);
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{error}\n{ran}"));
        (ran, serde_json::from_str(&text).unwrap())
    }

    /// A command that runs it.
    pub fn command(&self) -> Command {
        command(self.path, self.args)
    }
}
