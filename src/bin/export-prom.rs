//! Exports rows and alerts as Prometheus metrics.

#![allow(clippy::doc_markdown, reason = "the doc comments of arguments are help texts")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use highwater_core::cli::{self, CheckpointArgs, IoArgs, Run, SelectionArgs, Textfile, UsageError};
use highwater_core::prometheus::{ExportProm, Options, parse_label};
use highwater_core::sink::prometheus::{Grouping, Pushgateway, Scrape};
use highwater_core::source::Address;
use highwater_core::time::TimeDelta;

/// Export rows and alerts as Prometheus metrics
///
/// Reads rows of `window` and alerts of `detect`. Numeric fields become gauges named after the
/// field, string fields and the query their labels; the newest window of a series wins. Alerts
/// become the counter anomaly_count. Prints the text exposition format at the end of the input;
/// or keeps a file up to date, answers scrapes, pushes to a Pushgateway, or all of these.
#[derive(Debug, Parser)]
#[command(name = "export-prom", version, max_term_width = 100)]
#[command(after_help = "\
Also exported: highwater_last_window_end_seconds (with --prefix P, P_last_window_end_seconds), by
query: the end of the newest window seen.

Examples:
  parse access.log | window --query error_rate | export-prom
  … | window --query log-analysis | detect --pass-through |
      export-prom --textfile /var/lib/node_exporter/logs.prom --label env=prod
  … | export-prom --listen 127.0.0.1:9101 --stale-after 1h
  … | export-prom --push http://localhost:9091 --job logs --grouping instance=web1
  window --query log-analysis --input old.ndjson | export-prom --format openmetrics >old.om
  promtool tsdb create-blocks-from openmetrics old.om data/")]
struct Args {
    /// Files, directories (the files in them) or patterns, read in byte order of names;
    /// - or nothing is stdin
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    selection: SelectionArgs,

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

    /// What is printed, if nothing else is asked for: text, or openmetrics with all windows and
    /// their times, for Prometheus to be back-filled with [default: text]
    // No default of clap's: those are part of the plan, and checkpoints of before know of none.
    #[arg(long, value_name = "FORMAT")]
    format: Option<Exposition>,

    /// Keep this file up to date, for node_exporter's textfile collector, in place of stdout;
    /// its name must end in .prom
    #[arg(long, value_name = "FILE")]
    textfile: Option<PathBuf>,

    /// Answer scrapes at http://ADDRESS/metrics while there is input; /healthz says ok
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<Address>,

    /// Push to the Pushgateway at this URL, which replaces the whole group each time; may hold
    /// user:password@
    #[arg(long, value_name = "URL", env = "HIGHWATER_PUSH", hide_env_values = true)]
    push: Option<String>,

    /// The job that the pushed metrics are grouped under
    #[arg(long, value_name = "JOB", default_value = "highwater", requires = "push")]
    job: String,

    /// Another label to group them under, such as instance=web1; may be given again
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_label, requires = "push")]
    grouping: Vec<(String, String)>,

    /// Take the group out of the Pushgateway when the input ends
    #[arg(long, requires = "push")]
    delete_on_exit: bool,

    /// How often the file is rewritten, if anything has changed, and metrics are pushed
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    every: TimeDelta,

    #[command(flatten)]
    io: IoArgs,

    #[command(flatten)]
    checkpoint: CheckpointArgs,
}

/// A format of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Exposition {
    /// The text exposition format, without times
    Text,
    /// OpenMetrics, with the times of all windows
    Openmetrics,
}

impl Args {
    /// Refuses what has no place beside a back-fill.
    fn check_backfill(&self) -> Result<(), UsageError> {
        for (is_given, flag, why) in [
            (self.textfile.is_some(), "--textfile", "node_exporter skips a file with times"),
            (self.listen.is_some(), "--listen", "a scrape takes the newest values"),
            (self.push.is_some(), "--push (or HIGHWATER_PUSH)", "a gateway takes no times"),
            (self.stale_after.is_some(), "--stale-after", "it has all windows"),
            (
                self.checkpoint.checkpoint.is_some(),
                "--checkpoint",
                "it ends once, with its # EOF; make it anew from all the data",
            ),
        ] {
            if is_given {
                let text = format!("--format openmetrics cannot be used with {flag}: {why}");
                return Err(UsageError(text));
            }
        }
        Ok(())
    }

    /// Names of the labels that a Pushgateway gives.
    fn taken_labels(&self) -> Result<Vec<String>, UsageError> {
        if self.push.is_none() {
            return Ok(Vec::new());
        }
        let grouping = self.grouping.iter().map(|(name, _)| name.clone());
        let taken: Vec<String> = ["job".to_owned()].into_iter().chain(grouping).collect();
        match self.labels.iter().find(|(name, _)| taken.contains(name)) {
            Some((name, _)) => {
                Err(UsageError(format!("--label {name}: the Pushgateway has a {name} of its own")))
            }
            None => Ok(taken),
        }
    }

    /// The operator, with the sinks that are asked for.
    fn operator(&self) -> anyhow::Result<ExportProm> {
        let options = Options {
            prefix: self.prefix.clone(),
            labels: self.labels.clone(),
            taken_labels: self.taken_labels()?,
            max_series: self.max_series,
            stale_after: self.stale_after,
        };
        if self.format == Some(Exposition::Openmetrics) {
            self.check_backfill()?;
            return Ok(ExportProm::backfill(options, self.selection.selection()));
        }
        let mut export = ExportProm::new(options, self.selection.selection());
        let every = self.every.to_duration().filter(|every| !every.is_zero()).ok_or_else(|| {
            UsageError(format!("--every {}: write a length of time, like 10s", self.every))
        })?;
        if let Some(path) = &self.textfile {
            export = export.with_sink(Box::new(Textfile::new(path.clone(), every)?));
        }
        if let Some(url) = &self.push {
            let grouping = Grouping { job: self.job.clone(), labels: self.grouping.clone() };
            let gateway = Pushgateway::start(url, &grouping, every, self.delete_on_exit)
                .map_err(|error| UsageError(error.to_string()))?;
            export = export.with_sink(Box::new(gateway));
        }
        if let Some(address) = &self.listen {
            let scrape = Scrape::listen(address)?;
            cli::say("export-prom", &format!("listening on http://{}/metrics", scrape.address()));
            export = export.with_sink(Box::new(scrape));
        }
        Ok(export)
    }
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let mut export = args.operator()?;
        let mut run = Run::new("export-prom", &args.io)
            .checkpoint(&args.checkpoint, cli::plan::<Args>)
            .files(&args.files)
            .end_of_stream()
            .sink(args.textfile.as_deref());
        if args.listen.is_some() || args.push.is_some() {
            run = run.without_stdout();
        }
        run.drive(&mut export)?;
        Ok(export.close()?)
    })
}
