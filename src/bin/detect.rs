//! Turns windowed rows into alerts.

#![allow(clippy::doc_markdown, reason = "the doc comments of arguments are help texts")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fmt, fs};

use anyhow::Context as _;
use clap::Parser;
use highwater_core::cli::{self, CheckpointArgs, IoArgs, Run, UsageError};
use highwater_core::detect::detector::{DetectorKind, Settings};
use highwater_core::detect::{
    Allow, BARE, Condition, Detect, DetectOptions, Emit, REFERENCE, Rule, SeriesBounds, read_rules,
    select_rules,
};
use highwater_core::time::TimeDelta;

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
  surprise               avg_response_time of a service is unlike any before, or moves unusually
  silence                a series with a row in each of its last 3 windows has none in the next

Each looks only at the rows of its own query (response_time, error_rate, ip_patterns, ddos,
user_burst, late_alert, response_time), or rows without `query` that have all its fields and keys;
`silence` at built-in queries not by address or user. Without any rule asked for, all but the
first run: that one fires on 9 % of pure noise, and `surprise` (from a score of 0.4) on under 0.1 %.
Of few requests error_rate jumps by chance: with under 100 a window, rather ask for
--when 'error_rate > 20 AND total_requests >= 20'.

Examples:
  parse access.log | window --query error_rate --query ddos | detect
  window --query log-analysis < app.json | detect --rules reference --pass-through | export-prom
  … | detect --by service --when 'p99_response_time > 2 AND request_count >= 20' --cooldown 10m
  … | detect --silence 10 --by host       # hosts that were there for 10 windows and are gone
  … | detect --rules team.toml --allow ip_address=192.0.2.0/24,2001:db8::/32
  detect --detector surprise --field temperature --by sensor --time at < sensors.json
  detect --detector surprise --field value --annotate < series.json    # scores, not alerts

A file of rules:
  [[rule]]
  name = \"checkout_slow\"
  query = \"response_time\"               # else any row with the keys
  by = [\"service\"]
  when = \"avg_response_time > 2\"         # or zscore, spike, detector with field, silence
  severity = \"critical\"                 # info, warning (the default), critical
  cooldown = \"10m\"
  allow = { service = [\"batch\"] }")]
struct Args {
    /// Files, directories (the files in them) or patterns, read in byte order of names;
    /// - or nothing is stdin
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Run a set of rules: `reference` is the first six below; else a file of rules, in TOML.
    /// May be given again
    #[arg(long, value_name = "SET|FILE")]
    rules: Vec<PathBuf>,

    /// Run a built-in rule, by its name; may be given again
    #[arg(long = "rule", value_name = "NAME")]
    names: Vec<String>,

    /// Alert where this is true, in the language of `window --where`: 'error_rate > 5 AND
    /// total_requests >= 20'
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true)]
    when: Vec<String>,

    /// Alert where a field's z-score among the rows before is beyond --threshold
    #[arg(long, value_name = "FIELD")]
    zscore: Vec<String>,

    /// Alert where a field is more than --change above the row before
    #[arg(long, value_name = "FIELD")]
    spike: Vec<String>,

    /// Alert where a series with a row in each of its last N windows has none in the next; without
    /// --by, as the rule silence does
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    silence: Option<u32>,

    /// Alert where a detector finds --field unusual: surprise, novelty, zscore or ewma
    #[arg(long, value_name = "NAME", requires = "field")]
    detector: Option<DetectorKind>,

    /// The field that --detector watches; with several, each is watched on its own
    #[arg(long, value_name = "FIELD", requires = "detector")]
    field: Vec<String>,

    /// The fields that tell one series of the flags above from another
    #[arg(long, value_name = "FIELD,…", value_delimiter = ',')]
    by: Vec<String>,

    /// How many rows before --zscore looks at, at most
    #[arg(long, value_name = "N", default_value_t = 10, requires = "zscore")]
    #[arg(value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    history: u32,

    /// What is too much: deviations, for --zscore and the detector of that name [default: 2]; a
    /// score from 0 to 1 for the other detectors [default: 0.22; the rule surprise has 0.4]
    #[arg(long, value_name = "X", value_parser = parse_bound)]
    threshold: Option<f64>,

    /// How much of a rise is too much for --spike
    #[arg(long, value_name = "POINTS", default_value_t = 10.0, requires = "spike")]
    #[arg(value_parser = parse_bound)]
    change: f64,

    /// For how many values --detector surprise or novelty knows a level; 0 is for ever
    #[arg(long, value_name = "N", requires = "detector")]
    memory: Option<u64>,

    /// The least change that is news to --detector surprise or novelty, as a share of the range
    /// so far, such as 0.01
    #[arg(long, value_name = "SHARE", requires = "detector", value_parser = parse_share)]
    min_gap: Option<f64>,

    /// No second alert of a rule and series within this in event time
    #[arg(long, value_name = "DURATION", value_parser = parse_length, conflicts_with = "annotate")]
    cooldown: Option<TimeDelta>,

    /// Never alert rows with one of these values, addresses or networks in a field; FIELD=@FILE
    /// takes the values from a file, FILE has such a list on each line (comments behind " #"). May
    /// be given again
    #[arg(long, value_name = "FIELD=VALUE,…|FIELD=@FILE|FILE")]
    allow: Vec<String>,

    /// Forget a series that had no row for up to twice this long in event time
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = parse_length)]
    expire: TimeDelta,

    /// Watch at most so many series a rule; rows of further ones are counted as refused
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    max_series: usize,

    /// The time of a row that has no window
    #[arg(long, value_name = "FIELD", default_value = "timestamp")]
    time: String,

    /// Pass every row on as it is, each before the alerts that it causes
    #[arg(long)]
    pass_through: bool,

    /// Pass every row on with anomaly_score, from 0 to 1, in place of alerts: a detector's score;
    /// of other rules 1 for an alert, and nothing of silence. A line for each record; none for
    /// blank lines and for rejected ones, which --rejects keeps. A cooldown, of alerts, has no
    /// say: here it is refused, and in a file of rules passed over
    #[arg(long, conflicts_with = "pass_through")]
    annotate: bool,

    #[command(flatten)]
    io: IoArgs,

    #[command(flatten)]
    checkpoint: CheckpointArgs,
}

impl Args {
    /// The rules asked for; without any, the bare set.
    fn all_rules(&self) -> anyhow::Result<Vec<Rule>> {
        let mut names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let mut rules = Vec::new();
        for set in &self.rules {
            if is_built_in(set) {
                names.extend(REFERENCE);
            } else {
                rules.extend(self.file_rules(set)?);
            }
        }
        rules.extend(self.flag_rules()?);
        if names.is_empty() && rules.is_empty() {
            names.extend(BARE);
        }
        let mut all = select_rules(&names).map_err(|error| usage(&error))?;
        all.extend(rules);
        let allow = self.allow_lists()?;
        for rule in &mut all {
            rule.cooldown = rule.cooldown.or(self.cooldown);
            rule.allow.extend(allow.iter().cloned());
        }
        Ok(all)
    }

    fn file_rules(&self, path: &Path) -> anyhow::Result<Vec<Rule>> {
        let name = path.display();
        let text = fs::read_to_string(path).with_context(|| {
            format!("cannot read rules from {name} (a built-in set: reference)")
        })?;
        Ok(read_rules(&text, &name.to_string(), &self.time).map_err(|error| usage(&error))?)
    }

    /// The rules that are flags.
    fn flag_rules(&self) -> Result<Vec<Rule>, UsageError> {
        let Self { when, zscore, spike, field, by, threshold, .. } = self;
        let history = self.history as usize;
        let mut rules = Vec::new();
        for text in when {
            let condition =
                Condition::parse(text, "--when", &self.time).map_err(|error| usage(&error))?;
            rules.push(Rule::when(condition, by));
        }
        let limit = threshold.unwrap_or(2.0);
        rules.extend(zscore.iter().map(|field| Rule::zscore(field, by, history, limit)));
        rules.extend(spike.iter().map(|field| Rule::spike(field, by, self.change)));
        rules.extend(self.silence.map(|windows| Rule::silence(windows, by)));
        if let Some(kind) = self.detector {
            let settings = self.settings();
            let detector = |field: &String| Rule::detector(kind, field, by, settings, *threshold);
            rules.extend(field.iter().map(detector));
        }
        if rules.is_empty() && !by.is_empty() {
            return Err(usage(
                &"--by belongs to --when, --zscore, --spike, --silence or --detector",
            ));
        }
        match (threshold, self.detector, zscore.is_empty()) {
            (Some(_), None, true) => Err(usage(&"--threshold belongs to --zscore or --detector")),
            (Some(_), Some(_), false) => Err(usage(
                &"--threshold cannot be of both --zscore and --detector; use --rules FILE",
            )),
            _ => Ok(rules),
        }
    }

    fn settings(&self) -> Settings {
        let usual = Settings::default();
        Settings {
            memory: self.memory.unwrap_or(usual.memory),
            min_gap: self.min_gap.unwrap_or(usual.min_gap),
            fields: u32::try_from(self.field.len()).unwrap_or(u32::MAX),
        }
    }

    fn allow_lists(&self) -> anyhow::Result<Vec<Allow>> {
        let mut lists = Vec::new();
        for text in &self.allow {
            match AllowArg::of(text) {
                AllowArg::List => {
                    check_values(text)?;
                    let list = Allow::parse(text);
                    lists.push(list.map_err(|error| usage(&format!("--allow {error}")))?);
                }
                AllowArg::Values(field, path) => {
                    let values = fs::read_to_string(path).with_context(|| {
                        format!("cannot read the values of {field} from {path}")
                    })?;
                    let list = Allow::read_values(field, &values, path);
                    lists.push(list.map_err(|error| usage(&error))?);
                }
                AllowArg::File => {
                    let file = fs::read_to_string(text)
                        .with_context(|| format!("cannot read {text} (or write FIELD=VALUE)"))?;
                    lists.extend(Allow::read(&file, text).map_err(|error| usage(&error))?);
                }
            }
        }
        Ok(lists)
    }

    /// The files that it reads beside its input.
    fn files_beside(&self) -> impl Iterator<Item = PathBuf> {
        let rules = self.rules.iter().filter(|set| !is_built_in(set)).cloned();
        let lists = self.allow.iter().filter_map(|text| match AllowArg::of(text) {
            AllowArg::List => None,
            AllowArg::Values(_, path) => Some(PathBuf::from(path)),
            AllowArg::File => Some(PathBuf::from(text)),
        });
        rules.chain(lists)
    }

    fn options(&self) -> DetectOptions {
        DetectOptions {
            time_field: self.time.clone(),
            emit: match (self.pass_through, self.annotate) {
                (_, true) => Emit::Scores,
                (true, false) => Emit::RowsAndAlerts,
                (false, false) => Emit::Alerts,
            },
            bounds: SeriesBounds { expire: self.expire, most: self.max_series },
        }
    }
}

/// Whether --rules names a built-in set and no file.
fn is_built_in(set: &Path) -> bool {
    set == Path::new("reference")
}

/// What --allow gives.
enum AllowArg<'a> {
    /// FIELD=VALUE,…
    List,
    /// FIELD=@FILE
    Values(&'a str, &'a str),
    /// FILE
    File,
}

impl<'a> AllowArg<'a> {
    fn of(text: &'a str) -> Self {
        match text.split_once('=') {
            None => Self::File,
            Some((field, values)) => values
                .trim_start()
                .strip_prefix('@')
                .map_or(Self::List, |path| Self::Values(field.trim(), path)),
        }
    }
}

/// Refuses the name of a file where a value is expected, which would silently
/// allow nothing.
fn check_values(text: &str) -> Result<(), UsageError> {
    let Some((field, values)) = text.split_once('=') else { return Ok(()) };
    let is_file = |value: &&str| value.contains(['.', '/']) && Path::new(value).is_file();
    match values.split(',').map(str::trim).find(is_file) {
        None => Ok(()),
        Some(file) => Err(usage(&format!(
            "--allow {text:?}: {file} is a file; write {field}=@{file} for the values in it"
        ))),
    }
}

fn usage(error: &dyn fmt::Display) -> UsageError {
    UsageError(error.to_string())
}

/// Reads a bound; what is beyond it alerts.
fn parse_bound(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| "write a number from 0 up".to_owned())
}

fn parse_share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "write a share from 0 to 1".to_owned())
}

fn parse_length(text: &str) -> Result<TimeDelta, String> {
    let length: TimeDelta = text.parse().map_err(|error| format!("{error}"))?;
    if length > TimeDelta::ZERO { Ok(length) } else { Err("it must be longer than 0s".to_owned()) }
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let mut detect = Detect::new(args.all_rules()?, &args.options());
        Run::new("detect", &args.io)
            .checkpoint(&args.checkpoint, cli::plan::<Args>)
            .files(&args.files)
            .defined_by(args.files_beside())
            .drive(&mut detect)
    })
}
