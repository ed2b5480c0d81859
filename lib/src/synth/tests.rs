//! Streams as a whole: what they promise is counted again from their lines.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;
use serde_json::Value;

mod faults;

use super::*;
use crate::time::{TimeDelta, Timestamp, is_normal_form};

const START: i64 = 1_757_635_200_000;
const MINUTE: i64 = 60_000;

/// The configuration that a command line gives: `flags` are pairs of words.
fn config(stream: Stream, flags: &[(&str, &str)]) -> Config {
    let mut config = Config::new(stream, Timestamp::from_micros(START * 1_000));
    for (flag, value) in flags {
        match *flag {
            "seed" => config.seed = value.parse().unwrap(),
            "count" => config.amount = Amount::Records(value.parse().unwrap()),
            "duration" => config.amount = Amount::Duration(value.parse().unwrap()),
            "rate" => config.rate = Some(value.parse().unwrap()),
            "users" => config.users = Some(value.parse().unwrap()),
            "services" => config.services = value.parse().unwrap(),
            "out-of-order" => config.out_of_order = value.parse().unwrap(),
            "late" => config.late = Some(value.parse().unwrap()),
            "duplicate" => config.duplicate = Some(value.parse().unwrap()),
            "malformed" => config.malformed = Some(value.parse().unwrap()),
            "future-clock" => config.future_clock = Some(value.parse().unwrap()),
            "partitions" => config.partitions = Some(value.parse().unwrap()),
            "skew" => config.skew = Some(value.parse().unwrap()),
            "idle-partition" => config.idle_partition = true,
            "anomaly" => config.anomalies.push(value.parse().unwrap()),
            flag => panic!("{flag}"),
        }
    }
    config
}

fn logs(flags: &[(&str, &str)]) -> Made {
    make(&config(Stream::Logs, flags))
}

struct Made {
    lines: Vec<String>,
    truth: Vec<Value>,
}

fn make(config: &Config) -> Made {
    let mut generator = Generator::new(config).unwrap();
    let (mut lines, mut truth) = (Vec::new(), Vec::new());
    while generator.next_line(&mut lines, &mut truth) {
        lines.push(b'\n');
    }
    // Only malformed lines are no UTF-8.
    assert!(config.malformed.is_some() || std::str::from_utf8(&lines).is_ok());
    let text = String::from_utf8_lossy(&lines);
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(lines.len() as u64, generator.lines());
    let truth = String::from_utf8(truth).unwrap();
    Made { lines, truth: truth.lines().map(|line| serde_json::from_str(line).unwrap()).collect() }
}

/// What the queries look at.
#[derive(Debug)]
struct Row {
    millis: i64,
    service: String,
    address: String,
    user: String,
    status: i64,
    response: f64,
}

impl Made {
    fn rows(&self) -> Vec<Row> {
        self.lines.iter().map(|line| row(line)).collect()
    }

    fn late(&self) -> BTreeMap<usize, &Value> {
        let late = self.truth.iter().filter(|line| line["kind"] == "late");
        late.map(|line| (line["line"].as_u64().unwrap() as usize, line)).collect()
    }

    fn sorted(mut self) -> Vec<String> {
        self.lines.sort();
        self.lines
    }
}

fn row(line: &str) -> Row {
    let value: Value = serde_json::from_str(line).unwrap();
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    Row {
        millis: millis_of(&value["timestamp"]),
        service: text("service"),
        address: text("ip_address"),
        user: text("user_id"),
        status: value["status_code"].as_i64().unwrap_or_default(),
        response: value["response_time"].as_f64().unwrap_or_default(),
    }
}

fn millis_of(time: &Value) -> i64 {
    match time {
        Value::String(text) => Timestamp::parse(text.as_bytes()).unwrap().micros / 1_000,
        number => number.as_i64().unwrap(),
    }
}

/// How many rows there are by key.
fn count<K: Ord>(rows: &[Row], key: impl Fn(&Row) -> K) -> BTreeMap<K, usize> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(key(row)).or_default() += 1;
    }
    counts
}

/// The line that has these fields in this order, printed by `serde_json`.
fn printed(line: &str, keys: &[&str]) -> String {
    let value: Value = serde_json::from_str(line).unwrap();
    let members: Vec<String> =
        keys.iter().map(|key| format!("\"{key}\":{}", value[*key])).collect();
    format!("{{{}}}", members.join(","))
}

const LOG_FIELDS: [&str; 10] = [
    "timestamp",
    "level",
    "service",
    "message",
    "ip_address",
    "user_id",
    "request_id",
    "response_time",
    "status_code",
    "error_code",
];
const EVENT_FIELDS: [&str; 6] =
    ["timestamp", "user_id", "action", "value", "session_id", "ip_address"];

/// The files are what `produce-synthetic STREAM --count 3 --start
/// 2025-09-12T00:00:00Z` prints. If they change, so does every stream that
/// somebody keeps a seed of.
#[test]
fn streams_are_pinned() {
    for (stream, name) in
        [(Stream::Logs, "logs"), (Stream::Events, "events"), (Stream::LateData, "late-data")]
    {
        let path = format!("{}/../testdata/synth/{name}.ndjson", env!("CARGO_MANIFEST_DIR"));
        let expected = std::fs::read_to_string(&path).unwrap();
        let made = make(&config(stream, &[("count", "3")]));
        assert_eq!(made.lines, expected.lines().collect::<Vec<_>>(), "{path}");
    }
}

#[test]
fn a_seed_chooses_the_bytes() {
    for stream in [Stream::Logs, Stream::Events] {
        let flags = |seed| {
            [
                ("seed", seed),
                ("out-of-order", "5s"),
                ("late", "10%:6s..10s"),
                ("anomaly", "user-burst@1s+5s"),
            ]
        };
        let made = |seed| make(&config(stream, &flags(seed)));
        assert_eq!(made("7").lines, made("7").lines);
        assert_eq!(made("7").truth, made("7").truth);
        let (seven, eight) = (made("7").sorted(), made("8").sorted());
        let same = seven.iter().zip(&eight).filter(|(a, b)| a == b).count();
        assert!(same < seven.len() / 100, "{same}");
    }
}

#[test]
fn lines_are_in_normal_form() {
    let flags = [
        ("duration", "10m"),
        ("services", "11"),
        ("users", "2000"),
        ("anomaly", "suspicious-ip@1m+2m"),
    ];
    for line in logs(&flags).lines {
        assert_eq!(printed(&line, &LOG_FIELDS), line);
        let value: Value = serde_json::from_str(&line).unwrap();
        assert!(is_normal_form(value["timestamp"].as_str().unwrap().as_bytes()), "{line}");
        assert!(value["response_time"].as_f64().unwrap() >= 0.001, "{line}");
        let failed = value["status_code"].as_i64().unwrap() >= 400;
        assert_eq!((value["level"] == "ERROR", value["error_code"].is_string()), (failed, failed));
        assert!((220..310).contains(&line.len()), "{line}");
    }
    for line in make(&config(Stream::Events, &[])).lines {
        assert_eq!(printed(&line, &EVENT_FIELDS), line);
    }
}

#[test]
fn event_times_are_spaced_by_the_rate() {
    for stream in [Stream::Logs, Stream::Events] {
        let made = make(&config(stream, &[("duration", "10s"), ("rate", "33.3")]));
        let times: Vec<i64> = made.rows().iter().map(|row| row.millis).collect();
        let expected: Vec<i64> = (0..333).map(|i| START + i * 10_000 / 333).collect();
        assert_eq!(times, expected);
    }
    assert_eq!(logs(&[]).lines.len(), 1_000);
}

#[test]
fn services_differ_as_described() {
    let rows = logs(&[("count", "100000")]).rows();
    let requests = count(&rows, |row| row.service.clone());
    assert_eq!(requests.len(), 8);
    for (service, requests) in requests {
        assert!((8_500..18_000).contains(&requests), "{service}: {requests}");
        let errors = rows.iter().filter(|r| r.service == service && r.status >= 400).count();
        let rate = errors as f64 / requests as f64;
        assert!((0.007..0.025).contains(&rate), "{service}: {rate}");
        assert!((0.01..0.5).contains(&mean_response(&rows, &service, 0..i64::MAX)), "{service}");
    }
}

fn mean_response(rows: &[Row], service: &str, during: std::ops::Range<i64>) -> f64 {
    let chosen = rows.iter().filter(|r| r.service == service && during.contains(&r.millis));
    let (sum, count) = chosen.fold((0.0, 0.0), |(sum, count), r| (sum + r.response, count + 1.0));
    sum / count
}

#[test]
fn disorder_stays_within_its_bound_and_uses_it() {
    let flags = [("duration", "10m"), ("rate", "20")];
    let made = logs(&[("out-of-order", "30s"), flags[0], flags[1]]);
    let mut greatest = i64::MIN;
    let mut furthest = 0;
    for row in made.rows() {
        greatest = greatest.max(row.millis);
        furthest = furthest.max(greatest - row.millis);
    }
    assert!((25_000..=30_000).contains(&furthest), "{furthest}");
    assert_eq!(made.sorted(), logs(&flags).sorted());
}

/// The truth about late records holds, and the others are within the bound.
fn check_late(made: &Made, bound: i64, shortest: i64, longest: i64) {
    let late = made.late();
    let mut greatest = i64::MIN;
    for (number, row) in (1..).zip(made.rows()) {
        greatest = greatest.max(row.millis);
        let behind = greatest - row.millis;
        let Some(truth) = late.get(&number) else {
            assert!(behind <= bound, "line {number} is {behind} ms behind");
            continue;
        };
        assert!((shortest..=longest).contains(&behind), "line {number} is {behind} ms behind");
        assert_eq!(millis_of(&truth["timestamp"]), row.millis);
        assert_eq!(truth["late_by"], behind as f64 / 1e3);
    }
}

#[test]
fn late_records_are_as_many_and_as_late_as_asked() {
    let flags = [("duration", "2h"), ("rate", "10")];
    let made = logs(&[("out-of-order", "30s"), ("late", "2%:1m..20m"), flags[0], flags[1]]);
    check_late(&made, 30_000, MINUTE, 20 * MINUTE);
    let share = made.late().len() as f64 / made.lines.len() as f64;
    assert!((0.017..0.023).contains(&share), "{share}");
    let long = made.late().values().filter(|l| l["late_by"].as_f64().unwrap() > 600.0).count();
    assert!(long > made.late().len() / 3, "{long} of more than ten minutes");
    assert_eq!(made.sorted(), logs(&flags).sorted());
}

#[test]
fn late_data_is_the_reference_test() {
    let made = make(&config(Stream::LateData, &[]));
    let seen: Vec<_> = made
        .lines
        .iter()
        .map(|line| {
            let value: Value = serde_json::from_str(line).unwrap();
            assert_eq!(printed(line, &EVENT_FIELDS), *line);
            assert_eq!(value["action"], "click");
            let age = START - value["timestamp"].as_i64().unwrap();
            (value["user_id"].as_str().unwrap().to_owned(), age / MINUTE, value["value"].as_f64())
        })
        .collect();
    let user = |number: u32| format!("user_00{number}");
    assert_eq!(
        seen,
        [(user(1), 0, Some(10.0)), (user(2), 5, Some(20.0)), (user(3), 15, Some(30.0))]
    );
    check_late(&made, 0, 5 * MINUTE, 15 * MINUTE);
    assert_eq!(made.late().len(), 2);
}

/// Error rate of each minute of a service, in percent.
fn error_rates(rows: &[Row], service: &str) -> Vec<f64> {
    let mut minutes: BTreeMap<i64, (u32, u32)> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.service == service) {
        let (total, errors) = minutes.entry(row.millis / MINUTE).or_default();
        *total += 1;
        *errors += u32::from(row.status >= 400);
    }
    minutes.values().map(|(total, errors)| f64::from(*errors) / f64::from(*total) * 100.0).collect()
}

#[test]
fn an_error_spike_is_a_spike() {
    let flags = [("duration", "10m"), ("rate", "20")];
    let made = logs(&[("anomaly", "error-spike@4m+2m,service=payment"), flags[0], flags[1]]);
    let plain = logs(&flags);
    let rates = error_rates(&made.rows(), "payment");
    for (minute, rate) in rates.iter().enumerate() {
        let range = if (4..6).contains(&minute) { 45.0..75.0 } else { 0.0..9.0 };
        assert!(range.contains(rate), "minute {minute}: {rate} %");
    }
    // Nothing else has changed.
    for (with, without) in made.lines.iter().zip(&plain.lines) {
        let row = row(with);
        let minute = (row.millis - START) / MINUTE;
        assert!(with == without || row.service == "payment" && (4..6).contains(&minute), "{with}");
    }
}

#[test]
fn latency_multiplies_response_times() {
    let rows =
        logs(&[("duration", "15m"), ("rate", "20"), ("anomaly", "latency@12m+1m,service=cart")])
            .rows();
    let minute =
        |m: i64| mean_response(&rows, "cart", START + m * MINUTE..START + (m + 1) * MINUTE);
    let before: Vec<f64> = (2..12).map(minute).collect();
    let mean = before.iter().sum::<f64>() / 10.0;
    let variance = before.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 9.0;
    let z = (minute(12) - mean) / variance.sqrt();
    assert!(z > 10.0, "{z}");
    assert!((minute(13) / mean - 1.0).abs() < 0.3);
}

#[test]
fn a_silent_service_is_silent_and_the_rest_goes_on() {
    let made = logs(&[
        ("duration", "10m"),
        ("anomaly", "silence@3m+2m,service=auth"),
        ("late", "1%:1m..3m"),
    ]);
    assert_eq!(made.lines.len(), 30_000);
    let counts = count(&made.rows(), |row| (row.service.clone(), (row.millis - START) / MINUTE));
    for minute in 0..10 {
        let auth = counts.get(&("auth".to_owned(), minute)).copied().unwrap_or_default();
        assert_eq!(auth == 0, (3..5).contains(&minute), "minute {minute}: {auth}");
    }
}

/// Keys of the rows that a rule fires on: more than `most` rows of a key in a
/// window, which the filter likes.
fn bursts<'a>(
    rows: &'a [Row],
    key: impl Fn(&'a Row) -> &'a str,
    (size, slide, most): (i64, i64, usize),
    filter: impl Fn(&[&Row]) -> bool,
) -> BTreeSet<String> {
    let mut windows: HashMap<(&str, i64), Vec<&Row>> = HashMap::new();
    for row in rows {
        let newest = row.millis.div_euclid(slide) * slide;
        let starts =
            (0..).map(|i| newest - i * slide).take_while(|start| start + size > row.millis);
        for start in starts {
            windows.entry((key(row), start)).or_default().push(row);
        }
    }
    let fired = windows.into_iter().filter(|(_, rows)| rows.len() > most && filter(rows));
    fired.map(|((key, _), _)| key.to_owned()).collect()
}

fn ddos(rows: &[Row]) -> BTreeSet<String> {
    bursts(
        rows,
        |row| &row.address,
        (MINUTE, MINUTE, 100),
        |rows| rows.iter().map(|row| &row.user).collect::<BTreeSet<_>>().len() < 5,
    )
}

fn suspicious_ip(rows: &[Row]) -> BTreeSet<String> {
    bursts(
        rows,
        |row| &row.address,
        (5 * MINUTE, 5 * MINUTE, 1_000),
        |rows| rows.iter().map(|row| &row.service).collect::<BTreeSet<_>>().len() > 5,
    )
}

fn user_burst(rows: &[Row]) -> BTreeSet<String> {
    bursts(rows, |row| &row.user, (5 * MINUTE, 2 * MINUTE, 50), |_| true)
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[test]
fn a_plain_stream_sets_off_no_rule() {
    for flags in [
        &[("duration", "20m")][..],
        &[("duration", "20m"), ("rate", "20")],
        &[("duration", "12m"), ("rate", "0.7")],
        &[("duration", "6m"), ("rate", "200")],
    ] {
        let rows = logs(flags).rows();
        assert_eq!(ddos(&rows), names([]), "{flags:?}");
        assert_eq!(suspicious_ip(&rows), names([]), "{flags:?}");
        assert_eq!(user_burst(&rows), names([]), "{flags:?}");
        let most = count(&rows, |row| (row.user.clone(), row.millis / (5 * MINUTE)));
        assert!(most.values().all(|&most| most <= 31), "{flags:?}");
        let most = count(&rows, |row| (row.address.clone(), row.millis / MINUTE));
        assert!(most.values().all(|&most| most <= 21), "{flags:?}");
    }
    for rate in ["20", "50"] {
        let rows = logs(&[("duration", "30m"), ("rate", rate)]).rows();
        for service in count(&rows, |row| row.service.clone()).keys() {
            let rates = error_rates(&rows, service);
            let rise = rates.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
            assert!(rise < 9.0, "{service} at {rate} a second: {rise}");
        }
    }
}

#[test]
fn attacks_set_off_their_rule_wherever_they_begin() {
    for at in ["5m", "7m30s", "9m59s"] {
        for length in ["20s", "1m", "90s", "5m"] {
            let attack = |kind: &str| {
                let anomaly = format!("{kind}@{at}+{length}");
                logs(&[("duration", "16m"), ("rate", "2"), ("anomaly", &anomaly)]).rows()
            };
            let rows = attack("ddos");
            assert_eq!(ddos(&rows), names(["203.0.113.1"]), "{at} {length}");
            assert_eq!(suspicious_ip(&rows), names([]), "{at} {length}");
            let rows = attack("suspicious-ip");
            assert_eq!(suspicious_ip(&rows), names(["203.0.113.1"]), "{at} {length}");
            assert_eq!(ddos(&rows), names([]), "{at} {length}");
            assert_eq!(user_burst(&rows), names([]), "{at} {length}");
            let rows = attack("user-burst");
            assert_eq!(user_burst(&rows), names(["user_001"]), "{at} {length}");
        }
    }
}

#[test]
fn a_burst_of_events() {
    let anomaly = ("anomaly", "user-burst@4m+5m,user_id=user_042");
    let made = make(&config(Stream::Events, &[("duration", "15m"), anomaly]));
    assert_eq!(user_burst(&made.rows()), names(["user_042"]));
    assert_eq!(made.truth[0]["records"], 150);
    assert_eq!(made.lines.len(), 9_150);
}

#[test]
fn an_attack_leaves_the_other_records_alone() {
    let anomaly = ("anomaly", "ddos@5s+5s,users=4,ip_address=198.51.100.9");
    let (made, plain) = (logs(&[anomaly]), logs(&[]));
    let others: Vec<&String> =
        made.lines.iter().filter(|line| !line.contains("\"198.51.100.9\"")).collect();
    assert_eq!(others, plain.lines.iter().collect::<Vec<_>>());
    assert_eq!(made.lines.len() - plain.lines.len(), 300);
    let users = made.truth[0]["users"].as_array().unwrap().len();
    assert_eq!(users, 4);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn disorder_and_lateness_keep_their_promises(
        seed in any::<u64>(),
        rate in 5_u32..200,
        bound in 0_i64..20_000,
        gap in 1_i64..5_000,
        // Event times step by no more than the bound and a few spacings.
        width in 30_000_i64..60_000,
        percent in 0_u32..40,
    ) {
        let (rate, percent) = (rate.to_string(), format!("{percent}%"));
        let flags = [("duration", "3m"), ("rate", rate.as_str())];
        let mut config = config(Stream::Logs, &flags);
        config.seed = seed;
        let plain = make(&config);
        let millis = |millis: i64| TimeDelta::from_micros(millis * 1_000);
        let (shortest, longest) = (bound + gap, bound + gap + width);
        config.out_of_order = millis(bound);
        config.late = Some(Late {
            share: percent.parse().unwrap(),
            shortest: millis(shortest),
            longest: millis(longest),
        });
        let made = make(&config);
        check_late(&made, bound, shortest, longest);
        prop_assert_eq!(made.sorted(), plain.sorted());
    }
}
