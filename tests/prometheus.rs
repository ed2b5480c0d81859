//! What is exported and deployed, against real Prometheus servers.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::ops::RangeInclusive;
use std::path::Path;

use highwater_core::time::Timestamp;
use serde_json::{Value, json};
use support::process::{End, Live};
use support::prometheus::{
    Prometheus, Samples, Targets, deployed, described, get, is_wanted, node_exporter, now,
    promtool, pushgateway, wait_for,
};
use support::rows;
use support::stages::{DETECT, EXPORT, PARSE, Stage, WINDOW};

const LOG_ANALYSIS: Stage =
    Stage { args: &["--query", "log-analysis", "--query", "latency"], ..WINDOW };
const RULES: Stage = Stage {
    args: &["--rules", "reference", "--rule", "surprise", "--rule", "silence", "--pass-through"],
    ..DETECT
};

/// The dashboard.
fn dashboard() -> Value {
    let text = fs::read_to_string(deployed("grafana/dashboards/log-analysis.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The dashboard's panels: title and expressions.
fn panel_expressions() -> Vec<(String, String)> {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let title = |panel: &Value| panel["title"].as_str().unwrap().to_owned();
    let expressions = panels.iter().flat_map(|panel| {
        let targets = panel["targets"].as_array().unwrap().iter();
        targets.map(move |target| (title(panel), target["expr"].as_str().unwrap().to_owned()))
    });
    expressions.collect()
}

#[test]
fn the_dashboard_is_one_that_grafana_takes() {
    let dashboard = dashboard();
    assert_eq!(dashboard["title"], "Real-time Log Analysis Dashboard");
    assert_eq!(dashboard["uid"], "highwater-log-analysis");
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 41, "Grafana 12");

    // All panels ask the data source that a variable names, and that is the one provisioned.
    let variable = &dashboard["templating"]["list"][0];
    assert_eq!(
        (&variable["name"], &variable["type"]),
        (&json!("datasource"), &json!("datasource"))
    );
    let uid = variable["current"]["value"].as_str().unwrap();
    let provisioned =
        fs::read_to_string(deployed("grafana/provisioning/datasources/highwater.yaml")).unwrap();
    assert!(provisioned.lines().any(|line| line.trim() == format!("uid: {uid}")), "{provisioned}");
    let source = json!({"type": "prometheus", "uid": "${datasource}"});

    let panels = dashboard["panels"].as_array().unwrap();
    let titles: Vec<_> = panels.iter().map(|panel| panel["title"].as_str().unwrap()).collect();
    assert_eq!(
        titles,
        [
            "System Health Score",
            "Response Time Trends",
            "Error Rate",
            "Request Volume",
            "Anomaly Alerts",
            "95th Percentile of Response Time",
            "Late Records",
            "Watermark Lag",
            "Rejected Records",
            "Staleness"
        ]
    );
    let mut ids = BTreeSet::new();
    let mut cells = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "an id twice: {panel}");
        assert_eq!(panel["datasource"], source, "{panel}");
        assert!(["stat", "timeseries", "table"].contains(&panel["type"].as_str().unwrap()));
        assert!(panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{panel}");
        let place = |side: &str| panel["gridPos"][side].as_u64().unwrap();
        assert!(place("w") > 0 && place("h") > 0 && place("x") + place("w") <= 24, "{panel}");
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(cells.insert((x, y)), "{} overlaps another panel", panel["title"]);
            }
        }
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{panel}");
        for target in targets {
            assert_eq!(target["datasource"], source, "{panel}");
            assert!(target["expr"].as_str().is_some_and(|text| !text.is_empty()), "{panel}");
            assert!(target["refId"].is_string(), "{panel}");
        }
    }
}

#[test]
fn promtool_has_no_complaint() {
    if !is_wanted("promtool_has_no_complaint") {
        return;
    }
    let path = |name: &str| deployed(name).to_str().unwrap().to_owned();
    let checked = promtool(&["check", "config", &path("prometheus.yml")], "").success();
    assert!(checked.stdout.contains("1 rule files found"), "{checked}");
    promtool(&["test", "rules", &path("rules.test.yml")], "").success();

    let (rows, _) = analysed(&logs(LOGS, start()), &[]);
    let export = EXPORT.run(&[], [alarming_rows(start()), rows].concat()).success();
    let checked = promtool(&["check", "metrics"], &export.stdout);
    // The names that the reference has.
    let complaints = checked.stderr.lines().filter(|line| {
        let (name, complaint) = line.split_once(' ').unwrap_or((line, ""));
        !(name.ends_with("_count")
            && complaint.starts_with("non-histogram and non-summary metrics should not have")
            || name == "anomaly_count" && complaint.starts_with("counter metrics should have"))
    });
    let complaints: Vec<_> = complaints.collect();
    assert!(complaints.is_empty(), "{complaints:#?}\n{checked}");
    assert!(export.stdout.contains("health_score"), "{export}");
}

#[test]
fn compose_takes_its_file() {
    if !support::servers_are_wanted("compose_takes_its_file", "docker-compose") {
        return;
    }
    let file = deployed("compose.yaml");
    let args = ["-f", file.to_str().unwrap(), "config"];
    let config = support::run("docker-compose", args, b"").success();
    for (host, mounted) in [
        ("prometheus.yml", "/etc/prometheus/prometheus.yml"),
        ("rules", "/etc/prometheus/rules"),
        ("metrics", "/metrics"),
        ("grafana/provisioning/datasources", "/etc/grafana/provisioning/datasources"),
        ("grafana/provisioning/dashboards", "/etc/grafana/provisioning/dashboards"),
        ("grafana/dashboards", "/var/lib/grafana/dashboards"),
    ] {
        // Spelled by some versions in one line, by others in three.
        let host = deployed(host);
        assert!(host.exists(), "{}", host.display());
        let is_mounted = |path: &str| config.stdout.contains(path);
        assert!(is_mounted(host.to_str().unwrap()) && is_mounted(mounted), "{mounted}\n{config}");
    }
}

/// How many good records [`logs`] has; a record is late after each ten, and two lines cannot be
/// used after each twenty.
const LOGS: usize = 800;

/// An hour ago, at the beginning of five minutes: long enough for what follows to be stale.
fn start() -> i64 {
    (now() as i64 - 3_600) / 300 * 300
}

fn timestamp(seconds: i64) -> String {
    Timestamp::from_micros(seconds * 1_000_000).to_string()
}

/// Log lines from `start` on, one a second: three services, one request in five failing.
fn logs(records: usize, start: i64) -> String {
    let mut text = String::new();
    for number in 0..records {
        let mut record = |time: i64| {
            let service = ["auth", "cart", "wèb \"2\""][number % 3];
            let line = json!({
                "timestamp": timestamp(time),
                "level": "INFO",
                "service": service,
                "ip_address": format!("192.0.2.{}", number % 50),
                "user_id": format!("user_{:03}", number % 70),
                // The same each minute: nothing that detect would have to say.
                "response_time": 0.05 + 0.01 * (number % 60 * 7 % 23) as f64,
                "status_code": if number % 5 == 0 { 500 } else { 200 },
            });
            writeln!(text, "{line}").unwrap();
        };
        record(start + number as i64);
        if number % 10 == 9 {
            // Before any window that is open for the first of them.
            record(start - 900);
        }
        if number % 20 == 19 {
            text.push_str("no record at all\n{\"level\":\"INFO\"}\n");
        }
    }
    text
}

/// The rows of all queries, and what was late; `stats` are arguments for `parse` and `window`.
fn analysed(logs: &str, stats: &[[&str; 2]]) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let late = folder.path().join("late");
    let stats = |stage: usize| stats.get(stage).map_or(&[][..], |args| &args[..]);
    let records = PARSE.run(stats(0), logs).success();
    let args = [&["--late", late.to_str().unwrap()], stats(1)].concat();
    let rows = LOG_ANALYSIS.run(&args, records.stdout).success();
    (rows.stdout, fs::read_to_string(late).unwrap())
}

/// Rows of which each built-in rule has something to say, in windows that end at `end` or before.
fn alarming_rows(end: i64) -> String {
    let window = |minute: i64, minutes: i64| {
        let time = |minute: i64| timestamp(end - 24_000 + 60 * minute);
        json!({"start": time(minute), "end": time(minute + minutes)})
    };
    let mut all = Vec::new();
    for minute in 0..400 {
        let mean = if minute == 399 { 9.0 } else { 0.1 + 0.001 * (minute * 7 % 11) as f64 };
        all.push(json!({"query": "response_time", "window": window(minute, 1), "service": "shop",
            "request_count": 10, "avg_response_time": mean}));
    }
    for (minute, rate) in [(0, 1.0), (1, 31.0)] {
        all.push(json!({"query": "error_rate", "window": window(minute, 1), "service": "shop",
            "total_requests": 100, "error_count": rate, "error_rate": rate}));
    }
    for minute in 0..2 {
        all.push(json!({"query": "ip_patterns", "window": window(5 * minute, 5),
            "ip_address": "192.0.2.7", "request_count": 1500, "unique_users": 3,
            "services_used": ["a", "b", "c", "d", "e", "f"]}));
        all.push(json!({"query": "ddos", "window": window(minute, 1), "ip_address": "192.0.2.7",
            "request_count": 150, "unique_users": 3}));
    }
    all.push(json!({"query": "user_burst", "window": window(0, 5), "user_id": "u\"1\"",
        "event_count": 60, "total_value": 1}));
    all.push(json!({"query": "late_alert", "user_id": "u", "late_event_count": 6}));
    for minute in 0..5 {
        for service in ["shop", "gone"] {
            if service == "shop" || minute < 3 {
                all.push(json!({"query": "sla", "window": window(minute, 1), "service": service,
                    "total_requests": 5}));
            }
        }
    }
    let mut text = String::new();
    for row in all {
        writeln!(text, "{row}").unwrap();
    }
    text
}

/// What was fed, and the figures that must come of it.
struct Fed {
    rows: Vec<Value>,
    /// Of the stages, over the time in which two scrapes see them grow.
    late: BTreeMap<String, f64>,
    /// The greatest event time.
    newest: i64,
}

/// What an expression must give.
enum Expected {
    Exactly(Samples),
    /// Counters are extrapolated to the ends of the time that they are looked at.
    Within(&'static str, RangeInclusive<f64>),
}

impl Fed {
    /// The newest row of each service, or of all, for a query.
    fn newest(&self, query: &str) -> BTreeMap<String, &Value> {
        let mut newest: BTreeMap<String, &Value> = BTreeMap::new();
        for row in self.rows.iter().filter(|row| row["query"] == query) {
            let service = row["service"].as_str().unwrap_or_default().to_owned();
            let kept = newest.entry(service).or_insert(row);
            if row["window"]["end"].as_str() >= kept["window"]["end"].as_str() {
                *kept = row;
            }
        }
        newest
    }

    /// A field of the newest row of each service.
    fn by_service(&self, query: &str, field: &str) -> Samples {
        let newest = self.newest(query).into_iter();
        let sample = |(service, row): (String, &Value)| {
            row[field].as_f64().map(|value| (format!("service={service}"), value))
        };
        newest.filter_map(sample).collect()
    }

    /// How many alerts there are, by their labels.
    fn alerts(&self) -> Samples {
        let mut counts = Samples::new();
        for alert in self.rows.iter().filter(|row| row["alert"].is_string()) {
            let labels: BTreeMap<String, String> = alert
                .as_object()
                .unwrap()
                .iter()
                .filter(|(name, _)| !matches!(name.as_str(), "reason" | "ip_address" | "user_id"))
                .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                .collect();
            *counts.entry(described(&labels)).or_default() += 1.0;
        }
        counts
    }

    fn alerts_of(&self, rule: &str) -> Samples {
        let mut counts = self.alerts();
        counts.retain(|labels, _| labels.split(',').any(|label| label == format!("alert={rule}")));
        assert!(!counts.is_empty(), "{rule} found nothing");
        counts
    }

    /// How long before `time` the newest exported window of each query ended.
    fn staleness(&self, time: f64) -> Samples {
        let mut ends: BTreeMap<&str, &str> = BTreeMap::new();
        for row in &self.rows {
            let is_by_user = row.get("ip_address").is_some() || row.get("user_id").is_some();
            if let (Some(query), Some(end), false) =
                (row["query"].as_str(), row["window"]["end"].as_str(), is_by_user)
                && row["alert"].is_null()
            {
                let newest = ends.entry(query).or_insert(end);
                *newest = end.max(newest);
            }
        }
        ends.into_iter()
            .map(|(query, end)| (format!("query={query}"), time - seconds(end)))
            .collect()
    }

    /// How long before `time` the newest window of each query ends: the end of
    /// the input has closed it, and that is where event time stands.
    fn watermark_lag(&self, time: f64) -> Samples {
        let five_minutes = ["ip_patterns", "user_activity"];
        let lag = |query: &String| {
            let size = if five_minutes.contains(&query.as_str()) { 300 } else { 60 };
            let end = (self.newest / size + 1) * size;
            (format!("query={query},stage=window"), time - end as f64)
        };
        self.late.keys().map(lag).collect()
    }

    /// The share of late records of each query, of 1.
    fn late_share(&self, whole: f64) -> Samples {
        let share = |(query, share): (&String, &f64)| (format!("query={query}"), whole * share);
        self.late.iter().map(share).collect()
    }

    /// What a panel of the dashboard, or a rule, must give at `time`.
    fn expected(&self, name: &str, time: f64) -> Expected {
        let one = |labels: &str, value: f64| Samples::from([(labels.to_owned(), value)]);
        let above = |samples: Samples, limit: f64| {
            samples.into_iter().filter(|(_, value)| *value > limit).collect::<Samples>()
        };
        let health = || self.newest("system_health")[""]["health_score"].as_f64().unwrap();
        Expected::Exactly(match name {
            "System Health Score" | "HealthLow" => one("", health()),
            "Response Time Trends" => self.by_service("response_time", "avg_response_time"),
            "Error Rate" => self.by_service("error_rate", "error_rate"),
            "ErrorRateHigh" => above(self.by_service("error_rate", "error_rate"), 10.0),
            "Request Volume" => {
                let mut greatest = Samples::new();
                for query in ["response_time", "service_popularity", "latency"] {
                    for (service, count) in self.by_service(query, "request_count") {
                        let known = greatest.entry(service).or_default();
                        *known = known.max(count);
                    }
                }
                one("", greatest.values().sum())
            }
            "Anomaly Alerts" | "anomaly_count:new5m" => self.alerts(),
            "95th Percentile of Response Time" => self.by_service("latency", "p95_response_time"),
            "Late Records" => self.late_share(100.0),
            "LateRecords" => self.late_share(1.0),
            "Watermark Lag" | "WatermarkLag" => self.watermark_lag(time),
            "Staleness" => self.staleness(time),
            "DataStale" => above(self.staleness(time), 900.0),
            // Of each 20 good records, with their late ones, two lines are no record.
            "Rejected Records" => ["no_match", "no_timestamp"]
                .iter()
                .map(|reason| (format!("reason={reason},stage=parse"), 100.0 / 24.0))
                .collect(),
            "RejectedRecords" => one("stage=parse", 2.0 / 24.0),
            "ResponseTimeAnomaly" => self.alerts_of("response_time_anomaly"),
            "ErrorRateSpike" => self.alerts_of("error_rate_spike"),
            "SuspiciousIp" => self.alerts_of("suspicious_ip"),
            "Ddos" => self.alerts_of("ddos"),
            "UserBurst" => self.alerts_of("user_burst"),
            "LateData" => self.alerts_of("late_data"),
            "Surprise" => self.alerts_of("surprise"),
            "Silence" => self.alerts_of("silence"),
            // Three more, and what is extrapolated to the ends of the five minutes.
            "SeriesRefused" => return Expected::Within("stage=export-prom", 3.0..=6.0),
            "StageStalled" => return Expected::Within("stage=ingest", 3_600.0..=3_700.0),
            "ExporterDown" => one("", 0.0),
            "TextfileBroken" => one("", 1.0),
            unknown => panic!("nothing is expected of {unknown}: write down what"),
        })
    }
}

/// A time as seconds since 1970.
fn seconds(time: &str) -> f64 {
    Timestamp::parse(time.as_bytes()).unwrap().micros as f64 / 1e6
}

#[track_caller]
fn assert_is(expected: &Expected, samples: &Samples, what: &str) {
    match expected {
        Expected::Exactly(expected) => {
            let near = |(labels, value): (&String, &f64)| {
                let samples = samples.get(labels);
                samples.is_some_and(|sample| (sample - value).abs() <= 1e-6 * value.abs())
            };
            assert!(
                !expected.is_empty()
                    && expected.len() == samples.len()
                    && expected.iter().all(near),
                "{what}
should be {expected:#?}
and is {samples:#?}"
            );
        }
        Expected::Within(labels, range) => {
            let is_within = samples.get(*labels).is_some_and(|value| range.contains(value));
            assert!(is_within && samples.len() == 1, "{what}: {samples:#?} in {range:?}");
        }
    }
}

/// Runs the pipeline over logs and writes all of its metrics to a folder, as
/// `scripts/log-analysis --metrics` does. Returns the rows and alerts, and how
/// many records were late, by query.
fn pipeline(folder: &Path, logs: &str, more_rows: &str) -> (String, BTreeMap<String, f64>) {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (parse, window) = (path("logs.parse.prom"), path("logs.window.prom"));
    let (rows, late) = analysed(logs, &[["--stats", &parse], ["--stats", &window]]);
    let rows = RULES.run(&[], more_rows.to_owned() + &rows).success().stdout;
    let (file, stats) = (path("logs.prom"), path("logs.export-prom.prom"));
    EXPORT.run(&["--textfile", &file, "--stats", &stats], &rows).success();
    let mut counts = BTreeMap::new();
    for record in rows::parse(&late) {
        for query in record["late_for"].as_array().unwrap() {
            *counts.entry(query.as_str().unwrap().to_owned()).or_default() += 1.0;
        }
    }
    (rows, counts)
}

/// Each panel of the dashboard and each rule has an expectation above, and all of them are asked.
#[test]
fn prometheus_answers_each_expression_and_each_rule_fires() {
    if !is_wanted("prometheus_answers_each_expression_and_each_rule_fires") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("metrics");
    fs::create_dir(&files).unwrap();
    let node = node_exporter(folder.path(), &files);
    let listening = Listening::start(&[]);
    let prometheus = Prometheus::deployed(Targets {
        listen: &[&listening.address],
        textfile: &[&node.address],
        ..Targets::default()
    });

    // As two looks at a running pipeline, whose counters have doubled in between.
    let first = pipeline(&files, &logs(LOGS / 2, start()), "").0;
    assert!(!first.contains(r#""alert":"#), "{first}");
    let records = first.lines().count() as f64;
    let read = r#"sum(highwater_records_in_total{stage="export-prom"})"#;
    prometheus.wait_for_value(read, records);
    prometheus.wait_for_value("count(up == 1)", 2.0);
    // The files of all stages go well together.
    prometheus.wait_for_value("node_textfile_scrape_error", 0.0);
    // A stage that was killed an hour ago, and a file that is none.
    let stats = fs::read_to_string(files.join("logs.parse.prom")).unwrap();
    let killed = stats.replace("stage=\"parse\"", "stage=\"ingest\"");
    let killed = killed.lines().map(|line| match line.rsplit_once(' ') {
        Some((series, _)) if series.starts_with("highwater_done{") => format!("{series} 0\n"),
        Some((series, _)) if series.starts_with("highwater_stats_time_seconds{") => {
            format!("{series} {}\n", now() - 3_600.0)
        }
        _ => format!("{line}\n"),
    });
    fs::write(files.join("killed.prom"), killed.collect::<String>()).unwrap();
    fs::write(files.join("broken.prom"), "half a li").unwrap();
    drop(listening);

    let reserved = "{\"service\":\"shop\",\"anomaly_count\":1}\n".repeat(3);
    let begun = start();
    let alarms = alarming_rows(begun) + &reserved;
    let (rows, late) = pipeline(&files, &logs(LOGS, begun), &alarms);
    let records = rows.lines().count() as f64;
    prometheus.wait_for_value(read, records);

    let all = (LOGS + LOGS / 10) as f64;
    let fed = Fed {
        rows: rows::parse(&rows),
        late: late.into_iter().map(|(query, count)| (query, count / all)).collect(),
        newest: begun + LOGS as i64 - 1,
    };
    let rules = prometheus.rules();
    let alerts: BTreeSet<&str> =
        rules.iter().filter(|rule| rule.2).map(|(name, ..)| name.as_str()).collect();
    prometheus.wait_for_value("count(anomaly_count:new5m)", fed.alerts().len() as f64);
    prometheus.wait_for_value(r#"min(up{job="highwater"})"#, 0.0);
    prometheus.wait_for_value("max(node_textfile_scrape_error)", 1.0);
    let time = now();
    let panels = panel_expressions();
    let rules = rules.iter().map(|(name, expression, _)| (name.clone(), expression.clone()));
    for (name, expression) in panels.into_iter().chain(rules) {
        let samples = prometheus.samples_at(&expression, time);
        assert_is(&fed.expected(&name, time), &samples, &format!("{name}: {expression}"));
    }
    for alert in alerts {
        wait_for(alert, || prometheus.firing().iter().any(|(name, _)| name == alert).then_some(()));
    }
}

/// `export-prom --listen` with an input that stays open.
struct Listening {
    live: Live,
    address: String,
}

impl Listening {
    #[track_caller]
    fn start(args: &[&str]) -> Self {
        let mut command = EXPORT.command();
        command.args(["--listen", "127.0.0.1:0"]).args(args);
        let live = Live::spawn(command);
        let said = live.message();
        let address = said
            .strip_prefix("export-prom: listening on http://")
            .and_then(|rest| rest.strip_suffix("/metrics"))
            .unwrap_or_else(|| panic!("should say where it listens, not {said}"))
            .to_owned();
        assert_eq!(get(&address, "/healthz"), "ok\n");
        Self { live, address }
    }

    fn metrics(&self) -> String {
        get(&self.address, "/metrics")
    }

    /// Waits until the metrics have a line.
    #[track_caller]
    fn wait_for_line(&self, line: &str) {
        wait_for(line, || self.metrics().lines().any(|other| other == line).then_some(()));
    }
}

/// Values of labels that break out of what is not escaped.
const HOSTILE: [&str; 14] = [
    "say \"hi\"",
    "a\nb",
    "C:\\dir\\",
    "\\n",
    "\r\n\t",
    "<script>alert(1)</script>",
    "\"} 1\nup 0\n# EOF\n",
    "{a=\"b\"}",
    "# HELP k",
    "größe 地 🦀",
    "\u{202e}\u{feff}\u{2028}",
    "\u{1}\u{7f}",
    "nul \u{0} byte",
    " ",
];

/// How many rows [`hostile_rows`] has with a value of their own.
const MANY: usize = 100_000;

fn hostile_rows() -> String {
    let mut text = String::new();
    for (number, value) in HOSTILE.iter().enumerate() {
        let row = json!({"query": "q", "k": value, "hostile": number});
        writeln!(text, "{row}").unwrap();
    }
    for row in [
        // Free text, and a name that is as long.
        json!({"query": "q", "k": "x".repeat(1 << 20), "huge": 1, "y".repeat(1 << 20): 1}),
        json!({"query": "q", "a \"b\"\n{}\\": 2, "größe": 3, "job": "mine", "instance": "here",
            "__name__": "other", "le": "5", "quantile": "0.5"}),
        // Two fields whose names become one.
        json!({"query": "q", "k": "twice", "n.m": 1, "n_m": 2}),
        json!({"query": "q", "numbers": 123_456_789_012_345_678_901_234_567_890.0, "tiny": 1e-310,
            "zero": -0.0}),
    ] {
        writeln!(text, "{row}").unwrap();
    }
    text.push_str("{\"query\":\"q\",\"k\":\"\\ud800 alone\",\"lone\":1,\"endless\":1e999}\n");
    for number in 0..MANY {
        writeln!(text, r#"{{"query":"q","k":"user {number}","many":{number}}}"#).unwrap();
    }
    text
}

#[test]
fn hostile_values_break_nothing() {
    if !is_wanted("hostile_values_break_nothing") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("metrics");
    fs::create_dir(&files).unwrap();
    let rows = hostile_rows();
    let file = files.join("hostile.prom");
    let (ran, stats) = EXPORT.run_counting(&["--textfile", file.to_str().unwrap()], &rows);
    ran.success();
    let node = node_exporter(folder.path(), &files);
    let mut listening = Listening::start(&[]);
    listening.live.write(&rows);
    let prometheus = Prometheus::deployed(Targets {
        listen: &[&listening.address],
        textfile: &[&node.address],
        ..Targets::default()
    });
    for job in ["textfile", "highwater"] {
        prometheus.wait_for_value(&format!(r#"min(up{{job="{job}"}})"#), 1.0);
        // All that finds room, and that is all that there is.
        let all = format!(r#"count({{job="{job}", query="q", __name__!~"highwater_.*"}})"#);
        prometheus.wait_for_value(&all, 10_000.0);
        for (number, value) in HOSTILE.iter().enumerate() {
            let expression = format!(r#"hostile{{job="{job}"}} == {number}"#);
            let results = prometheus.results(&expression, now());
            let label = |(labels, _): &(BTreeMap<String, String>, f64)| labels["k"].clone();
            // The parser of Prometheus takes a NUL for the end.
            let value = value.replace('\0', "\u{fffd}");
            assert_eq!(results.iter().map(label).collect::<Vec<_>>(), [value], "{job}");
        }
        let query = "query=q";
        let odd =
            "_name__=other,exported_instance=here,exported_job=mine,le=5,quantile=0.5,query=q";
        for (name, labels, value) in [
            ("huge", query, 1.0),
            ("a_b", odd, 2.0),
            ("gr_e", odd, 3.0),
            ("n_m", "k=twice,query=q", 2.0),
            ("numbers", query, 123_456_789_012_345_678_901_234_567_890.0),
            ("tiny", query, 1e-310),
            ("zero", query, 0.0),
            ("lone", "k=\u{fffd} alone,query=q", 1.0),
            ("sum(node_textfile_scrape_error)", "", 0.0),
        ] {
            let name = if labels.is_empty() { name } else { &format!(r#"{name}{{job="{job}"}}"#) };
            let expected = Samples::from([(labels.to_owned(), value)]);
            assert_eq!(prometheus.samples(name), expected, "{job}");
        }
        assert_eq!(prometheus.samples("endless"), Samples::new());
    }
    let many = prometheus.samples(r#"count(many{job="textfile"})"#)[""] as u64;
    // The long name and the numbers that found no room.
    assert_eq!(stats["refused"], MANY as u64 - many + 1);
}

/// What a row says cannot be taken for what Prometheus itself says of a target.
#[test]
fn a_row_does_not_pass_for_the_state_of_a_target() {
    if !is_wanted("a_row_does_not_pass_for_the_state_of_a_target") {
        return;
    }
    let mut listening = Listening::start(&[]);
    listening.live.write("{\"up\":0,\"scrape_samples_scraped\":99,\"real\":1}\n");
    listening.wait_for_line("real 1");
    let target = [listening.address.as_str()];
    let prometheus = Prometheus::deployed(Targets { listen: &target, ..Targets::default() });
    prometheus.wait_for_value("sum(real)", 1.0);
    let one = |value: f64| Samples::from([(String::new(), value)]);
    assert_eq!(prometheus.samples("up"), one(1.0));
    assert_eq!(prometheus.samples("field_up"), one(0.0));
    assert_eq!(prometheus.samples("scrape_samples_scraped"), one(3.0));
    assert_eq!(prometheus.samples("field_scrape_samples_scraped"), one(99.0));
}

#[test]
fn history_is_filled_in() {
    if !is_wanted("history_is_filled_in") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    // A day and more ago: blocks are of two hours, and these are several.
    let begun = start() - 90_000;
    let (rows, _) = analysed(&logs(LOGS, begun), &[]);
    let alarms: Vec<Value> = rows::parse(&alarming_rows(begun));
    // History needs times.
    let alarms: String = alarms
        .iter()
        .filter(|row| row["window"].is_object())
        .fold(String::new(), |text, row| text + &row.to_string() + "\n");
    let rows = RULES.run(&[], alarms + &rows).success().stdout;
    let export = EXPORT.run(&["--format", "openmetrics"], &rows).success();
    fs::write(path("history.om"), &export.stdout).unwrap();
    let args = ["tsdb", "create-blocks-from", "openmetrics", &path("history.om"), &path("data")];
    promtool(&args, "").success();
    let prometheus = Prometheus::of_blocks(folder);

    // Each number of each row that is exported, in its window.
    let mut expected: BTreeMap<String, BTreeMap<(String, i64), f64>> = BTreeMap::new();
    for row in rows::parse(&rows) {
        let by_user = row.get("ip_address").is_some() || row.get("user_id").is_some();
        if by_user || row["alert"].is_string() {
            continue;
        }
        let text = |name: &str| row[name].as_str().map(|value| (name.to_owned(), value.to_owned()));
        let labels = ["query", "service"].into_iter().filter_map(text).collect();
        let end = seconds(row["window"]["end"].as_str().unwrap()) as i64;
        for (field, value) in row.as_object().unwrap() {
            if let Some(value) = value.as_f64() {
                let series = expected.entry(field.clone()).or_default();
                series.insert((described(&labels), end), value);
            }
        }
    }
    assert!(expected.len() > 15, "{:?}", expected.keys());
    for (field, expected) in expected {
        assert_eq!(prometheus.history(&field), expected, "{field}");
    }
    // Alerts are counted in order of their windows.
    let alerts = rows::parse(&rows).into_iter().filter(|row| row["alert"] == "ddos").count();
    let ddos = prometheus.history(r#"anomaly_count{alert="ddos"}"#);
    let counts: Vec<f64> = ddos.values().copied().collect();
    assert_eq!(counts, (1..=alerts).map(|count| count as f64).collect::<Vec<_>>());
}

#[test]
fn a_pushgateway_takes_and_loses_a_group() {
    if !is_wanted("a_pushgateway_takes_and_loses_a_group") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let gateway = pushgateway(folder.path());
    let url = format!("http://{}", gateway.address);
    let target = [gateway.address.as_str()];
    let prometheus = Prometheus::deployed(Targets { pushgateway: &target, ..Targets::default() });
    // As jobs and values of labels may be.
    let push = |job: &str, grouping: &str, more: &[&str]| {
        let mut command = EXPORT.command();
        command.args(["--push", &url, "--job", job, "--grouping", grouping, "--every", "100ms"]);
        command.args(more);
        Live::spawn(command)
    };
    let mut kept = push("logs/eu 1", "instance=ho/st", &[]);
    let mut deleted = push("passing", "zone=", &["--delete-on-exit"]);
    let row = |n: u32| format!("{{\"query\":\"q\",\"service\":\"a\\\"b\",\"n\":{n}}}\n");
    kept.write(row(1) + "{\"query\":\"q\",\"service\":\"gone\",\"m\":1}\n");
    deleted.write(row(2));
    // Job and instance are those that were pushed, not those of the scrape.
    let value = |selector: &str| prometheus.results(selector, now());
    let labels = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let of_kept = labels(&[
        ("__name__", "n"),
        ("job", "logs/eu 1"),
        ("instance", "ho/st"),
        ("query", "q"),
        ("service", "a\"b"),
    ]);
    let is_there = |selector: &str, expected: Vec<(BTreeMap<String, String>, f64)>| {
        wait_for(selector, || (value(selector) == expected).then_some(()));
    };
    is_there(r#"n{job="logs/eu 1"}"#, vec![(of_kept.clone(), 1.0)]);
    prometheus.wait_for_value(r#"sum(n{job="passing"})"#, 2.0);
    prometheus.wait_for_value("sum(m)", 1.0);
    // Pushed again as it changes, the whole group; and it stays when the program ends.
    kept.write(row(3) + "{\"query\":\"q\",\"service\":\"gone\",\"m\":null}\n");
    is_there(r#"n{job="logs/eu 1"}"#, vec![(of_kept.clone(), 3.0)]);
    wait_for("m to be gone", || value("m").is_empty().then_some(()));
    for live in [&mut kept, &mut deleted] {
        live.close();
    }
    assert_eq!(kept.end(), (End::Code(0), vec![], vec![]));
    assert_eq!(deleted.end(), (End::Code(0), vec![], vec![]));
    wait_for("the group to be deleted", || {
        value(r#"{job="passing", __name__!="up"}"#).is_empty().then_some(())
    });
    assert_eq!(value(r#"n{job="logs/eu 1"}"#), [(of_kept, 3.0)]);
    assert!(get(&gateway.address, "/metrics").contains("push_failure_time_seconds"));
    assert_eq!(value("push_failure_time_seconds > 0"), []);
}

#[test]
fn metrics_are_there_while_input_stalls() {
    let mut listening = Listening::start(&[]);
    assert_eq!(listening.metrics(), "");
    listening.live.write("{\"query\":\"q\",\"n\":1}\n{\"query\":\"q\",\"n\":");
    // The input waits in the middle of a line.
    listening.wait_for_line("n{query=\"q\"} 1");
    for _ in 0..3 {
        assert!(listening.metrics().contains("n{query=\"q\"} 1\n"));
    }
    listening.live.write("2}\n");
    listening.wait_for_line("n{query=\"q\"} 2");
    listening.live.close();
    assert_eq!(listening.live.end(), (End::Code(0), vec![], vec![]));
}

#[test]
fn input_goes_on_while_scrapers_stall() {
    let mut listening = Listening::start(&["--max-series", "200000"]);
    // An answer larger than all buffers between us.
    let mut rows = String::new();
    for number in 0..MANY {
        writeln!(rows, r#"{{"query":"q","k":"{number:0200}","n":1}}"#).unwrap();
    }
    listening.live.write(&rows);
    wait_for("all rows", || (listening.metrics().len() > MANY * 200).then_some(()));
    // One never asks, one asks by halves, one never reads the answer.
    let stalled = ["", "GET /metrics HT", "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"].map(|said| {
        let mut stream = TcpStream::connect(&listening.address).unwrap();
        stream.write_all(said.as_bytes()).unwrap();
        stream
    });
    // More than a pipe holds: it has to be read.
    listening.live.write(rows.replace("\"n\":1", "\"n\":2"));
    listening.live.write("{\"last\":1}\n");
    listening.wait_for_line("last 1");
    assert_eq!(get(&listening.address, "/healthz"), "ok\n");
    listening.live.close();
    assert_eq!(listening.live.end(), (End::Code(0), vec![], vec![]));
    drop(stalled);
}
