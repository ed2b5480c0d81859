//! Brings log lines into normal form.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use highwater_core::cli::{
    self, CheckpointArgs, IoArgs, LineFormat, ReshapeArgs, Run, TimeArgs, UsageError,
};
use highwater_core::format::{CsvParser, Dialect, LogFormatParser, PatternParser};
use highwater_core::stage::{Explain, Format, Parse};

/// Bring log lines into normal form
///
/// Reads JSON records, access and error logs of Apache and nginx, syslog, logfmt, CSV, and what a
/// pattern describes, plain, as `ingest` wrote them or as a container runtime did (CRI, Docker's
/// json-file), and writes JSON records that begin with timestamp, level, service, message, `ip_address`,
/// `user_id`, `request_id`, `response_time`, `status_code` and `error_code`, as far as the line has them.
/// Times come out in UTC. A record already in that form passes through byte for byte.
/// Then it explodes, looks up, renames, sets, filters and projects, in this order.
#[derive(Debug, Parser)]
#[command(name = "parse", version, max_term_width = 100)]
#[command(after_help = "Examples:
  parse --format nginx /var/log/nginx/access.log | window --query error_rate
  parse --format regex --pattern '^(?<time>\\S+) (?<level>[A-Z]+) (?<message>.*)' app.log
  parse --log-format '$remote_addr [$time_local] \"$request\" $status $request_time' access.log
  tail -F app.json | parse --rejects bad.ndjson | jq .message
  parse --explain bad.ndjson | less
  parse --set service=web --where 'status_code >= 500' --fields timestamp,url,user_agent access.log
  parse --format words --lookup frameworks.csv --on word notes.txt
  parse --time-field created_at --time-format '%d.%m.%Y %H:%M:%S' --tz Europe/Berlin app.json")]
struct Args {
    /// Files, directories (the files in them) or patterns, read in byte order of names;
    /// - or nothing is stdin
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// What the lines are
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    format: LineFormat,

    /// Regular expression for --format regex; its named groups, as in `(?<level>[A-Z]+)`, are the
    /// fields
    #[arg(long, value_name = "REGEX", required_if_eq("format", "regex"))]
    pattern: Option<String>,

    /// Names of the columns for --format csv, written as its header would be; without it, the
    /// first line is the header
    #[arg(long, value_name = "NAMES")]
    columns: Option<String>,

    /// What stands between the columns of CSV, one character, or \\t for a tab
    #[arg(long, value_name = "CHARACTER", default_value = ",", value_parser = delimiter)]
    delimiter: u8,

    /// How an access log is written, as the server's configuration has it: nginx's `log_format`
    /// (`$status …`) or Apache's `LogFormat` (`%h …`), also with the quotes, name and semicolon
    /// around it. Variables without a usual name keep their own. Lines that are JSON objects need
    /// none, but --format json
    #[arg(long, value_name = "STRING", conflicts_with_all = ["pattern", "columns"])]
    log_format: Option<String>,

    /// In place of records, say for each line which format took it and what its fields are, or
    /// where each format failed and what it expected there; lines that --rejects kept are taken
    /// out of its rows. Columns count bytes, from 1. Exit code 1 if a line does not parse
    #[arg(long, conflicts_with_all = NOT_EXPLAINED)]
    explain: bool,

    #[command(flatten)]
    times: TimeArgs,

    #[command(flatten)]
    reshape: ReshapeArgs,

    #[command(flatten)]
    io: IoArgs,

    #[command(flatten)]
    checkpoint: CheckpointArgs,
}

/// What has no place beside --explain, which writes no records and rejects none.
const NOT_EXPLAINED: [&str; 12] = [
    "explode",
    "lookup",
    "on",
    "inner",
    "rename",
    "set",
    "filter",
    "fields",
    "schema",
    "rejects",
    "strict",
    "max_rejects",
];

/// Reads the delimiter of CSV.
fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [b'"' | b'\n' | b'\r'] => Err("a quote or a line break cannot be one".to_owned()),
        [byte] if byte.is_ascii() => Ok(*byte),
        _ => Err("expected one ASCII character, or \\t for a tab".to_owned()),
    }
}

impl Args {
    /// Refuses what describes lines of another format than the one asked for.
    fn check_format(&self) -> Result<(), UsageError> {
        let has_delimiter = self.delimiter != b',';
        for (flag, is_given, format, name) in [
            ("--pattern", self.pattern.is_some(), LineFormat::Regex, "regex"),
            ("--columns", self.columns.is_some(), LineFormat::Csv, "csv"),
            ("--delimiter", has_delimiter, LineFormat::Csv, "csv"),
        ] {
            if is_given && self.format != format {
                return Err(UsageError(format!("{flag} belongs to --format {name}")));
            }
        }
        Ok(())
    }

    /// The format with what belongs to it.
    fn format(&self) -> Result<Format, UsageError> {
        if let Some(format) = &self.log_format {
            return Ok(Format::LogFormat(self.log_format(format)?));
        }
        Ok(match self.format {
            LineFormat::Csv => Format::Csv(match &self.columns {
                Some(columns) => CsvParser::with_columns(self.delimiter, columns)
                    .map_err(|error| UsageError(format!("--columns {columns:?}: {error}")))?,
                None => CsvParser::with_header(self.delimiter),
            }),
            LineFormat::Regex => {
                let pattern = self.pattern.as_deref().unwrap_or_default();
                let parser = PatternParser::new(pattern);
                Format::Regex(parser.map_err(|error| UsageError(format!("--pattern: {error}")))?)
            }
            LineFormat::Words => Format::Words,
            named => named.by_name().unwrap_or_default(),
        })
    }

    /// What reads lines by the server's own format.
    fn log_format(&self, format: &str) -> Result<LogFormatParser, UsageError> {
        let dialect = match self.format {
            LineFormat::Auto => None,
            LineFormat::Nginx => Some(Dialect::Nginx),
            LineFormat::Apache => Some(Dialect::Apache),
            _ => {
                let message = "--log-format describes an access log: it goes with --format nginx \
                               or apache, or without --format";
                return Err(UsageError(message.to_owned()));
            }
        };
        let parser = LogFormatParser::new(format, "--log-format", dialect)
            .map_err(|error| UsageError(error.to_string()))?;
        match self.times.options().field {
            Some(field) if !parser.has_field(&field) => {
                Err(UsageError(format!("--time-field {field}: --log-format has no such variable")))
            }
            _ => Ok(parser),
        }
    }

    /// Refuses a field for the time where the format knows the time's place.
    fn check_time_field(&self) -> Result<(), UsageError> {
        let has_place = matches!(
            self.format,
            LineFormat::Apache
                | LineFormat::ApacheError
                | LineFormat::Nginx
                | LineFormat::NginxError
                | LineFormat::Syslog
                | LineFormat::Words
        );
        if has_place && self.log_format.is_none() && self.times.options().field.is_some() {
            let message = "--time-field names a field of JSON, logfmt, CSV, --pattern or \
                           --log-format; other formats have their time in one place, and \
                           --time-format says how it is spelled";
            return Err(UsageError(message.to_owned()));
        }
        Ok(())
    }
}

/// Writes what people want to know of the lines.
fn explain(args: &Args, parse: Parse) -> anyhow::Result<()> {
    let mut explain = Explain::new(parse);
    Run::new("parse", &args.io).files(&args.files).end_of_stream().drive(&mut explain)?;
    let (lines, refused) = explain.counts();
    anyhow::ensure!(refused == 0, "{refused} of {lines} lines did not parse");
    Ok(())
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        args.check_format()?;
        args.check_time_field()?;
        let mut parse = Parse::new(args.format()?)
            .with_times(args.times.calendar(), &args.times.options())
            .with_reshape(args.reshape.reshape()?);
        if args.explain {
            return explain(&args, parse);
        }
        Run::new("parse", &args.io)
            .checkpoint(&args.checkpoint, cli::plan::<Args>)
            .files(&args.files)
            .defined_by(args.reshape.files())
            .drive(&mut parse)
    })
}
