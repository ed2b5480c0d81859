//! Brings lines of the outside world into a pipeline.

use std::io;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgAction, ArgGroup, Args as Arguments, Parser};
use highwater_core::checkpoint::{Directory, Positions, start};
#[cfg(feature = "kafka")]
use highwater_core::cli::KafkaSourceArgs;
use highwater_core::cli::{self, CheckpointArgs, IoArgs, LineFormat, Run, UsageError};
use highwater_core::format::TimeOptions;
use highwater_core::line::{Framing, Multiline};
use highwater_core::source::{
    Address, Connection, EventTimes, FormatTimes, GrowingFiles, Listener, Merge, Pace, Rate,
    Source, expand_paths,
};
#[cfg(feature = "kafka")]
use highwater_core::source::{Kafka, KafkaOptions, MakeTimes};
use highwater_core::stage::Ingest;
use highwater_core::stream::Origin;
use highwater_core::time::{Calendar, TimeDelta, TimeFormat, Zone};
use regex::bytes::Regex;

/// Bring lines into a pipeline
///
/// Reads files, directories, patterns or stdin, .gz and .zst unpacked, what comes over TCP, or topics
/// of Kafka, and writes one JSON object a line: records that are JSON as they are, other text as
/// {"@raw":"…"} for `parse`.
#[derive(Debug, Parser)]
#[command(name = "ingest", version, max_term_width = 100)]
#[cfg_attr(feature = "kafka", command(
    group(ArgGroup::new("from").args(["files", "socket", "listen", "rate", "topic"])),
    group(ArgGroup::new("seekable").args(["files", "topic"])),
    group(ArgGroup::new("messages").args(["kcat_json", "topic"])),
    group(ArgGroup::new("triggered").args(["max_files_per_trigger", "max_offsets_per_trigger"])),
))]
#[cfg_attr(not(feature = "kafka"), command(
    group(ArgGroup::new("from").args(["files", "socket", "listen", "rate"])),
    group(ArgGroup::new("seekable").args(["files"])),
    group(ArgGroup::new("messages").args(["kcat_json"])),
    group(ArgGroup::new("triggered").args(["max_files_per_trigger"])),
))]
#[command(after_help = "Examples:
  ingest $(ls -tr /var/log/nginx/access.log*) | parse | window --query error_rate
  ingest --follow '/var/log/app/*.log' | parse | window --watermark 10s --query response_time
  ingest --follow --checkpoint /var/lib/app access.log >>lines.ndjson
  ingest --listen 127.0.0.1:9999 | parse --stamp | window --size 10s 'count(*) AS n'
  ingest --rate 100 | window --size 10s --watermark 0s 'count(*) AS n, max(value) AS top'
  ingest --kafka broker:9092 --topic logs --group errors | parse | window --query error_rate
  ingest -b broker:9092 -t '^logs-' -o timestamp:2025-09-12T00:00:00Z -e | parse >day.ndjson
  kcat -C -b broker:9092 -t logs -J | ingest --kcat-json | parse | window --query error_rate
  ingest --merge-by-time web1.log web2.log.gz | parse | window --query error_rate
  ingest --multiline-start '^[0-9]{4}-' app.log | jq -r '.\"@raw\"'
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

    #[cfg(feature = "kafka")]
    #[command(flatten)]
    kafka: KafkaSourceArgs,

    /// Take what `kcat -J` prints: the record is the payload, with "@source":{"topic":…,"key":…}
    #[arg(long, conflicts_with = "rate")]
    #[cfg_attr(feature = "kafka", arg(conflicts_with = "topic"))]
    kcat_json: bool,

    /// Leave out @source
    #[arg(long, requires = "messages")]
    no_metadata: bool,

    /// Add where a record came from: "@source":{"path":"access.log","offset":1234}; those of Kafka
    /// always say so
    ///
    /// With it, `parse` also knows which parts of containers' lines belong together when several
    /// files come through one pipe.
    #[arg(long, conflicts_with_all = ["kcat_json", "no_metadata"])]
    metadata: bool,

    /// End after so many records
    #[arg(long, short = 'c', value_name = "N")]
    limit: Option<NonZeroU64>,

    /// Put the time into the stream every so often, as the clock of the stages behind
    #[arg(long, value_name = "DURATION")]
    heartbeat: Option<TimeDelta>,

    #[command(flatten)]
    merge: MergeArgs,

    #[command(flatten)]
    multiline: MultilineArgs,

    #[command(flatten)]
    restart: RestartArgs,

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
    ///
    /// Folders are looked at every 250 ms. A file that comes and goes between two looks, or is
    /// rotated twice while nobody reads, is seen only if the pattern matches its rotated name.
    #[arg(long, requires = "files")]
    follow: bool,

    /// Read a directory that is being filled: so many new files at each trigger, each once
    #[arg(long, value_name = "N", requires = "files", conflicts_with = "follow")]
    max_files_per_trigger: Option<NonZeroUsize>,

    /// How often to look for new files, or to read --max-offsets-per-trigger
    #[arg(long, value_name = "DURATION", default_value = "10s", requires = "triggered")]
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

/// How several inputs become one.
#[derive(Arguments, Debug)]
#[command(next_help_heading = "Merging")]
struct MergeArgs {
    /// Read the files, or the partitions of topics, side by side and merge their records by event
    /// time
    ///
    /// The order within each stays: lines without a time remain behind their predecessor, a line
    /// that is out of order counts at the greatest time before it. At equal times the files come
    /// in the order given. Every input has to end; merge live ones with `window --watermark-per`.
    /// With --checkpoint a later run goes on in the same order.
    #[arg(long, conflicts_with_all = ["socket", "listen", "rate"])]
    #[cfg_attr(feature = "kafka", arg(conflicts_with = "max_offsets_per_trigger"))]
    merge_by_time: bool,

    /// What the lines are, to find their time
    #[arg(long, value_name = "FORMAT", default_value = "auto", requires = "merge_by_time")]
    #[arg(value_parser = LineFormat::named())]
    format: LineFormat,

    /// The field that holds the time, as in `parse`
    #[arg(long, value_name = "FIELD", requires = "merge_by_time")]
    time_field: Option<String>,

    /// How times are spelled, as in `parse`
    #[arg(long, value_name = "FORMAT", requires = "merge_by_time")]
    time_format: Option<TimeFormat>,

    /// The zone of times without one, as in `parse`
    #[arg(long, value_name = "ZONE", default_value = "UTC", hide_default_value = true)]
    #[arg(requires = "merge_by_time")]
    tz: Zone,
}

impl MergeArgs {
    /// What tells the times of each partition by itself.
    #[cfg(feature = "kafka")]
    fn make_times(&self) -> Option<MakeTimes> {
        let format = self.format;
        let (calendar, options) = self.rules();
        let make = move || {
            let format = format.by_name().unwrap_or_default();
            let times = FormatTimes::new(format, calendar.clone(), &options);
            Box::new(times) as Box<dyn EventTimes>
        };
        self.merge_by_time.then(|| MakeTimes::new(make))
    }

    fn times(&self) -> Option<Box<dyn EventTimes>> {
        let format = self.format.by_name().unwrap_or_default();
        let (calendar, options) = self.rules();
        let times = FormatTimes::new(format, calendar, &options);
        self.merge_by_time.then(|| Box::new(times) as _)
    }

    fn rules(&self) -> (Calendar, TimeOptions) {
        let calendar =
            Calendar::default().with_zone(self.tz.clone()).with_format(self.time_format.clone());
        let options = TimeOptions { field: self.time_field.clone(), ..TimeOptions::default() };
        (calendar, options)
    }
}

/// Records of several lines.
#[derive(Arguments, Debug)]
#[command(next_help_heading = "Records of several lines")]
struct MultilineArgs {
    /// Join lines that do not match to the record before, such as stack traces
    ///
    /// Lines of different files or peers are never joined. A record ends where the next one
    /// begins, with its file (also with one that is renamed, emptied or deleted) or connection, or
    /// after --multiline-wait. With --checkpoint, a record that had not ended is read again whole.
    ///
    /// Pretty-printed JSON becomes records of one line with '^\{'. No record grows longer than
    /// --max-line: a line that would make it so begins the next one, as does one past the cap on
    /// lines, and the first of a file.
    #[arg(long = "multiline-start", value_name = "REGEX", value_parser = Regex::new)]
    #[cfg_attr(feature = "kafka", arg(conflicts_with = "topic"))]
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

/// Going on where an earlier run stopped.
#[derive(Arguments, Debug)]
#[command(next_help_heading = "Checkpoint")]
struct RestartArgs {
    /// How often the line keeps its state
    #[arg(long, value_name = "DURATION", default_value = "10s", requires = "checkpoint")]
    checkpoint_interval: TimeDelta,

    /// Forget what the folder holds and begin anew, behind what the output file holds by now
    #[arg(long, requires = "checkpoint")]
    reset: bool,

    /// Whether a file that cannot be found again, or offsets that are gone, are an error
    #[arg(long, value_name = "BOOL", default_value = "true", action = ArgAction::Set)]
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
            ("--checkpoint-interval", Some(self.restart.checkpoint_interval)),
        ];
        for (flag, duration) in durations {
            if duration.is_some_and(|duration| duration <= TimeDelta::ZERO) {
                return Err(UsageError(format!("{flag} must be longer than 0s")));
            }
        }
        if !self.restart.fail_on_data_loss
            && self.checkpoint.checkpoint.is_none()
            && !self.reads_kafka()
        {
            let message = "--fail-on-data-loss belongs to --checkpoint and --kafka";
            return Err(UsageError(message.to_owned()));
        }
        if self.checkpoint.checkpoint.is_some() && self.files.is_empty() && !self.reads_kafka() {
            let message = "--checkpoint needs what can be gone back to: files, or topics of Kafka";
            return Err(UsageError(message.to_owned()));
        }
        let ends = self
            .kafka_ends()
            .unwrap_or_else(|| self.growing.pace() == Pace::Once && !self.files.is_empty());
        if self.merge.merge_by_time && !ends {
            let message = "--merge-by-time needs files that end, or topics with --exit-at-end or \
                           --ending-offsets and no --group; merge live ones by window \
                           --watermark-per FIELD";
            return Err(UsageError(message.to_owned()));
        }
        let goes_back = self.growing.pace() != Pace::Once || self.checkpoint.checkpoint.is_some();
        if goes_back && self.files.iter().any(|file| file.as_os_str() == "-") {
            let message = "stdin cannot be gone back to: give files, without --follow, \
                           --max-files-per-trigger and --checkpoint";
            return Err(UsageError(message.to_owned()));
        }
        Ok(())
    }

    #[cfg(feature = "kafka")]
    fn reads_kafka(&self) -> bool {
        self.kafka.is_given()
    }

    /// Whether all partitions are read to an end, if Kafka is read from.
    #[cfg(feature = "kafka")]
    fn kafka_ends(&self) -> Option<bool> {
        let shares = self.kafka.has_group() && self.checkpoint.checkpoint.is_none();
        self.kafka.is_given().then(|| self.kafka.has_end() && !shares)
    }

    #[cfg(not(feature = "kafka"))]
    #[expect(clippy::unused_self, reason = "with the feature it is used")]
    fn kafka_ends(&self) -> Option<bool> {
        None
    }

    #[cfg(not(feature = "kafka"))]
    #[expect(clippy::unused_self, reason = "with the feature it is used")]
    fn reads_kafka(&self) -> bool {
        false
    }

    #[cfg(feature = "kafka")]
    fn kafka(&self) -> Result<Option<KafkaOptions>, UsageError> {
        let shares = self.kafka.has_group() && self.checkpoint.checkpoint.is_none();
        if shares && self.kafka.has_end() && self.kafka.has_several() {
            let message = "with --group and an end, give one --topic: of several it is not known \
                           which has come to its end";
            return Err(UsageError(message.to_owned()));
        }
        let options = self.kafka.options(self.restart.fail_on_data_loss, self.growing.trigger)?;
        Ok(options.map(|options| KafkaOptions { merge: self.merge.make_times(), ..options }))
    }

    fn beginning(&self) -> anyhow::Result<Beginning> {
        let Some(path) = &self.checkpoint.checkpoint else {
            return Ok((self.source()?, self.heartbeat.map(Origin::new)));
        };
        #[cfg(feature = "kafka")]
        let kafka = self.kafka()?;
        let is_last = cli::is_last(&self.checkpoint)?;
        let mut directory = Directory::open(path, |text| cli::say("ingest", text))?;
        if self.restart.reset {
            directory.reset()?;
        }
        directory.hold_until_exit()?;
        directory.resolve(&mut io::stdout(), is_last, cli::is_read)?;
        let start = start(&directory)?;
        let positions = Positions::new(Arc::new(directory), start.epoch.unwrap_or(0));
        let fail_on_loss = self.restart.fail_on_data_loss;
        let interval = self.restart.checkpoint_interval;
        let origin = Origin::with_checkpoint(start, interval, self.heartbeat);
        #[cfg(feature = "kafka")]
        if let Some(options) = kafka {
            let source = Kafka::connect(options, Some(positions)).map_err(cli::source_failed)?;
            return Ok((Some(Box::new(source)), Some(origin)));
        }
        let source: Box<dyn Source> = match self.merge.times() {
            Some(times) => Box::new(self.merge(times)?.with_positions(positions, fail_on_loss)?),
            None => Box::new(self.growing_files()?.with_positions(positions, fail_on_loss)?),
        };
        Ok((Some(source), Some(origin)))
    }

    /// The source, if it is no plain reading of files or stdin.
    fn source(&self) -> anyhow::Result<Option<Box<dyn Source>>> {
        let max_line = self.io.max_line;
        #[cfg(feature = "kafka")]
        if let Some(options) = self.kafka()? {
            return Ok(Some(Box::new(Kafka::connect(options, None).map_err(cli::source_failed)?)));
        }
        Ok(if let Some(times) = self.merge.times() {
            Some(Box::new(self.merge(times)?))
        } else if let Some(peer) = &self.socket {
            Some(Box::new(Connection::begin(peer)?))
        } else if let Some(address) = &self.listen {
            Some(Box::new(Listener::bind(address, self.multiline.framing()?, max_line)?))
        } else if let Some(rate) = self.rate {
            Some(Box::new(Rate::new(rate)))
        } else if self.growing.pace() != Pace::Once {
            Some(Box::new(self.growing_files()?))
        } else {
            None
        })
    }

    fn growing_files(&self) -> Result<GrowingFiles, UsageError> {
        let (pace, framing) = (self.growing.pace(), self.multiline.framing()?);
        Ok(GrowingFiles::new(self.files.clone(), pace, framing, self.io.max_line))
    }

    fn merge(&self, times: Box<dyn EventTimes>) -> anyhow::Result<Merge> {
        Ok(Merge::new(self.merged()?, self.multiline.framing()?, self.io.max_line, times))
    }

    /// The inputs to merge.
    fn merged(&self) -> anyhow::Result<Vec<PathBuf>> {
        let paths = expand_paths(&self.files)?;
        if paths.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
            return Err(UsageError("stdin can be merged only once".to_owned()).into());
        }
        Ok(paths)
    }

    fn operator(&self) -> Ingest {
        let mut ingest = Ingest::default();
        if self.kcat_json {
            ingest = ingest.with_kcat_json(!self.no_metadata);
        }
        #[cfg(feature = "kafka")]
        if self.kafka.is_given() {
            ingest = ingest.with_messages(!self.no_metadata);
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
            .framing(args.multiline.framing()?)
            .origin(origin)
            .outside_world()
            .checkpoint(&args.checkpoint, cli::plan::<Args>)
            .drive(&mut args.operator())
    })
}
