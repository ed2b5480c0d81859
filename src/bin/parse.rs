//! Brings log lines into normal form.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use highwater_core::cli::{self, IoArgs, Run};
use highwater_core::stage::{Format, Parse};

/// Bring log lines into normal form
#[derive(Debug, Parser)]
#[command(name = "parse", version, max_term_width = 100)]
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
        Run::new("parse", &args.io).files(&args.files).drive(&mut Parse::new(Format::Auto))
    })
}
