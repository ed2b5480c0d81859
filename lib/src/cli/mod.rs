//! The edge: arguments that all stages share, files, signals, clocks, exit
//! codes. Only this module writes to stderr.

mod args;
mod checkpoint;
mod format;
mod input;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "kafka")]
mod kafka_source;
mod line_format;
mod making;
mod pace;
mod progress;
mod progress_line;
mod quantity;
mod report;
mod reshape;
mod run;
mod selection;
mod signals;
mod summary;
mod terminal;
mod textfile;
mod times;

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

pub use crate::source::expand_paths;
pub use args::{IoArgs, ProgressWhen};
pub use checkpoint::{CheckpointArgs, is_last, is_read, plan};
pub use format::{Format, RowFormat};
#[cfg(feature = "kafka")]
pub use kafka::{ClientArgs, kafka_failed, source_failed};
#[cfg(feature = "kafka")]
pub use kafka_source::KafkaSourceArgs;
pub use line_format::LineFormat;
pub use making::Making;
pub use pace::Pacer;
pub use report::file_writer;
pub use reshape::ReshapeArgs;
pub use run::Run;
pub use selection::SelectionArgs;
pub use textfile::Textfile;
pub use times::TimeArgs;

/// A command line that asks for something impossible: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Parses the arguments, runs the program, and turns how it went into an exit
/// code: 0 done, 1 failed while running, 2 wrong usage. Whatever it says begins
/// with the program's name.
pub fn main<A: Parser>(run: impl FnOnce(A) -> anyhow::Result<()>) -> ExitCode {
    let name = A::command().get_name().to_owned();
    let result = match A::try_parse() {
        Ok(args) => run(args),
        Err(error) => return usage(&name, &error),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&name, &Chain(&error).to_string());
            ExitCode::from(if error.is::<UsageError>() { 2 } else { 1 })
        }
    }
}

fn usage(name: &str, error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // A reader that closes the pipe early, such as `head`, is no error.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.render().to_string();
    say(name, text.strip_prefix("error: ").unwrap_or(&text).trim_end());
    ExitCode::from(2)
}

/// Writes an answer to stdout, for flags that ask something of the program
/// itself.
///
/// # Errors
///
/// Fails if stdout does, unless its reader has seen enough.
pub fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes a message for people to stderr, behind the program's name.
pub fn say(name: &str, text: &str) {
    let before = terminal::before_message();
    // There is nobody to tell that stderr is closed.
    let _ = io::stderr().write_all(format!("{before}{name}: {text}\n").as_bytes());
}

/// An error with its causes: `cannot open x: no such file`.
struct Chain<'a>(&'a anyhow::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, cause) in self.0.chain().enumerate() {
            if index > 0 {
                f.write_str(": ")?;
            }
            match cause.downcast_ref::<io::Error>() {
                Some(error) => f.write_str(&plain(error))?,
                None => write!(f, "{cause}")?,
            }
        }
        Ok(())
    }
}

/// An error of the system in words, without its number.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}
