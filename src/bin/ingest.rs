//! Brings lines of the outside world into a pipeline.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args as Arguments, Parser, ValueEnum};
use highwater_core::cli::{self, IoArgs, Run, UsageError};
use highwater_core::line::{Framing, Multiline};
use highwater_core::source::{EventTimes, FormatTimes};
use highwater_core::stage::{Format, Ingest};
use highwater_core::time::TimeDelta;
use regex::bytes::Regex;

/// Bring lines into a pipeline
///
/// Reads files, directories, patterns or stdin, .gz and .zst unpacked, and writes one JSON
/// object a line: records that are JSON as they are, other text as {"@raw":"…"} for `parse`.
#[derive(Debug, Parser)]
#[command(name = "ingest", version, max_term_width = 100)]
#[command(after_help = "Examples:
  ingest $(ls -tr /var/log/nginx/access.log*) | parse | window --query error_rate
  zcat old.gz | ingest | parse
  ingest --merge-by-time web1.log web2.log.gz | parse | window --query error_rate
  ingest --multiline-start '^[0-9]{4}-' app.log | jq -r '.\"@raw\"'")]
struct Args {
    /// Files, directories (the files in them) or patterns, read in byte order of names;
    /// - or nothing is stdin
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    merge: MergeArgs,

    #[command(flatten)]
    multiline: MultilineArgs,

    #[command(flatten)]
    io: IoArgs,
}

/// How several inputs become one.
#[derive(Arguments, Debug)]
#[command(next_help_heading = "Merging")]
struct MergeArgs {
    /// Read the files side by side and merge their records by event time
    ///
    /// The order within a file stays: lines without a time remain behind their predecessor, a line
    /// that is out of order counts at the greatest time before it. At equal times the files come
    /// in the order given. Every input has to end; merge live ones with `window --watermark-per`.
    #[arg(long)]
    merge_by_time: bool,

    /// What the lines are, to find their time
    #[arg(long, value_name = "FORMAT", default_value = "auto", requires = "merge_by_time")]
    format: FormatName,

    /// JSON field that holds the time, if not timestamp, @timestamp, time, ts, t or date
    #[arg(long, value_name = "FIELD", requires = "merge_by_time")]
    time_field: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatName {
    /// JSON where a line begins with {, else an access log line
    Auto,
    /// JSON records
    Json,
    /// Apache access logs
    Apache,
    /// nginx access logs
    Nginx,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Auto => Self::Auto,
            FormatName::Json => Self::Json,
            FormatName::Apache => Self::Apache,
            FormatName::Nginx => Self::Nginx,
        }
    }
}

impl MergeArgs {
    fn times(&self) -> Option<Box<dyn EventTimes>> {
        let times = || FormatTimes::new(self.format.into(), self.time_field.as_deref());
        self.merge_by_time.then(|| -> Box<dyn EventTimes> { Box::new(times()) })
    }
}

/// Records of several lines.
#[derive(Arguments, Debug)]
#[command(next_help_heading = "Records of several lines")]
struct MultilineArgs {
    /// Join lines that do not match to the record before, such as stack traces
    ///
    /// Pretty-printed JSON becomes records of one line with '^\{'. No record grows longer than
    /// --max-line: a line that would make it so begins the next one, as does one past the cap on
    /// lines, and the first of a file.
    #[arg(long = "multiline-start", value_name = "REGEX", value_parser = Regex::new)]
    start: Option<Regex>,

    /// Join at most so many lines; those behind begin a record of their own
    #[arg(long = "multiline-lines", value_name = "N", default_value = "500", requires = "start")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    lines: u64,

    /// Give out a record that may be unfinished when no more has come for this long
    #[arg(long = "multiline-wait", value_name = "DURATION", default_value = "2s")]
    #[arg(requires = "start")]
    wait: TimeDelta,
}

impl MultilineArgs {
    fn framing(&self) -> Result<Framing, UsageError> {
        let Some(start) = &self.start else { return Ok(Framing::Lines) };
        let micros = u64::try_from(self.wait.micros)
            .map_err(|_| UsageError("--multiline-wait must not be negative".to_owned()))?;
        Ok(Framing::Multiline(Multiline {
            start: start.clone(),
            max_lines: self.lines,
            wait: Duration::from_micros(micros),
        }))
    }
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        Run::new("ingest", &args.io)
            .files(&args.files)
            .framing(args.multiline.framing()?)
            .merge_by_time(args.merge.times())
            .outside_world()
            .drive(&mut Ingest::default())
    })
}
