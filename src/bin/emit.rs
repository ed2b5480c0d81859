//! Sends records to Kafka.

#![allow(clippy::doc_markdown, reason = "the doc comments of arguments are help texts")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use highwater_core::cli::{self, CheckpointArgs, ClientArgs, IoArgs, Run, UsageError};
use highwater_core::sink::{KafkaSink, KafkaSinkOptions, Transactions};
use highwater_core::stage::Emit;
use highwater_core::time::TimeDelta;
use mimalloc::MiMalloc;

/// Takes the place of the system's malloc for librdkafka too. That gives each record memory in the
/// stage's thread and takes it back in the broker's: the system's has both wait for one lock.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Send records to a topic of Kafka
///
/// Reads NDJSON and sends each record as it is, but for the @source that `ingest` has put in front.
/// Each is written once and in order, however often it has to be tried; what the brokers do not
/// take waits, and so does the pipe. Exit code 1 if any record was not delivered.
#[derive(Debug, Parser)]
#[command(name = "emit", version, max_term_width = 100)]
#[command(after_help = "\
A record with a key and nothing beside its @source deletes what stands under the key (a tombstone).

Examples:
  produce-synthetic events --count 1000 --speed 1 | emit --kafka broker:9092 -t events -k user_id
  parse access.log | window --query error_rate | emit -b broker:9092 --topic rates --key service
  ingest -b a:9092 -t logs -G copy | emit -b b:9092 -t logs --key @source.key
  detect rows.ndjson | emit -b broker:9093 -t alerts -F client.properties -X compression.type=zstd")]
struct Args {
    /// Files, directories (the files in them) or patterns, read in byte order of names;
    /// - or nothing is stdin
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    client: ClientArgs,

    /// Send to this topic
    #[arg(long, short = 't', value_name = "TOPIC", required = true)]
    topic: String,

    /// The field that holds the key, or a path such as request.user; without one, or where it is
    /// null or missing, records have no key
    #[arg(long, short = 'k', value_name = "FIELD")]
    key: Option<String>,

    /// How keys choose partitions; murmur2_random is what Java's clients do
    #[arg(long, value_name = "NAME", default_value = "murmur2_random", value_parser = PARTITIONERS)]
    partitioner: String,

    /// Send everything to this partition
    #[arg(long, short = 'p', value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    #[arg(conflicts_with = "partitioner")]
    partition: Option<i32>,

    /// Write in transactions of this id, which no other process uses at the same time: those who
    /// read what is committed get all of a transaction or nothing. With --checkpoint each epoch is
    /// one transaction, and every record is written exactly once
    #[arg(long, value_name = "ID")]
    transactional_id: Option<String>,

    /// How long a transaction is, without --checkpoint
    #[arg(long, value_name = "DURATION", default_value = "1s", requires = "transactional_id")]
    transaction_interval: TimeDelta,

    /// Leave @source in the records
    #[arg(long)]
    keep_source: bool,

    #[command(flatten)]
    io: IoArgs,

    #[command(flatten)]
    checkpoint: CheckpointArgs,
}

/// Those of librdkafka.
const PARTITIONERS: [&str; 7] = [
    "murmur2_random",
    "murmur2",
    "consistent_random",
    "consistent",
    "fnv1a_random",
    "fnv1a",
    "random",
];

fn main() -> ExitCode {
    cli::main(|args: Args| {
        if args.transaction_interval <= TimeDelta::ZERO {
            let message = "--transaction-interval must be longer than 0s";
            return Err(UsageError(message.to_owned()).into());
        }
        let mut settings = args.client.settings()?;
        if let Some(id) = &args.transactional_id {
            settings.set(&format!("transactional.id={id}")).map_err(cli::kafka_failed)?;
        }
        settings.check().map_err(cli::kafka_failed)?;
        let sink = KafkaSink::connect(KafkaSinkOptions {
            settings,
            topic: args.topic,
            partition: args.partition,
            partitioner: args.partitioner,
            transactions: if args.checkpoint.checkpoint.is_some() {
                Transactions::ByEpoch
            } else {
                let micros = args.transaction_interval.micros.unsigned_abs();
                Transactions::After(Duration::from_micros(micros))
            },
        });
        let sink = sink.map_err(cli::kafka_failed)?;
        let mut emit = Emit::new(sink, args.key.as_deref(), args.keep_source);
        let run = Run::new("emit", &args.io)
            .checkpoint(&args.checkpoint, cli::plan::<Args>)
            .files(&args.files)
            .end_of_stream()
            .without_stdout();
        run.beside(args.client.file().map(Into::into)).drive(&mut emit)
    })
}
