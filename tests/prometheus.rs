//! What is exported, in real Prometheus servers: by file, scrape, push and
//! back-fill.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;

use serde_json::{Value, json};
use support::http::get;
use support::listening::Listening;
use support::logs::{LOGS, RULES, alarming_rows, analysed, logs, seconds, start};
use support::process::{End, Live};
use support::prometheus::{
    Prometheus, Samples, Targets, described, is_wanted, node_exporter, now, promtool, pushgateway,
    wait_for,
};
use support::rows;
use support::stages::EXPORT;
/// `export-prom --listen` with an input that stays open.
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

/// The gateway would put its own labels in the place of the rows', and then find
/// series twice.
#[test]
fn rows_keep_labels_that_a_group_has_too() {
    if !is_wanted("rows_keep_labels_that_a_group_has_too") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let gateway = pushgateway(folder.path());
    let url = format!("http://{}", gateway.address);
    let rows = "{\"job\":\"a\",\"zone\":\"x\",\"n\":1}\n{\"job\":\"b\",\"zone\":\"x\",\"n\":2}\n";
    let args = ["--push", &url, "--job", "logs", "--grouping", "zone=eu"];
    EXPORT.run(&args, rows).success();
    let metrics = get(&gateway.address, "/metrics");
    for (job, n) in [("a", 1), ("b", 2)] {
        let labels =
            format!("exported_job=\"{job}\",exported_zone=\"x\",instance=\"\",job=\"logs\"");
        let line = format!("n{{{labels},zone=\"eu\"}} {n}");
        assert!(metrics.lines().any(|other| other == line), "{line} in\n{metrics}");
    }
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
