//! Shows rows and alerts as a page.

#![allow(clippy::doc_markdown, reason = "the doc comments of arguments are help texts")]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use highwater_core::cli::{self, CheckpointArgs, IoArgs, Run, SelectionArgs, UsageError};
use highwater_core::dashboard::{Bounds, Dashboard, Shared, router};
use highwater_core::http::Server;
use highwater_core::source::Address;
use highwater_core::time::TimeDelta;

/// Show rows and alerts as a page, live or as one file
///
/// Reads rows of `window` and alerts of `detect`, and serves one page with health, response times,
/// errors, volume and alerts, which follows the input and needs nothing from outside. Ends with its
/// input. A report is the same page as one file.
#[derive(Debug, Parser)]
#[command(name = "dashboard", version, max_term_width = 100)]
#[command(after_help = "\
Panels: health_score, avg_response_time, error_rate, request_count, alerts, p95_response_time; other
numbers are below them. `window --query log-analysis` gives the first four, `--query latency` the
last.

Examples:
  tail -F access.log | parse | window --query log-analysis --watermark 10s |
      detect --pass-through | dashboard
  parse old.log.gz | window --query log-analysis | detect --pass-through |
      dashboard --history 1d --report day.html
  window --size 1m --by service 'count(*)' --input app.json | dashboard --stay")]
struct Args {
    /// Files, directories (the files in them) or patterns, read in byte order of names;
    /// - or nothing is stdin
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Serve the page here; port 0 is any free one. Without it, and without --report, at
    /// 127.0.0.1:8080
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<Address>,

    /// Write the page to this file at the end of the input, with all that it shows
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,

    /// Forget what is older than the newest window by more than this
    #[arg(long, value_name = "DURATION", default_value = "6h")]
    history: TimeDelta,

    #[command(flatten)]
    selection: SelectionArgs,

    /// Go on serving the page when the input has ended, until Ctrl-C
    #[arg(long)]
    stay: bool,

    #[command(flatten)]
    io: IoArgs,

    #[command(flatten)]
    checkpoint: CheckpointArgs,
}

impl Args {
    /// Where to listen, if at all.
    fn address(&self) -> anyhow::Result<Option<Address>> {
        match &self.listen {
            None if self.report.is_some() && self.stay => {
                let text = "--stay keeps a page served: with --report, say where by --listen";
                Err(UsageError(text.to_owned()).into())
            }
            None if self.report.is_some() => Ok(None),
            None => Ok(Some("127.0.0.1:8080".parse()?)),
            Some(address) => Ok(Some(address.clone())),
        }
    }
}

/// Serves the page, and says where.
fn serve(history: &Shared, address: &Address) -> anyhow::Result<Server> {
    let server = Server::start_with(address, |bound| router(history, bound))
        .context("no page; choose another place with --listen HOST:PORT")?;
    cli::say("dashboard", &format!("http://{}/", server.address()));
    Ok(server)
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        if args.history <= TimeDelta::ZERO {
            let text = format!("--history {}: write a length of time, like 6h", args.history);
            return Err(UsageError(text).into());
        }
        let address = args.address()?;
        let history = Shared::new(Bounds::new(args.history));
        let mut dashboard = Dashboard::new(history.clone(), args.selection.selection());
        if let Some(path) = args.report.clone() {
            dashboard = dashboard.with_report(Box::new(cli::file_writer(path)));
        }
        // Ends, and with it the page, when this returns.
        let _server = address.map(|address| serve(&history, &address)).transpose()?;
        let mut run = Run::new("dashboard", &args.io)
            .checkpoint(&args.checkpoint, cli::plan::<Args>)
            .files(&args.files)
            .end_of_stream()
            .without_stdout()
            .sink(args.report.as_deref());
        if args.stay {
            run = run.stay("the input has ended; the page stays until Ctrl-C");
        }
        run.drive(&mut dashboard)
    })
}
