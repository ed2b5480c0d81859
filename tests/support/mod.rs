//! What the tests that run the programs have in common.

#![allow(dead_code, reason = "each test program compiles this module and uses its own part of it")]
#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]
#![allow(unreachable_pub, reason = "a test program has no outside")]

#[cfg(feature = "kafka")]
pub mod broker;
pub mod chaos;
pub mod chromium;
pub mod http;
pub mod listening;
pub mod logs;
#[cfg(feature = "kafka")]
pub mod mock;
pub mod pipeline;
pub mod process;
pub mod prometheus;
pub mod rows;
pub mod stages;
pub mod terminal;
pub mod workplace;

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};

/// Whether tests may start servers. If not, says what is left out.
#[allow(clippy::print_stdout, reason = "cargo shows it with the test's own output")]
pub fn servers_are_wanted(test: &str, server: &str) -> bool {
    let is_wanted = std::env::var_os("HIGHWATER_TEST_SERVERS").is_some_and(|value| value == "1");
    if !is_wanted {
        println!("{test}: left out, it needs {server}; scripts/test runs it");
    }
    is_wanted
}

/// A program that has ended, and what it said.
///
/// Printed, it is the whole account: command, status and both outputs.
pub struct Ran {
    command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

/// Runs the program at `path` with `stdin` piped into it, to its end.
///
/// `path` is one of cargo's `env!("CARGO_BIN_EXE_…")`. Variables that configure
/// the programs are taken out of the environment.
///
/// # Panics
///
/// If the program cannot be run, or writes what is not UTF-8.
#[track_caller]
pub fn run<A: AsRef<OsStr>>(path: &str, args: impl IntoIterator<Item = A>, stdin: &[u8]) -> Ran {
    let mut command = assert_cmd::Command::from_std(command(path, args));
    command.write_stdin(stdin);
    let description = format!("{command:?}");
    let output = command.output().unwrap_or_else(|error| panic!("{description}: {error}"));
    let text = |bytes| String::from_utf8(bytes).expect("programs write UTF-8");
    Ran {
        command: description,
        status: output.status,
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// A command whose environment has no variables that configure the programs.
pub fn command<A: AsRef<OsStr>>(path: &str, args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(path);
    command.args(args);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("HIGHWATER_")) {
            command.env_remove(name);
        }
    }
    command
}

impl Ran {
    /// Itself, if it exited with 0.
    ///
    /// # Panics
    ///
    /// Otherwise.
    #[track_caller]
    pub fn success(self) -> Self {
        self.exited(0)
    }

    /// Itself, if it exited with `code`.
    ///
    /// # Panics
    ///
    /// Otherwise.
    #[track_caller]
    pub fn exited(self, code: i32) -> Self {
        assert!(self.status.code() == Some(code), "should have exited with {code}\n{self}");
        self
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "command: {}\nstatus: {}", self.command, self.status)?;
        writeln!(f, "stdout:\n{}", beginning(&self.stdout))?;
        writeln!(f, "stderr:\n{}", beginning(&self.stderr))
    }
}

/// As much of an output as a person would read.
fn beginning(text: &str) -> String {
    const LINES: usize = 40;
    const COLUMNS: usize = 1_000;
    let cut = |line: &str| line.chars().take(COLUMNS).collect();
    let mut lines: Vec<String> = text.lines().take(LINES).map(cut).collect();
    let rest = text.lines().count() - lines.len();
    if rest > 0 {
        lines.push(format!("… and {rest} lines more"));
    }
    lines.join("\n")
}

/// The path of a file in `testdata/`.
pub fn testdata(path: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "testdata", path].iter().collect()
}

/// The text of a file in `testdata/`.
///
/// # Panics
///
/// If it is not there.
#[track_caller]
pub fn read_testdata(path: &str) -> String {
    let path = testdata(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
