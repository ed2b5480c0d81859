//! Groups records by event time and aggregates each window.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use highwater_core::cli::{self, CheckpointArgs, Format, IoArgs, RowFormat, Run, UsageError};
use highwater_core::explain::{self, SparkJob};
use highwater_core::line::Projection;
use highwater_core::query::{Expr, Plan, QueryError, QueryFlags, builtin_names, builtins};
use highwater_core::sink::csv_columns;
use highwater_core::time::TimeDelta;
use highwater_core::window::{
    AdaptiveDelay, AheadLimits, Dedupe, Mode, Trigger, WatermarkPer, WindowError, WindowOperator,
    WindowOptions,
};

/// Aggregate records over event-time windows
///
/// Reads records and writes one row for each window and group as soon as the watermark (the
/// greatest event time so far, minus the delay) reaches the window's end. Records that come
/// after that are late: counted, and kept by --late. Without --watermark, or a
/// WATERMARK in the query, windows close at the end of the input.
#[derive(Debug, Parser)]
#[command(name = "window", version, max_term_width = 100)]
#[command(after_help = "Examples:
  parse access.log | window --size 1m --by status_code 'count(*) AS n, avg(bytes) AS size'
  parse app.json | window --query response_time --query error_rate --late late.ndjson
  window --input app.json --sql \"SELECT window, service, max(response_time) AS worst
      FROM logs WATERMARK timestamp DELAY OF INTERVAL 5 MINUTES
      GROUP BY window(timestamp, '1 minute'), service\"
  tail -F app.json | window --size 10s --watermark 2s 'count(*) AS n'

--query list names the built-in queries; --query log-analysis runs eight of them in one pass.")]
struct Args {
    /// What to compute, such as 'count(*) AS n, avg(bytes) AS mean'
    #[arg(value_name = "AGGREGATES")]
    select: Vec<String>,

    /// A built-in query's name or a file of SQL; may be repeated, all run in one pass
    #[arg(long, value_name = "NAME|FILE")]
    query: Vec<String>,

    /// A query as SQL text
    #[arg(long, value_name = "TEXT", conflicts_with = "query", allow_hyphen_values = true)]
    sql: Option<String>,

    #[command(flatten)]
    plan: PlanArgs,

    /// How far the watermark stays behind the greatest event time; overrides a query's own.
    /// Or adaptive:p99[,min=…,max=…], measured from the records' lateness
    #[arg(long, value_name = "DURATION", value_parser = parse_delay)]
    watermark: Option<Delay>,

    /// The field that holds the event time: RFC 3339, YYYY-MM-DD hh:mm:ss in UTC, or an epoch
    /// [default: timestamp]
    #[arg(long, value_name = "FIELD")]
    time: Option<String>,

    /// Keep late records, as they came, with `late_by` in seconds
    #[arg(long, value_name = "FILE")]
    late: Option<PathBuf>,

    /// Read these files, directories or patterns instead of stdin
    #[arg(long, value_name = "FILE")]
    input: Vec<PathBuf>,

    #[command(flatten)]
    run: RunArgs,

    /// The shape of the rows; a table is cut to the terminal, but not in a file or pipe
    #[arg(long, value_name = "FORMAT", default_value = "ndjson")]
    format: Format,

    /// Print what would be done, or with `spark` the same job as a PySpark program, and exit
    #[arg(long, value_name = "spark", num_args = 0..=1, default_missing_value = "")]
    explain: Option<String>,

    #[command(flatten)]
    io: IoArgs,

    #[command(flatten)]
    checkpoint: CheckpointArgs,
}

/// The parts of a query that are given as flags.
#[derive(clap::Args, Debug)]
struct PlanArgs {
    /// Length of a window, such as 30s or 5m; without it, totals over all input
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["query", "sql"])]
    size: Option<TimeDelta>,

    /// Distance between the starts of windows; without it, the size
    #[arg(long, value_name = "DURATION", requires = "size", conflicts_with_all = ["query", "sql"])]
    slide: Option<TimeDelta>,

    /// Shift of all windows against the epoch
    #[arg(long, value_name = "DURATION", requires = "size", conflicts_with_all = ["query", "sql"])]
    start: Option<TimeDelta>,

    /// Silence that ends a session; windows are then as long as each key stays active
    #[arg(long, value_name = "GAP", conflicts_with_all = ["query", "sql"])]
    session: Option<TimeDelta>,

    /// Keys to group by, such as `service,status_code`
    #[arg(long, value_name = "KEYS", conflicts_with_all = ["query", "sql"])]
    by: Vec<String>,

    /// Take only records for which this is true
    #[arg(long = "where", value_name = "EXPR", conflicts_with_all = ["query", "sql"])]
    filter: Option<String>,

    /// Print only rows for which this is true
    #[arg(long, value_name = "EXPR", conflicts_with_all = ["query", "sql"])]
    having: Option<String>,
}

/// How late data, clocks and output are treated.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Time and output")]
struct RunArgs {
    /// Correct closed windows by records that are late by up to this, with `revision`
    #[arg(long, value_name = "DURATION")]
    allowed_lateness: Option<TimeDelta>,

    /// Keep a greatest event time per value of a field, such as @source.partition; the least
    /// counts. With :N nothing closes before N values have been seen
    #[arg(long, value_name = "FIELD[:N]")]
    watermark_per: Option<WatermarkPer>,

    /// Go on without a value of --watermark-per, or without input, that is silent for so long
    #[arg(long, value_name = "DURATION")]
    idle_timeout: Option<TimeDelta>,

    /// Refuse records further ahead of the clock than this
    #[arg(long, value_name = "DURATION")]
    max_ahead: Option<TimeDelta>,

    /// Refuse records further ahead of the greatest event time than this; ten in a row, each
    /// within this of the one before it, are a real gap
    #[arg(long, value_name = "DURATION")]
    max_jump: Option<TimeDelta>,

    /// What becomes of records too far ahead; kept ones never move the watermark
    #[arg(long, value_name = "reject|keep", default_value = "reject")]
    ahead: Ahead,

    /// Drop records whose key, such as `request_id`, has been seen
    #[arg(long, value_name = "KEYS", requires = "dedupe_within")]
    dedupe: Vec<String>,

    /// How far apart the event times of duplicates may be
    #[arg(long, value_name = "DURATION", requires = "dedupe")]
    dedupe_within: Option<TimeDelta>,

    /// At most so many keys with an open window, per query; the rest in one row with `overflow`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_groups: Option<u64>,

    /// Print windows when they close, what has changed, or everything that is open
    #[arg(long, value_name = "append|update|complete", default_value = "append")]
    mode: ModeName,

    /// When update and complete print: every so often, or after N records [default: 10s]
    #[arg(long, value_name = "DURATION|count:N")]
    trigger: Option<Trigger>,

    /// Say in each row what closed its window: watermark, idle or end
    #[arg(long)]
    row_meta: bool,

    /// At the end of input close all windows, or keep them open for the next run with --checkpoint
    #[arg(long, value_name = "close|keep", default_value = "close")]
    at_end: AtEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Ahead {
    Reject,
    Keep,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ModeName {
    Append,
    Update,
    Complete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AtEnd {
    Close,
    Keep,
}

/// What `--watermark` says.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Delay {
    Fixed(TimeDelta),
    Adaptive(AdaptiveDelay),
}

fn parse_delay(text: &str) -> Result<Delay, String> {
    if text.starts_with("adaptive") {
        return text.parse().map(Delay::Adaptive).map_err(|error| format!("{error}"));
    }
    match text.parse::<TimeDelta>() {
        Ok(delay) if delay < TimeDelta::ZERO => Err("it must not be negative".to_owned()),
        Ok(delay) => Ok(Delay::Fixed(delay)),
        Err(error) => Err(error.to_string()),
    }
}

/// The event time's usual field, which the built-in queries name.
const TIME: &str = "timestamp";

fn main() -> ExitCode {
    cli::main(run)
}

#[allow(clippy::needless_pass_by_value, reason = "cli::main hands them over")]
fn run(mut args: Args) -> anyhow::Result<()> {
    let explain = take_explain(&mut args)?;
    if args.query.iter().any(|name| name == "list") {
        return cli::print(&(builtin_names().collect::<Vec<_>>().join("\n") + "\n"));
    }
    let mut projection = Projection::default();
    let plans = plans(&args, &mut projection)?;
    let time_field = plans.first().map_or(TIME, |plan| &plan.time_field).to_owned();
    let options = options(&args, &time_field, &mut projection)?;
    if let Some(explain) = explain {
        return print_plan(explain, &args, &plans, &projection, &options);
    }
    let format = row_format(args.format, &plans, &options)?;
    let names_time = text_names_time(&args, &plans);
    let mut operator = WindowOperator::new(plans, projection, options)
        .map_err(|error| UsageError(error.to_string()))?
        .with_time_named_by_query(names_time);
    Run::new("window", &args.io)
        .checkpoint(&args.checkpoint, cli::plan::<Args>)
        .files(&args.input)
        .defined_by(args.query.iter().filter(|query| is_query_file(query)).map(PathBuf::from))
        .late(args.late.as_deref())
        .format(format)
        .drive(&mut operator)
}

/// What the flags say beside the queries.
fn options(
    args: &Args,
    time_field: &str,
    projection: &mut Projection,
) -> anyhow::Result<WindowOptions> {
    let run = &args.run;
    let usage = |message: &str| anyhow::Error::from(UsageError(message.to_owned()));
    for (flag, length) in [
        ("--idle-timeout", run.idle_timeout),
        ("--max-ahead", run.max_ahead),
        ("--max-jump", run.max_jump),
    ] {
        if length.is_some_and(|length| length <= TimeDelta::ZERO) {
            return Err(usage(&format!("{flag} must be longer than 0s")));
        }
    }
    for (flag, length) in
        [("--allowed-lateness", run.allowed_lateness), ("--dedupe-within", run.dedupe_within)]
    {
        if length.is_some_and(|length| length < TimeDelta::ZERO) {
            return Err(usage(&format!("{flag} must not be negative")));
        }
    }
    if run.ahead == Ahead::Keep && run.max_ahead.is_none() && run.max_jump.is_none() {
        return Err(usage("--ahead keep goes with --max-ahead or --max-jump"));
    }
    if run.at_end == AtEnd::Keep && args.checkpoint.checkpoint.is_none() {
        return Err(usage("--at-end keep leaves windows to the next run: it needs --checkpoint"));
    }
    if args.late.as_deref() == Some(Path::new("-")) {
        return Err(usage("--late needs a file; stdout is for the rows"));
    }
    if run.trigger.is_some() && run.mode == ModeName::Append {
        return Err(usage(
            "--trigger goes with --mode update or complete; append prints at closing",
        ));
    }
    let mut keys = Vec::new();
    for key in run.dedupe.iter().flat_map(|keys| keys.split(',')) {
        let key = Expr::compile(key.trim(), "--dedupe", time_field, projection);
        keys.push(key.map_err(|error| UsageError(error.to_string()))?);
    }
    Ok(WindowOptions {
        allowed_lateness: run.allowed_lateness,
        adaptive: match args.watermark {
            Some(Delay::Adaptive(adaptive)) => Some(adaptive),
            _ => None,
        },
        watermark_per: run.watermark_per.clone(),
        idle_timeout: run.idle_timeout,
        ahead: AheadLimits {
            max_ahead: run.max_ahead,
            max_jump: run.max_jump,
            keep: run.ahead == Ahead::Keep,
        },
        dedupe: run.dedupe_within.map(|within| Dedupe { keys, within }),
        max_groups: run.max_groups.map(|groups| groups as usize),
        mode: match run.mode {
            ModeName::Append => Mode::Append,
            ModeName::Update => Mode::Update,
            ModeName::Complete => Mode::Complete,
        },
        trigger: run.trigger.unwrap_or_default(),
        row_meta: run.row_meta,
        keep_at_end: run.at_end == AtEnd::Keep,
    })
}

/// How the rows of these plans are printed.
fn row_format(
    format: Format,
    plans: &[Plan],
    options: &WindowOptions,
) -> anyhow::Result<RowFormat> {
    Ok(match format {
        Format::Ndjson => RowFormat::Ndjson,
        Format::Table => RowFormat::Table {
            named: plans.iter().any(|plan| plan.name.is_some()),
            redraws: options.mode == Mode::Complete,
        },
        Format::Csv => RowFormat::Csv(
            csv_columns(plans, options).map_err(|error| UsageError(error.to_string()))?,
        ),
    })
}

/// What `--explain` prints.
#[derive(Clone, Copy, Debug)]
enum Explain {
    Text,
    Spark,
}

/// Reads `--explain`. Its value may be left out, so what stands behind it may
/// be an aggregate.
fn take_explain(args: &mut Args) -> anyhow::Result<Option<Explain>> {
    let Some(value) = args.explain.take() else { return Ok(None) };
    match value.as_str() {
        "" => return Ok(Some(Explain::Text)),
        "spark" => return Ok(Some(Explain::Spark)),
        _ if args.query.is_empty() && args.sql.is_none() => args.select.insert(0, value),
        _ => return Err(UsageError(format!("--explain {value}: expected spark or nothing")).into()),
    }
    Ok(Some(Explain::Text))
}

fn print_plan(
    explain: Explain,
    args: &Args,
    plans: &[Plan],
    projection: &Projection,
    options: &WindowOptions,
) -> anyhow::Result<()> {
    if plans.is_empty() {
        return Err(UsageError(WindowError::NoQuery.to_string()).into());
    }
    let input: Vec<_> = args.input.iter().map(|path| path.display().to_string()).collect();
    cli::print(&match explain {
        Explain::Text => explain::explain(plans, projection, options),
        Explain::Spark => explain::spark(&SparkJob { plans, projection, options, input: &input }),
    })
}

fn plans(args: &Args, projection: &mut Projection) -> anyhow::Result<Vec<Plan>> {
    if let Some(text) = args.select.first()
        && (args.sql.is_some() || !args.query.is_empty())
    {
        let message = format!("aggregates ({text}) do not go with --query or --sql");
        return Err(misplaced(&args.select, text, message).into());
    }
    let watermark = match args.watermark {
        Some(Delay::Fixed(delay)) => Some(delay),
        _ => None,
    };
    let time = args.time.as_deref().unwrap_or(TIME);
    let mut plans: Vec<Plan> = Vec::new();
    for (name, text) in texts(args)? {
        let plan = Plan::compile(&text, name.as_deref(), time, projection);
        let mut plan = plan.map_err(|error| UsageError(error.to_string()))?;
        if args.time.as_ref().is_some_and(|time| *time != plan.time_field) {
            let field = &plan.time_field;
            return Err(UsageError(format!("--time {time}, but the query says {field}")).into());
        }
        if plans.iter().any(|other| name.is_some() && other.name == name) {
            let name = name.unwrap_or_default();
            return Err(UsageError(format!("query {name} is given twice")).into());
        }
        plan.delay = watermark.or(plan.delay);
        plans.push(plan);
    }
    if !args.select.is_empty() {
        let flags = QueryFlags {
            select: &args.select,
            size: args.plan.size,
            slide: args.plan.slide,
            start: args.plan.start,
            session: args.plan.session,
            watermark,
            by: &args.plan.by,
            filter: args.plan.filter.as_deref(),
            having: args.plan.having.as_deref(),
            time_field: time,
        };
        plans.push(flags.compile(projection).map_err(|error| flags_error(&args.select, &error))?);
    }
    Ok(plans)
}

/// Whether a query's own text says which field is the time.
fn text_names_time(args: &Args, plans: &[Plan]) -> bool {
    let has_text = args.sql.is_some() || args.query.iter().any(|query| is_query_file(query));
    let has_clause =
        |plan: &Plan| plan.window.is_some() || (plan.delay.is_some() && args.watermark.is_none());
    has_text && plans.iter().any(has_clause)
}

/// Whether `--query` gives a file and not the name of a built-in query.
fn is_query_file(query: &str) -> bool {
    query.contains('/') || Path::new(query).extension().is_some_and(|extension| extension == "sql")
}

/// The error about an aggregate. What is wrong may be that a file to read
/// stands among the aggregates, as other commands have it.
fn misplaced(select: &[String], wrong: &str, mut message: String) -> UsageError {
    if let Some(file) = select.iter().find(|text| Path::new(text).exists()) {
        return UsageError(format!(
            "{file} is a file and no aggregate: read it with --input {file}"
        ));
    }
    if looks_like_path(wrong) {
        let _ = write!(message, "\nif this is a file to read: --input {wrong}");
    }
    UsageError(message)
}

/// The error of a query given as flags.
fn flags_error(select: &[String], error: &QueryError) -> UsageError {
    let wrong = if select.contains(&error.text) { &error.text } else { "" };
    misplaced(select, wrong, error.to_string())
}

fn looks_like_path(text: &str) -> bool {
    const ENDINGS: [&str; 8] = ["json", "ndjson", "jsonl", "log", "txt", "csv", "gz", "zst"];
    let is_rooted = ["/", "./", "../", "~/"].iter().any(|start| text.starts_with(start));
    let ending = Path::new(text).extension().and_then(OsStr::to_str);
    let is_file = ending.is_some_and(|ending| ENDINGS.contains(&ending));
    !text.contains(['(', ' ', ',']) && (is_rooted || is_file)
}

/// A built-in query's text with the time field that `--time` names.
fn timed(args: &Args, text: &str) -> String {
    match &args.time {
        Some(time) if time != TIME => text.replace(TIME, &format!("`{time}`")),
        _ => text.to_owned(),
    }
}

/// The names and texts of the queries that are given as SQL.
fn texts(args: &Args) -> anyhow::Result<Vec<(Option<String>, String)>> {
    let mut texts: Vec<_> = args.sql.iter().map(|text| (None, text.clone())).collect();
    for query in &args.query {
        let path = Path::new(query);
        if is_query_file(query) {
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {query}"))?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            texts.push((Some(name), text));
        } else {
            let known = builtins(query).map_err(|error| UsageError(error.to_string()))?;
            texts.extend(
                known.iter().map(|&(name, text)| (Some(name.to_owned()), timed(args, text))),
            );
        }
    }
    Ok(texts)
}
