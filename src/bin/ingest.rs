//! Brings lines of the outside world into a pipeline.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgAction, Parser};
use highwater_core::checkpoint::{Directory, Positions, random_id};
use highwater_core::cli::{self, IoArgs, Run, UsageError};
use highwater_core::line::Start;
use highwater_core::source::{GrowingFiles, Pace, Source};
use highwater_core::stage::Ingest;
use highwater_core::stream::Origin;
use highwater_core::time::TimeDelta;

/// Bring lines into a pipeline
///
/// Reads files, directories, patterns or stdin, .gz and .zst unpacked, and writes one JSON
/// object a line: records that are JSON as they are, other text as {"@raw":"…"} for `parse`.
#[derive(Debug, Parser)]
#[command(name = "ingest", version, max_term_width = 100)]
#[command(after_help = "Examples:
  ingest $(ls -tr /var/log/nginx/access.log*) | parse | window --query error_rate
  ingest --follow '/var/log/app/*.log' | parse | window --watermark 10s --query response_time
  ingest --follow --checkpoint /var/lib/app access.log >>lines.ndjson
  zcat old.gz | ingest | parse")]
struct Args {
    /// Files, directories (the files in them) or patterns, read in byte order of names;
    /// - or nothing is stdin
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Wait for what is appended, and for new files of the pattern or directory, until a signal;
    /// files may be renamed, made anew, or copied and emptied
    #[arg(long, requires = "files")]
    follow: bool,

    /// Read a directory that is being filled: so many new files at each trigger, each once
    #[arg(long, value_name = "N", requires = "files", conflicts_with = "follow")]
    max_files_per_trigger: Option<std::num::NonZeroUsize>,

    /// How often to look for new files
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "10s",
        requires = "max_files_per_trigger"
    )]
    trigger: TimeDelta,

    /// End after so many records
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroU64>,

    /// Add where a record came from: "@source":{"path":"access.log","offset":1234}
    #[arg(long)]
    metadata: bool,

    /// Put the time into the stream every so often, as the clock of the stages behind
    #[arg(long, value_name = "DURATION")]
    heartbeat: Option<TimeDelta>,

    /// Keep positions in this folder; the same command line goes on there
    #[arg(long, value_name = "DIR", env = "HIGHWATER_CHECKPOINT", requires = "files")]
    checkpoint: Option<PathBuf>,

    /// How often positions are kept
    #[arg(long, value_name = "DURATION", default_value = "10s", requires = "checkpoint")]
    checkpoint_interval: TimeDelta,

    /// Whether a file that cannot be found again is an error
    #[arg(
        long,
        value_name = "BOOL",
        default_value = "true",
        action = ArgAction::Set,
        requires = "checkpoint"
    )]
    fail_on_data_loss: bool,

    #[command(flatten)]
    io: IoArgs,
}

/// Where the stream begins: a source, and what it is said to begin with.
type Beginning = (Option<Box<dyn Source>>, Option<Origin>);

impl Args {
    fn pace(&self) -> Pace {
        match self.max_files_per_trigger {
            Some(max_files) => Pace::Arrivals {
                max_files: max_files.get(),
                every: Duration::from_micros(self.trigger.micros.unsigned_abs()),
            },
            None if self.follow => Pace::Follow,
            None => Pace::Once,
        }
    }

    /// What is impossible though each flag by itself is right.
    fn check(&self) -> Result<(), UsageError> {
        let durations = [
            ("--trigger", Some(self.trigger)),
            ("--heartbeat", self.heartbeat),
            ("--checkpoint-interval", Some(self.checkpoint_interval)),
        ];
        for (flag, duration) in durations {
            if duration.is_some_and(|duration| duration <= TimeDelta::ZERO) {
                return Err(UsageError(format!("{flag} must be longer than 0s")));
            }
        }
        let keeps_place = self.pace() != Pace::Once || self.checkpoint.is_some();
        if keeps_place && self.files.iter().any(|file| file.as_os_str() == "-") {
            let message = "stdin cannot be gone back to: give files, without --follow, \
                           --max-files-per-trigger and --checkpoint";
            return Err(UsageError(message.to_owned()));
        }
        Ok(())
    }

    /// The source, if it is no plain reading of files or stdin; and what goes
    /// into the stream besides records.
    fn source(&self) -> anyhow::Result<Beginning> {
        let Some(path) = &self.checkpoint else {
            let files = || GrowingFiles::new(self.files.clone(), self.pace(), self.io.max_line);
            let source = (self.pace() != Pace::Once).then(|| Box::new(files()) as _);
            return Ok((source, self.heartbeat.map(Origin::new)));
        };
        let directory = Arc::new(Directory::open(path)?);
        let positions = Positions::new(Arc::clone(&directory));
        let start = Start {
            line: Some(directory.line.clone()),
            run: Some(random_id()),
            epoch: positions.newest()?,
            pending: None,
            stage: 0,
        };
        let files = GrowingFiles::new(self.files.clone(), self.pace(), self.io.max_line)
            .with_positions(positions, self.fail_on_data_loss)?;
        let origin = Origin::with_checkpoint(start, self.checkpoint_interval, self.heartbeat);
        Ok((Some(Box::new(files)), Some(origin)))
    }

    fn operator(&self) -> Ingest {
        let mut ingest = Ingest::default();
        if self.metadata {
            ingest = ingest.with_metadata();
        }
        if let Some(limit) = self.limit {
            ingest = ingest.with_limit(limit);
        }
        ingest
    }
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        args.check()?;
        let (source, origin) = args.source()?;
        Run::new("ingest", &args.io)
            .files(&args.files)
            .source(source)
            .origin(origin)
            .outside_world()
            .drive(&mut args.operator())
    })
}
