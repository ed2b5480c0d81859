//! Brings lines of the outside world into a pipeline.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Parser};
use highwater_core::cli::{self, IoArgs, Run};
use highwater_core::source::{Address, Connection, Listener, Rate, Source};
use highwater_core::stage::Ingest;

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

    /// Take what `kcat -J` prints: the record is the payload, with "@source":{"topic":…,"key":…}
    #[arg(long, conflicts_with = "rate")]
    kcat_json: bool,

    /// Leave out @source
    #[arg(long, requires = "kcat_json")]
    no_metadata: bool,

    #[command(flatten)]
    io: IoArgs,
}

impl Args {
    /// The source, if it is no plain reading of files or stdin.
    fn source(&self) -> anyhow::Result<Option<Box<dyn Source>>> {
        Ok(if let Some(peer) = &self.socket {
            Some(Box::new(Connection::open(peer)?))
        } else if let Some(address) = &self.listen {
            Some(Box::new(Listener::bind(address, self.io.max_line)?))
        } else {
            self.rate.map(|rate| Box::new(Rate::new(rate)) as _)
        })
    }

    fn operator(&self) -> Ingest {
        if self.kcat_json {
            Ingest::default().with_kcat_json(!self.no_metadata)
        } else {
            Ingest::default()
        }
    }
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        Run::new("ingest", &args.io)
            .files(&args.files)
            .source(args.source()?)
            .outside_world()
            .drive(&mut args.operator())
    })
}
