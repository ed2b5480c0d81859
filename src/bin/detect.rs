//! Turns windowed rows into alerts.

#![allow(clippy::doc_markdown, reason = "the doc comments of arguments are help texts")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use highwater_core::cli::{self, IoArgs, Run, UsageError};
use highwater_core::detect::{BARE, Detect, REFERENCE, Rule, select_rules};

/// Turn windowed rows into alerts
///
/// Reads rows of `window`, or any NDJSON with a time and a number, and writes one alert a line:
/// {"alert":"error_rate_spike","severity":"critical","window":{…},"service":"auth",
/// "field":"error_rate","value":31.2,"expected":4.1,"score":27.1,"reason":"…"}.
/// Alerts in the input are passed on.
#[derive(Debug, Parser)]
#[command(name = "detect", version, max_term_width = 100)]
#[command(after_help = "\
Rules:
  response_time_anomaly  avg_response_time of a service is more than 2 sample deviations from the
                         mean of up to 10 rows before
  error_rate_spike       error_rate of a service is more than 10 points above the row before
  suspicious_ip          an address with over 1000 requests to over 5 services
  ddos                   an address with over 100 requests of under 5 users
  user_burst             a user with over 50 events
  late_data              a user with over 5 late events

Each looks only at the rows of its own query (response_time, error_rate, ip_patterns, ddos,
user_burst, late_alert), or rows without `query` that have all its fields and keys. Without any
rule asked for, the last five run.

Examples:
  parse access.log | window --query error_rate --query ddos | detect
  window --query log-analysis < app.json | detect --rules reference --pass-through | export-prom
  window --size 1m --by host 'avg(load) AS load' < m.json | detect --zscore load --by host
  detect --spike temperature --change 5 --time at < sensors.json")]
struct Args {
    /// Files, directories (the files in them) or patterns, read in byte order of names;
    /// - or nothing is stdin
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Run a set of rules: `reference` is the six below
    #[arg(long, value_name = "SET", value_parser = ["reference"])]
    rules: Option<String>,

    /// Run a built-in rule, by its name; may be given again
    #[arg(long = "rule", value_name = "NAME")]
    names: Vec<String>,

    /// Alert where a field's z-score among the rows before is beyond --threshold
    #[arg(long, value_name = "FIELD")]
    zscore: Vec<String>,

    /// Alert where a field is more than --change above the row before
    #[arg(long, value_name = "FIELD")]
    spike: Vec<String>,

    /// The fields that tell one series of --zscore and --spike from another
    #[arg(long, value_name = "FIELD,…", value_delimiter = ',')]
    by: Vec<String>,

    /// How many rows before --zscore looks at, at most
    #[arg(long, value_name = "N", default_value_t = 10, requires = "zscore")]
    #[arg(value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    history: u32,

    /// How many deviations are too many for --zscore
    #[arg(long, value_name = "Z", default_value_t = 2.0, requires = "zscore")]
    #[arg(value_parser = parse_bound)]
    threshold: f64,

    /// How much of a rise is too much for --spike
    #[arg(long, value_name = "POINTS", default_value_t = 10.0, requires = "spike")]
    #[arg(value_parser = parse_bound)]
    change: f64,

    /// The time of a row that has no window
    #[arg(long, value_name = "FIELD", default_value = "timestamp")]
    time: String,

    /// Pass every row on as it is, each before the alerts that it causes
    #[arg(long)]
    pass_through: bool,

    #[command(flatten)]
    io: IoArgs,
}

impl Args {
    /// The rules asked for; without any, the bare set.
    fn rules(&self) -> Result<Vec<Rule>, UsageError> {
        let Self { names, zscore, spike, by, .. } = self;
        if !by.is_empty() && zscore.is_empty() && spike.is_empty() {
            return Err(UsageError("--by belongs to --zscore or --spike".to_owned()));
        }
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        if self.rules.is_some() {
            names.extend(REFERENCE);
        } else if names.is_empty() && zscore.is_empty() && spike.is_empty() {
            names.extend(BARE);
        }
        let mut rules = select_rules(&names).map_err(|error| UsageError(error.to_string()))?;
        let history = self.history as usize;
        rules.extend(zscore.iter().map(|field| Rule::zscore(field, by, history, self.threshold)));
        rules.extend(spike.iter().map(|field| Rule::spike(field, by, self.change)));
        Ok(rules)
    }
}

/// Reads a bound; what is beyond it alerts.
fn parse_bound(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| "write a number from 0 up".to_owned())
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let mut detect =
            Detect::new(args.rules()?, &args.time).with_pass_through(args.pass_through);
        Run::new("detect", &args.io).files(&args.files).drive(&mut detect)
    })
}
