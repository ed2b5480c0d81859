//! Makes test streams with known truth.
#![allow(clippy::doc_markdown, reason = "the docs of arguments are help texts")]

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use highwater_core::cli::{self, Making, Pacer, ProgressWhen, UsageError};
use highwater_core::stream::Output;
use highwater_core::synth::{
    Amount, Anomaly, Config, Duplicate, FutureClock, Generator, Late, LineFormat, Rate, Share,
    Skew, Stream,
};
use highwater_core::time::{TimeDelta, Timestamp};

/// Make a test stream with known truth
///
/// Writes made-up records to stdout, one a line. Nothing sleeps without --speed: --rate spaces
/// event times. The same flags, --seed and --start give the same bytes on every machine.
#[derive(Debug, Parser)]
#[command(name = "produce-synthetic", version, max_term_width = 100)]
#[command(after_help = AFTER_HELP)]
struct Args {
    /// What to make
    #[arg(value_name = "STREAM")]
    stream: Kind,

    /// How lines are spelled; apache and nginx only for logs
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    format: FormatName,

    /// So many ordinary records; what anomalies add comes on top [default: 1000]
    #[arg(long, value_name = "N", conflicts_with = "duration")]
    count: Option<u64>,

    /// Records for so long, in event time
    #[arg(long, value_name = "DURATION")]
    duration: Option<TimeDelta>,

    /// Ordinary records a second of event time [default: 50 logs, 10 events]
    #[arg(long, value_name = "RATE")]
    rate: Option<Rate>,

    /// Chooses another stream of the same kind
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Event time of the first record, such as 2025-09-12T00:00:00Z [default: the beginning of
    /// the present minute; late-data and with --speed: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    start: Option<Timestamp>,

    /// Write each line when it is due by the clock: 1 is real time, 10 ten times as fast
    #[arg(long, value_name = "X", value_parser = parse_speed)]
    speed: Option<f64>,

    /// Number of services in logs: auth, gateway, catalog and so on [default: 8]
    #[arg(long, value_name = "N")]
    services: Option<u16>,

    /// Number of users: user_001 and so on [default: 10 for each record a second, at least 100]
    #[arg(long, value_name = "N")]
    users: Option<u32>,

    /// Shuffle the order of arrival, so that no record is further behind the greatest event time
    /// before it
    #[arg(long, value_name = "DURATION")]
    out_of_order: Option<TimeDelta>,

    /// Hold this share of the records back, until they are this late: 2%:1m..20m
    #[arg(long, value_name = "SHARE:MIN..MAX")]
    late: Option<Late>,

    /// Inject an anomaly (repeatable): KIND@OFFSET+LENGTH[,key=value…]
    #[arg(long = "anomaly", value_name = "ANOMALY")]
    anomalies: Vec<Anomaly>,

    #[command(flatten)]
    faults: Faults,

    /// Write what was injected: each anomaly, and each late, duplicate, malformed and future
    /// record by its line
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,

    /// Draw progress on stderr
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    progress: ProgressWhen,
}

/// So many lines are made between two looks at the clock.
const LOOK: u64 = 256;

/// What goes wrong between the sources and the reader.
#[derive(clap::Args, Debug)]
struct Faults {
    /// Send this share of the records a second time, byte for byte, before event time has
    /// advanced by DELAY: 1% or 1%:1m [default DELAY: 10s]
    #[arg(long, value_name = "SHARE[:DELAY]")]
    duplicate: Option<Duplicate>,

    /// Before this share of the records put a broken line; the records stay
    #[arg(long, value_name = "SHARE")]
    malformed: Option<Share>,

    /// Let this share of the records come from clocks that are ahead: 0.1%:1d
    #[arg(long, value_name = "SHARE:AHEAD")]
    future_clock: Option<FutureClock>,

    /// Begin each record with "@source", as if read from a Kafka topic with so many partitions;
    /// the hash of user_id chooses one
    #[arg(long, value_name = "N")]
    partitions: Option<u16>,

    /// Read the partitions at different speeds: when the first has been read, the last is LAG
    /// behind, such as 10m, or 10% of the stream [default LAG: 10%]
    #[arg(long, value_name = "LAG", num_args = 0..=1, default_missing_value = "10%")]
    skew: Option<Skew>,

    /// Let a partition fall silent at half of the stream; its users go on in the others
    #[arg(long)]
    idle_partition: bool,
}

const AFTER_HELP: &str = "\
Anomalies, their keys (with defaults), and the rule that should find them:
  error-spike    service, rate=60%                        error_rate_spike
  latency        service, factor=5                        response_time_anomaly
  ddos           ip_address, per_minute=300, users=2,     ddos (and user_burst for those users)
                 service
  suspicious-ip  ip_address, per_minute=600               suspicious_ip
  user-burst     user_id, per_minute=30 (logs, events)    user_burst
  silence        service                                  (none of the reference's rules)
Services, addresses and users that are not given depend on the place among the anomalies. A short
attack is denser, so that it is found in whatever windows it falls. latency is found after
three minutes of stream.

Malformed lines, in turn, and why parse rejects them: cut (invalid_json), text (no_match; for
window and parse --format json invalid_json), no-time (no_timestamp), bad-time and wrong-type
(bad_timestamp), bad-utf8 (invalid_utf8). A record is only one of late, duplicate and future.
parse and window take records with \"@source\" as they are; ingest rejects them (reserved_key).

In text formats the lines take turns without bad-utf8, and the reasons are those of parse with
the format named: no_match for cut and text, in access logs for no-time too. Access logs have
times to the second, so there a watermark waits one second longer.

Without anomalies, ddos, suspicious_ip and user_burst have nothing to find while there are at
least 10 users for each record a second (the default). error_rate_spike needs 20 records a second
for 8 services, else a few errors are a spike.

Examples:
  produce-synthetic logs --duration 2h --start 2025-09-12T00:00:00Z > logs.ndjson
  produce-synthetic logs --duration 2h --anomaly error-spike@20m+3m,service=auth \\
      --anomaly ddos@1h+2m --truth truth.ndjson | window --query log-analysis | detect
  produce-synthetic logs --duration 2h --out-of-order 30s --late 2%:1m..20m --truth truth.ndjson |
      window --query error_rate --watermark 30s --late late.ndjson
  produce-synthetic logs --duration 2h --malformed 1% --truth truth.ndjson |
      parse --rejects rejects.ndjson > logs.ndjson
  produce-synthetic logs --duration 2h --partitions 4 --skew 10m --idle-partition --duplicate 1% \\
      --future-clock 0.1%:1d --truth truth.ndjson > faults.ndjson
  produce-synthetic logs --duration 1h --speed 1 --format nginx --out-of-order 5s |
      parse --format nginx | window --size 10s --watermark 6s 'count(*) AS n'
  produce-synthetic logs --format apache | parse --format apache --rename vhost=service |
      window --query error_rate
  produce-synthetic events --count 1000 --rate 10 --users 5 | window --query action_metrics";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// Requests to services: the ten fields of the log schema
    Logs,
    /// Actions of users: timestamp, user_id, action, value, session_id, ip_address
    Events,
    /// Three clicks: of now, 5 and 15 minutes old
    LateData,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatName {
    /// JSON in normal form
    Json,
    /// Apache's vhost_combined; the virtual host is the service
    Apache,
    /// nginx's combined, with rt= and the response time behind it
    Nginx,
    /// Pairs of key and value: time=… level=… msg="…"
    Logfmt,
    /// Syslog of RFC 5424, with structured data
    Syslog,
}

impl From<FormatName> for LineFormat {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Json => Self::Json,
            FormatName::Apache => Self::Apache,
            FormatName::Nginx => Self::Nginx,
            FormatName::Logfmt => Self::Logfmt,
            FormatName::Syslog => Self::Syslog,
        }
    }
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let mut generator =
            Generator::new(&args.config()?).map_err(|error| UsageError(error.to_string()))?;
        let making = Making::new("produce-synthetic", args.progress);
        produce(&mut generator, args.speed, args.truth.as_deref(), making)
    })
}

impl Args {
    fn config(&self) -> anyhow::Result<Config> {
        if matches!(self.stream, Kind::LateData) {
            self.check_late_data()?;
            let start = self.start.map_or_else(now, Ok)?;
            let format = self.format.into();
            return Ok(Config { format, ..Config::new(Stream::LateData, start) });
        }
        let stream = match self.stream {
            Kind::Events => Stream::Events,
            Kind::Logs | Kind::LateData => Stream::Logs,
        };
        let start = match self.start {
            Some(start) => start,
            None if self.speed.is_some() => now()?,
            None => minute_of(now()?),
        };
        let default = Config::new(stream, start);
        let amount = match (self.count, self.duration) {
            (Some(count), _) => Amount::Records(count),
            (None, Some(duration)) => Amount::Duration(duration),
            (None, None) => default.amount,
        };
        Ok(Config {
            format: self.format.into(),
            seed: self.seed,
            amount,
            rate: self.rate,
            services: self.services.unwrap_or(default.services),
            users: self.users,
            out_of_order: self.out_of_order.unwrap_or_default(),
            late: self.late,
            anomalies: self.anomalies.clone(),
            duplicate: self.faults.duplicate,
            malformed: self.faults.malformed,
            future_clock: self.faults.future_clock,
            partitions: self.faults.partitions,
            skew: self.faults.skew,
            idle_partition: self.faults.idle_partition,
            ..default
        })
    }

    /// Refuses flags that would have no effect.
    fn check_late_data(&self) -> Result<(), UsageError> {
        let given = [
            ("--count", self.count.is_some()),
            ("--duration", self.duration.is_some()),
            ("--rate", self.rate.is_some()),
            ("--speed", self.speed.is_some()),
            ("--services", self.services.is_some()),
            ("--users", self.users.is_some()),
            ("--out-of-order", self.out_of_order.is_some()),
            ("--late", self.late.is_some()),
            ("--anomaly", !self.anomalies.is_empty()),
            ("--duplicate", self.faults.duplicate.is_some()),
            ("--malformed", self.faults.malformed.is_some()),
            ("--future-clock", self.faults.future_clock.is_some()),
            ("--partitions", self.faults.partitions.is_some()),
            ("--skew", self.faults.skew.is_some()),
            ("--idle-partition", self.faults.idle_partition),
        ];
        match given.iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((flag, _)) => Err(UsageError(format!(
                "late-data is always the same three events; {flag} has no meaning for it"
            ))),
        }
    }
}

/// Writes the whole stream, and the truth about it where that is wanted.
fn produce(
    generator: &mut Generator,
    speed: Option<f64>,
    truth: Option<&Path>,
    mut making: Making,
) -> anyhow::Result<()> {
    let stdout = io::stdout().as_fd().try_clone_to_owned().context("cannot use stdout")?;
    let mut out = Output::new(making.sink(File::from(stdout)), Box::new(|_| {}));
    let mut truth = truth.map(Truth::create).transpose()?;
    let mut pacer = Pacer::new(speed)?;
    let (mut line, mut known) = (Vec::new(), Vec::new());
    let written = loop {
        line.clear();
        known.clear();
        if !generator.next_line(&mut line, &mut known) {
            break out.flush();
        }
        match pacer.wait_for(generator.arrival(), &mut out) {
            Ok(true) => {}
            Ok(false) => break out.flush(),
            Err(error) => break Err(error),
        }
        if let Err(error) = out.copy_row(&line) {
            break Err(error);
        }
        if speed.is_some() || generator.lines().is_multiple_of(LOOK) {
            making.show(generator.share(), &out.stats);
        }
        if let Some(truth) = &mut truth {
            truth.write(&known)?;
        }
    };
    if let Some(truth) = truth {
        truth.finish()?;
    }
    match written {
        Err(error) if !error.is_reader_gone() => Err(error.into()),
        // A reader that has seen enough, such as `head`, is no error.
        _ => {
            making.close(&out.stats);
            Ok(())
        }
    }
}

/// The truth file.
struct Truth {
    name: String,
    file: BufWriter<File>,
}

impl Truth {
    fn create(path: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let file = File::create(path).with_context(|| format!("cannot create {name}"))?;
        Ok(Self { name, file: BufWriter::new(file) })
    }

    fn write(&mut self, lines: &[u8]) -> anyhow::Result<()> {
        let written = self.file.write_all(lines);
        self.explain(written)
    }

    fn finish(mut self) -> anyhow::Result<()> {
        let written = self.file.flush();
        self.explain(written)
    }

    fn explain(&self, written: io::Result<()>) -> anyhow::Result<()> {
        written.with_context(|| format!("cannot write to {}", self.name))
    }
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text.as_bytes())
        .ok_or_else(|| "it is no time; write it like 2025-09-12T00:00:00Z".to_owned())
}

fn parse_speed(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(speed) if speed > 0.0 && f64::is_finite(speed) => Ok(speed),
        _ => Err("it is no speed; write it like 1, 10 or 0.5".to_owned()),
    }
}

fn now() -> anyhow::Result<Timestamp> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    Ok(Timestamp::from_micros(i64::try_from(since.as_micros())?))
}

fn minute_of(time: Timestamp) -> Timestamp {
    const MINUTE: i64 = 60_000_000;
    Timestamp::from_micros(time.micros - time.micros.rem_euclid(MINUTE))
}
