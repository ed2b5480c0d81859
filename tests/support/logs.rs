//! Logs and rows whose figures are known, and what the stages make of them.

use std::fmt::Write as _;
use std::fs;

use highwater_core::time::Timestamp;
use serde_json::json;

use super::prometheus::now;
use super::stages::{DETECT, PARSE, Stage, WINDOW};

pub const LOG_ANALYSIS: Stage =
    Stage { args: &["--query", "log-analysis", "--query", "latency"], ..WINDOW };
pub const RULES: Stage = Stage {
    args: &["--rules", "reference", "--rule", "surprise", "--rule", "silence", "--pass-through"],
    ..DETECT
};

/// How many good records [`logs`] has; a record is late after each ten, and two lines cannot be
/// used after each twenty.
pub const LOGS: usize = 800;

/// An hour ago, at the beginning of five minutes: long enough for what follows to be stale.
pub fn start() -> i64 {
    (now() as i64 - 3_600) / 300 * 300
}

pub fn timestamp(seconds: i64) -> String {
    Timestamp::from_micros(seconds * 1_000_000).to_string()
}

/// Log lines from `start` on, one a second: three services, one request in five failing.
pub fn logs(records: usize, start: i64) -> String {
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
pub fn analysed(logs: &str, stats: &[[&str; 2]]) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let late = folder.path().join("late");
    let stats = |stage: usize| stats.get(stage).map_or(&[][..], |args| &args[..]);
    let records = PARSE.run(stats(0), logs).success();
    let args = [&["--late", late.to_str().unwrap()], stats(1)].concat();
    let rows = LOG_ANALYSIS.run(&args, records.stdout).success();
    (rows.stdout, fs::read_to_string(late).unwrap())
}

/// Rows of which each built-in rule has something to say, in windows that end at `end` or before.
pub fn alarming_rows(end: i64) -> String {
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

/// A time as seconds since 1970.
pub fn seconds(time: &str) -> f64 {
    Timestamp::parse(time.as_bytes()).unwrap().micros as f64 / 1e6
}
