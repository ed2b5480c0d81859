//! What is in `deploy/`: whether Prometheus, Grafana and Compose take it, and
//! whether each expression gives the right number.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use serde_json::{Value, json};
use support::listening::Listening;
use support::logs::{LOGS, RULES, alarming_rows, analysed, logs, seconds, start};
use support::prometheus::{
    Prometheus, Samples, Targets, deployed, described, is_wanted, node_exporter, now, promtool,
    wait_for,
};
use support::rows;
use support::stages::EXPORT;
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
