//! Brings lines of the outside world into a pipeline.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgAction, ArgGroup, Args as Arguments, Parser};
use highwater_core::checkpoint::{Directory, Positions, random_id};
use highwater_core::cli::{self, IoArgs, Run, UsageError};
use highwater_core::line::Start;
use highwater_core::source::{Address, Connection, GrowingFiles, Listener, Pace, Rate, Source};
use highwater_core::stage::Ingest;
use highwater_core::stream::Origin;
use highwater_core::time::TimeDelta;

/// Bring lines into a pipeline
///
/// Reads files, directories, patterns or stdin, .gz and .zst unpacked, or what comes over TCP,
/// and writes one JSON object a line: records that are JSON as they are, other text as
/// {"@raw":"…"} for `parse`.
#[derive(Debug, Parser)]
#[command(name = "ingest", version, max_term_width = 100)]
#[command(group(ArgGroup::new("from").args(["files", "socket", "listen", "rate"])))]
#[command(after_help = "Examples:
  ingest $(ls -tr /var/log/nginx/access.log*) | parse | window --query error_rate
  ingest --follow '/var/log/app/*.log' | parse | window --watermark 10s --query response_time
  ingest --follow --checkpoint /var/lib/app access.log >>lines.ndjson
  ingest --listen 127.0.0.1:9999 | parse --stamp | window --size 10s 'count(*) AS n'
  ingest --rate 100 | window --size 10s --watermark 0s 'count(*) AS n, max(value) AS top'
  kcat -C -b broker:9092 -t logs -J | ingest --kcat-json | parse | window --query error_rate
  zcat old.gz | ingest | parse")]
struct Args {
    /// Files, directories (the files in them) or patterns, read in byte order of names;
    /// - or nothing is stdin
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Connect to a TCP peer and read lines until it closes the connection
    #[arg(long, value_name = "HOST:PORT")]
    socket: Option<Address>,

    /// Let TCP peers connect and read lines from all of them, until a signal; port 0 takes a free
    /// one and says which
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<Address>,

    /// Make test records {"timestamp":…,"value":0…}, so many a second, until a signal
    #[arg(long, value_name = "N")]
    rate: Option<NonZeroU32>,

    #[command(flatten)]
    growing: GrowingArgs,

    /// Take what `kcat -J` prints: the record is the payload, with "@source":{"topic":…,"key":…}
    #[arg(long, conflicts_with = "rate")]
    kcat_json: bool,

    /// Leave out @source
    #[arg(long, requires = "kcat_json")]
    no_metadata: bool,

    /// Add where a record came from: "@source":{"path":"access.log","offset":1234}
    #[arg(long, conflicts_with = "kcat_json")]
    metadata: bool,

    /// End after so many records
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroU64>,

    /// Put the time into the stream every so often, as the clock of the stages behind
    #[arg(long, value_name = "DURATION")]
    heartbeat: Option<TimeDelta>,

    #[command(flatten)]
    checkpoint: CheckpointArgs,

    #[command(flatten)]
    io: IoArgs,
}

/// Files that grow and folders that fill.
#[derive(Arguments, Debug)]
struct GrowingArgs {
    /// Wait for what is appended, and for new files of the pattern or directory, until a signal;
    /// files may be renamed, made anew, or copied and emptied
    #[arg(long, requires = "files")]
    follow: bool,

    /// Read a directory that is being filled: so many new files at each trigger, each once
    #[arg(long, value_name = "N", requires = "files", conflicts_with = "follow")]
    max_files_per_trigger: Option<NonZeroUsize>,

    /// How often to look for new files
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    #[arg(requires = "max_files_per_trigger")]
    trigger: TimeDelta,
}

impl GrowingArgs {
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
}

/// Going on where an earlier run stopped.
#[derive(Arguments, Debug)]
#[command(next_help_heading = "Checkpoint")]
struct CheckpointArgs {
    /// Keep positions in this folder; the same command line goes on there
    #[arg(long, value_name = "DIR", env = "HIGHWATER_CHECKPOINT", requires = "files")]
    checkpoint: Option<PathBuf>,

    /// How often positions are kept
    #[arg(long, value_name = "DURATION", default_value = "10s", requires = "checkpoint")]
    checkpoint_interval: TimeDelta,

    /// Whether a file that cannot be found again is an error
    #[arg(long, value_name = "BOOL", default_value = "true", action = ArgAction::Set)]
    #[arg(requires = "checkpoint")]
    fail_on_data_loss: bool,
}

/// Where the stream begins: a source, if it is no plain reading of files or
/// stdin, and what goes into the stream besides records.
type Beginning = (Option<Box<dyn Source>>, Option<Origin>);

impl Args {
    /// What is impossible though each flag by itself is right.
    fn check(&self) -> Result<(), UsageError> {
        let durations = [
            ("--trigger", Some(self.growing.trigger)),
            ("--heartbeat", self.heartbeat),
            ("--checkpoint-interval", Some(self.checkpoint.checkpoint_interval)),
        ];
        for (flag, duration) in durations {
            if duration.is_some_and(|duration| duration <= TimeDelta::ZERO) {
                return Err(UsageError(format!("{flag} must be longer than 0s")));
            }
        }
        let goes_back = self.growing.pace() != Pace::Once || self.checkpoint.checkpoint.is_some();
        if goes_back && self.files.iter().any(|file| file.as_os_str() == "-") {
            let message = "stdin cannot be gone back to: give files, without --follow, \
                           --max-files-per-trigger and --checkpoint";
            return Err(UsageError(message.to_owned()));
        }
        Ok(())
    }

    fn beginning(&self) -> anyhow::Result<Beginning> {
        let files = || GrowingFiles::new(self.files.clone(), self.growing.pace(), self.io.max_line);
        if let Some(path) = &self.checkpoint.checkpoint {
            let directory = Arc::new(Directory::open(path)?);
            let positions = Positions::new(Arc::clone(&directory));
            let start = Start {
                line: Some(directory.line.clone()),
                run: Some(random_id()),
                epoch: positions.newest()?,
                pending: None,
                stage: 0,
            };
            let files = files().with_positions(positions, self.checkpoint.fail_on_data_loss)?;
            let interval = self.checkpoint.checkpoint_interval;
            let origin = Origin::with_checkpoint(start, interval, self.heartbeat);
            return Ok((Some(Box::new(files)), Some(origin)));
        }
        let source: Option<Box<dyn Source>> = if let Some(peer) = &self.socket {
            Some(Box::new(Connection::open(peer)?))
        } else if let Some(address) = &self.listen {
            Some(Box::new(Listener::bind(address, self.io.max_line)?))
        } else if let Some(rate) = self.rate {
            Some(Box::new(Rate::new(rate)))
        } else if self.growing.pace() != Pace::Once {
            Some(Box::new(files()))
        } else {
            None
        };
        Ok((source, self.heartbeat.map(Origin::new)))
    }

    fn operator(&self) -> Ingest {
        let mut ingest = Ingest::default();
        if self.kcat_json {
            ingest = ingest.with_kcat_json(!self.no_metadata);
        }
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
        let (source, origin) = args.beginning()?;
        Run::new("ingest", &args.io)
            .files(&args.files)
            .source(source)
            .origin(origin)
            .outside_world()
            .drive(&mut args.operator())
    })
}
