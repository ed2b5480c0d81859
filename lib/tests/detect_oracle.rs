//! Detection against plain programs that do the same by the definition, and
//! against input of all kinds.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod support;

use std::collections::BTreeSet;

use highwater_core::detect::detector::{DetectorKind, Settings};
use highwater_core::detect::{
    Allow, BUILTIN, Condition, Detect, DetectOptions, Emit, REFERENCE, Rule, SeriesBounds, Test,
    select_rules,
};
use highwater_core::stream::Output;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use support::feed;

/// A minute of a made-up day, as a window.
fn window(minute: i64) -> Value {
    let at = |minute: i64| format!("2025-09-12T{:02}:{:02}:00.000Z", minute / 60, minute % 60);
    json!({"start": at(minute), "end": at(minute + 1)})
}

/// What each row makes the stage write.
fn written(detect: &mut Detect, input: &[Value]) -> Vec<Vec<Value>> {
    let mut out = Output::in_memory();
    let mut parts = Vec::new();
    for row in input {
        let before = out.rows().len();
        feed(detect, &[row.to_string().as_bytes()], &mut out);
        let text = std::str::from_utf8(&out.rows()[before..]).unwrap();
        parts.push(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect());
    }
    parts
}

mod oracle {
    //! The six rules of the reference by the definition: all rows are kept, and
    //! each is judged by going through those before.

    use super::{Map, Value};

    /// Name, query, key, fields.
    const RULES: [(&str, &str, &str, &[&str]); 6] = [
        ("response_time_anomaly", "response_time", "service", &["avg_response_time"]),
        ("error_rate_spike", "error_rate", "service", &["error_rate"]),
        ("suspicious_ip", "ip_patterns", "ip_address", &["request_count", "services_used"]),
        ("ddos", "ddos", "ip_address", &["request_count", "unique_users"]),
        ("user_burst", "user_burst", "user_id", &["event_count"]),
        ("late_data", "late_alert", "user_id", &["late_event_count"]),
    ];

    fn number(row: &Map<String, Value>, field: &str) -> Option<f64> {
        let number = match row.get(field)? {
            Value::String(text) => text.parse().ok()?,
            value => value.as_f64()?,
        };
        Some(number)
    }

    /// What can be reckoned with.
    fn measured(row: &Map<String, Value>, field: &str) -> Option<f64> {
        number(row, field).filter(|number| number.abs() < 1e150)
    }

    fn size(row: &Map<String, Value>, field: &str) -> Option<usize> {
        row.get(field)?.as_array().map(Vec::len)
    }

    /// The values before the row of those at hand that is judged, one a window;
    /// `None` if that row is older than the newest.
    fn before(series: &[&Map<String, Value>], field: &str) -> Option<Vec<Option<f64>>> {
        let end = |row: &Map<String, Value>| row["window"]["end"].as_str().unwrap().to_owned();
        let mut windows: Vec<(String, Option<f64>)> = Vec::new();
        let mut is_late = false;
        for row in series {
            let newest = windows.last().map(|(newest, _)| newest.clone()).unwrap_or_default();
            is_late = end(row) < newest;
            if is_late {
                continue;
            }
            if end(row) == newest {
                windows.pop();
            }
            windows.push((end(row), measured(row, field)));
        }
        windows.pop();
        (!is_late).then(|| windows.into_iter().map(|(_, value)| value).collect())
    }

    /// The names of the alerts of the last of some rows, with their scores. A
    /// z-score at the limit itself may or may not alert.
    pub(super) fn alerts(rows: &[Map<String, Value>]) -> Vec<(&'static str, f64)> {
        let row = &rows[rows.len() - 1];
        let mut alerts = Vec::new();
        for (name, query, key, fields) in RULES {
            let looks = |row: &Map<String, Value>| match row.get("query") {
                Some(known) => known == query,
                None => {
                    row.contains_key(key) && fields.iter().all(|field| row.contains_key(*field))
                }
            };
            if !looks(row) {
                continue;
            }
            let of_series = |other: &&Map<String, Value>| {
                looks(other)
                    && other.get("query") == row.get("query")
                    && other.get(key) == row.get(key)
            };
            let series: Vec<_> = rows.iter().filter(of_series).collect();
            let value = number(row, fields[0]);
            let score = match name {
                "response_time_anomaly" => {
                    z_score(before(&series, fields[0]), measured(row, fields[0]))
                }
                "error_rate_spike" => {
                    let last = before(&series, fields[0]).and_then(|rows| rows.last().copied()?);
                    let value = measured(row, fields[0]);
                    value.zip(last).map(|(value, last)| value - last).filter(|rise| *rise > 10.0)
                }
                "suspicious_ip" => value
                    .filter(|count| *count > 1_000.0 && size(row, fields[1]) > Some(5))
                    .map(|count| count / 1_000.0),
                "ddos" => value
                    .filter(|count| {
                        *count > 100.0 && number(row, fields[1]).is_some_and(|n| n < 5.0)
                    })
                    .map(|count| count / 100.0),
                "user_burst" => value.filter(|count| *count > 50.0).map(|count| count / 50.0),
                _ => value.filter(|count| *count > 5.0).map(|count| count / 5.0),
            };
            alerts.extend(score.map(|score| (name, score)));
        }
        alerts
    }

    fn z_score(before: Option<Vec<Option<f64>>>, value: Option<f64>) -> Option<f64> {
        let before = before?;
        let last: Vec<f64> = before.iter().rev().take(10).flatten().copied().collect();
        if last.len() < 2 {
            return None;
        }
        let mean = last.iter().sum::<f64>() / last.len() as f64;
        let squares: f64 = last.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (squares / (last.len() - 1) as f64).sqrt();
        let z = (value? - mean) / deviation;
        (deviation > 0.0 && z.abs() > 2.0).then_some(z)
    }
}

/// A number of a row: multiples of 1/2, whose sums are exact.
fn any_number() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => (0_u32..40).prop_map(|halves| json!(f64::from(halves) / 2.0)),
        2 => (0_u32..2_000).prop_map(|number| json!(number)),
        1 => Just(Value::Null),
        1 => (0_u32..90).prop_map(|number| json!(number.to_string())),
        1 => Just(json!(1.7e308)),
    ]
}

fn any_list() -> impl Strategy<Value = Value> {
    prop_oneof![(0_usize..9).prop_map(|length| json!(vec!["s"; length])), Just(Value::Null),]
}

/// A row of any of the reference's queries, or of none.
fn any_row() -> impl Strategy<Value = Map<String, Value>> {
    let names = ["response_time", "error_rate", "ip_patterns", "ddos", "user_burst", "late_alert"];
    let query = prop_oneof![6 => (0..6_usize).prop_map(move |n| Some(names[n])), 1 => Just(None)];
    let keys = any::<(bool, bool, bool)>();
    let numbers = prop::collection::vec(prop::option::weighted(0.9, any_number()), 6);
    (query, 0..25_i64, keys, numbers, prop::option::of(any_list())).prop_map(
        |(query, minute, keys, numbers, list)| {
            let mut row = Map::new();
            row.extend(query.map(|query| ("query".to_owned(), json!(query))));
            row.insert("window".into(), window(minute));
            row.insert("service".into(), if keys.0 { json!("auth") } else { json!("cart") });
            row.insert("ip_address".into(), json!(format!("192.0.2.{}", u8::from(keys.1))));
            row.insert("user_id".into(), if keys.2 { json!("u") } else { Value::Null });
            let fields = [
                "avg_response_time",
                "error_rate",
                "request_count",
                "unique_users",
                "event_count",
                "late_event_count",
            ];
            for (field, number) in fields.iter().zip(numbers) {
                row.extend(number.map(|number| ((*field).to_owned(), number)));
            }
            row.extend(list.map(|list| ("services_used".to_owned(), list)));
            row
        },
    )
}

/// Numbers of all sizes, and what is none.
fn any_value() -> impl Strategy<Value = Option<Value>> {
    let extremes = [0.0, -0.0, 1e150, -1e150, 1.7e308, -1.7e308, 5e-324, 1e-160, 9.9e149, -9.9e149];
    prop::option::weighted(
        0.95,
        prop_oneof![
            4 => (-3_i32..4).prop_map(|number| json!(number)),
            4 => any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(|x| json!(x)),
            4 => (0..extremes.len()).prop_map(move |index| json!(extremes[index])),
            1 => Just(Value::Null),
            1 => Just(json!("1e400")),
            1 => Just(json!("many")),
            1 => Just(json!([1, 2])),
            1 => Just(json!(true)),
        ],
    )
}

/// Rules of every kind, about the field `x`.
fn any_rules() -> impl Strategy<Value = Vec<Rule>> {
    let by = ["k".to_owned()];
    let when = |text: &str| {
        Rule::when(Condition::parse(text, "--when", "timestamp").unwrap(), &["k".to_owned()])
    };
    let mut all = select_rules(&BUILTIN).unwrap();
    all.extend([
        when("x > 0"),
        when("x / 0.0001 > 1 OR x * x < 5"),
        when("0 <> x AND timestamp < now()"),
        Rule::zscore("x", &by, 3, 0.0),
        Rule::spike("x", &by, 0.0),
        Rule::new("silence", Test::Silence { windows: 1 }).by(&by),
    ]);
    for kind in DetectorKind::ALL {
        let settings = Settings { memory: 100, ..Settings::default() };
        all.push(Rule::detector(kind, "x", &by, settings, Some(0.0)));
        all.push(Rule::detector(kind, "x", &by, settings, None));
    }
    let count = all.len();
    let rule = (0..count, any::<bool>(), any::<bool>()).prop_map(move |(index, cools, allows)| {
        let mut rule = all[index].clone();
        rule.cooldown = cools.then(|| "3m".parse().unwrap());
        rule.allow.extend(allows.then(|| Allow::parse("k=1,192.0.2.0/24").unwrap()));
        rule
    });
    prop::collection::vec(rule, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_references_rules_are_what_they_say(input in prop::collection::vec(any_row(), 1..120)) {
        let rules = select_rules(&REFERENCE).unwrap();
        let mut detect = Detect::new(rules, &DetectOptions::default());
        let values: Vec<Value> = input.iter().cloned().map(Value::Object).collect();
        for (index, alerts) in written(&mut detect, &values).into_iter().enumerate() {
            let close = |one: f64, other: f64| (one - other).abs() <= 1e-9 * one.abs().max(1.0);
            let at_limit = |alert: &(String, f64)| {
                alert.0 == "response_time_anomaly" && close(alert.1.abs(), 2.0)
            };
            let found = alerts.iter().map(|alert| {
                (alert["alert"].as_str().unwrap().to_owned(), alert["score"].as_f64().unwrap())
            });
            let found: Vec<_> = found.filter(|alert| !at_limit(alert)).collect();
            let expected = oracle::alerts(&input[..=index]).into_iter();
            let expected: Vec<_> = expected
                .map(|(name, score)| (name.to_owned(), score))
                .filter(|alert| !at_limit(alert))
                .collect();
            let same = found.len() == expected.len()
                && found.iter().zip(&expected).all(|(a, b)| a.0 == b.0 && close(a.1, b.1));
            prop_assert!(same, "row {}: {:?}, should be {:?}", index, found, expected);
        }
    }

    /// Every series that was there for three minutes, and missing in the next,
    /// is told, and no other.
    #[test]
    fn silences_are_those_of_the_definition(
        minutes in prop::collection::vec(prop::collection::btree_set(0..4_u32, 0..4), 1..40)
    ) {
        let mut input = Vec::new();
        for (minute, services) in (0..).zip(&minutes) {
            // One is never silent, so that every window has a row.
            for service in services.iter().chain([&9]) {
                input.push(json!({"query": "error_rate", "window": window(minute),
                                  "service": format!("s{service}")}));
            }
        }
        let rules = select_rules(&["silence"]).unwrap();
        let alerts = written(&mut Detect::new(rules, &DetectOptions::default()), &input).concat();
        let told: BTreeSet<(String, String)> = alerts.iter().map(|alert| {
            (alert["window"].to_string(), alert["service"].as_str().unwrap().to_owned())
        }).collect();
        let mut expected = BTreeSet::new();
        for (index, services) in minutes.iter().enumerate().skip(3) {
            let was_there = |service: &u32| (index - 3..index).all(|n| minutes[n].contains(service));
            // The last window is not over.
            if index + 1 < minutes.len() {
                for service in (0..4).filter(|s| was_there(s) && !services.contains(s)) {
                    expected.insert((window(index as i64).to_string(), format!("s{service}")));
                }
            }
        }
        prop_assert_eq!(alerts.len(), told.len());
        prop_assert_eq!(told, expected);
    }

    #[test]
    fn no_input_makes_what_is_no_number(
        rules in any_rules(),
        emit in prop_oneof![Just(Emit::Alerts), Just(Emit::RowsAndAlerts), Just(Emit::Scores)],
        input in prop::collection::vec((any_value(), 0..200_i64, 0..3_u8, 0..3_u8), 1..150),
    ) {
        let row = |(value, minute, kind, key): &(Option<Value>, i64, u8, u8)| {
            let mut row = json!({"k": key, "service": key, "timestamp": 1_757_635_200 + minute});
            match kind {
                0 => row["window"] = window(*minute),
                1 => row["timestamp"] = json!(null),
                _ => {}
            }
            if *key == 2 {
                row["query"] = json!("response_time");
            }
            if let Some(value) = value {
                for field in ["x", "avg_response_time", "error_rate", "event_count"] {
                    row[field] = value.clone();
                }
            }
            row
        };
        let input: Vec<Value> = input.iter().map(row).collect();
        let options = DetectOptions {
            emit,
            bounds: SeriesBounds { expire: "1h".parse().unwrap(), most: 3 },
            ..DetectOptions::default()
        };
        let mut detect = Detect::new(rules, &options);
        let mut out = Output::in_memory();
        let text: Vec<String> = input.iter().map(Value::to_string).collect();
        let lines: Vec<&[u8]> = text.iter().map(String::as_bytes).collect();
        feed(&mut detect, &lines, &mut out);
        let written = std::str::from_utf8(out.rows()).unwrap();
        for line in written.lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            prop_assert!(!line.contains("NaN") && !line.contains(" inf"), "{}", line);
            if emit == Emit::Scores {
                let score = row["anomaly_score"].as_f64().unwrap();
                prop_assert!((0.0..=1.0).contains(&score), "{}", line);
            }
        }
        if emit == Emit::Scores {
            let lost = out.stats.rejected() as usize;
            prop_assert_eq!(written.lines().count() + lost, input.len());
        }
    }
}
