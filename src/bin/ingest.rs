//! Brings lines of the outside world into a pipeline.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use highwater_core::cli::{self, IoArgs, Run};
use highwater_core::stage::Ingest;

/// Bring lines into a pipeline
///
/// Reads files, directories, patterns or stdin, .gz and .zst unpacked, and writes one JSON
/// object a line: records that are JSON as they are, other text as {"@raw":"…"} for `parse`.
#[derive(Debug, Parser)]
#[command(name = "ingest", version, max_term_width = 100)]
#[command(after_help = "Examples:
  ingest $(ls -tr /var/log/nginx/access.log*) | parse | window --query error_rate
  zcat old.gz | ingest | parse")]
struct Args {
    /// Files, directories (the files in them) or patterns, read in byte order of names;
    /// - or nothing is stdin
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    io: IoArgs,
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        Run::new("ingest", &args.io)
            .files(&args.files)
            .outside_world()
            .drive(&mut Ingest::default())
    })
}
