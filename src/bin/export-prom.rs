//! Exports rows and alerts as Prometheus metrics.

#![allow(clippy::doc_markdown, reason = "the doc comments of arguments are help texts")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use highwater_core::cli::{self, CheckpointArgs, IoArgs, Run, Textfile};
use highwater_core::prometheus::{ExportProm, Options};
use highwater_core::time::TimeDelta;

/// Export rows and alerts as Prometheus metrics
///
/// Reads rows of `window` and alerts of `detect`. Numeric fields become gauges named after the
/// field, string fields and the query their labels; the newest window of a series wins. Alerts
/// become the counter anomaly_count. Prints the text exposition format at the end of the input,
/// or keeps a file up to date.
#[derive(Debug, Parser)]
#[command(name = "export-prom", version, max_term_width = 100)]
#[command(after_help = "\
Also exported: highwater_last_window_end_seconds (with --prefix P, P_last_window_end_seconds), by
query: the end of the newest window seen.

Examples:
  parse access.log | window --query error_rate | export-prom
  … | window --query log-analysis | detect --pass-through |
      export-prom --textfile /var/lib/node_exporter/logs.prom --label env=prod
  … | export-prom --query ddos --prefix edge --stale-after 1h")]
struct Args {
    /// Files, directories (the files in them) or patterns, read in byte order of names;
    /// - or nothing is stdin
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Export the rows of this query; may be given again. Without it, all rows but those with
    /// an ip_address or user_id. Alerts always are
    #[arg(long = "query", value_name = "NAME")]
    queries: Vec<String>,

    /// Put this in front of every metric's name
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    prefix: String,

    /// Give every series this label; may be given again
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = parse_label)]
    labels: Vec<(String, String)>,

    /// Refuse new series beyond this many
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    max_series: usize,

    /// Drop a series when its window ends this long before the newest one of all
    #[arg(long, value_name = "DURATION")]
    stale_after: Option<TimeDelta>,

    /// Keep this file up to date, for node_exporter's textfile collector, in place of stdout;
    /// its name must end in .prom
    #[arg(long, value_name = "FILE")]
    textfile: Option<PathBuf>,

    /// How often the file is rewritten, if anything has changed
    #[arg(long, value_name = "DURATION", default_value = "10s", requires = "textfile")]
    every: TimeDelta,

    #[command(flatten)]
    io: IoArgs,

    #[command(flatten)]
    checkpoint: CheckpointArgs,
}

/// Reads `name=value`; the name must be one that Prometheus takes.
fn parse_label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it like env=prod")?;
    let is_fit = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.starts_with("__");
    if is_fit {
        Ok((name.to_owned(), value.to_owned()))
    } else {
        Err("a label's name is made of letters, digits and _, does not begin with a digit, \
             nor with __"
            .to_owned())
    }
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let options = Options {
            prefix: args.prefix,
            labels: args.labels,
            max_series: args.max_series,
            stale_after: args.stale_after,
        };
        let mut export = ExportProm::new(options, args.queries);
        let textfile = args.textfile.as_deref();
        let sink = textfile.map(|path| Textfile::new(path.to_owned(), args.every)).transpose()?;
        if let Some(sink) = sink {
            export = export.with_sink(Box::new(sink));
        }
        let run = Run::new("export-prom", &args.io)
            .checkpoint(&args.checkpoint, cli::plan::<Args>)
            .files(&args.files)
            .end_of_stream();
        run.sink(textfile).drive(&mut export)
    })
}
