//! Brings log lines into normal form.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use highwater_core::cli::{self, IoArgs, Run, TimeArgs};
use highwater_core::stage::{Format, Parse};

/// Bring log lines into normal form
///
/// Reads JSON records and access log lines of Apache and nginx, plain or as `ingest` wrote them,
/// and writes JSON records that begin with timestamp, level, service, message, `ip_address`,
/// `user_id`, `request_id`, `response_time`, `status_code` and `error_code`, as far as the line has them.
/// Times come out in UTC. A record already in that form passes through byte for byte.
#[derive(Debug, Parser)]
#[command(name = "parse", version, max_term_width = 100)]
#[command(after_help = "Examples:
  parse --format nginx /var/log/nginx/access.log | window --query error_rate
  tail -F app.json | parse --rejects bad.ndjson | jq .message
  parse --time-field created_at --time-format '%d.%m.%Y %H:%M:%S' --tz Europe/Berlin app.json")]
struct Args {
    /// Files, directories (the files in them) or patterns, read in byte order of names;
    /// - or nothing is stdin
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// What the lines are
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    format: FormatName,

    #[command(flatten)]
    times: TimeArgs,

    #[command(flatten)]
    io: IoArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatName {
    /// JSON where a line begins with {, else an access log line
    Auto,
    /// JSON records; the time may be called timestamp, @timestamp, time, ts, t or date
    Json,
    /// Apache access logs: common, combined, `vhost_combined`
    Apache,
    /// nginx access logs: combined, and what is often added behind it
    Nginx,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Auto => Self::Auto,
            FormatName::Json => Self::Json,
            FormatName::Apache => Self::Apache,
            FormatName::Nginx => Self::Nginx,
        }
    }
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let mut parse =
            Parse::new(args.format.into()).with_times(args.times.calendar(), &args.times.options());
        Run::new("parse", &args.io).files(&args.files).drive(&mut parse)
    })
}
