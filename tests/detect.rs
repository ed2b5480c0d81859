//! `detect` as a program.
#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use support::rows::parse;
use support::stages::WINDOW;
use support::{Ran, read_testdata, run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_detect");

#[track_caller]
fn detect(arguments: &[&str], input: &str) -> Ran {
    run(PROGRAM, arguments, input.as_bytes())
}

#[test]
fn scores_are_those_of_the_prototype_one_for_each_line() {
    let golden = parse(&read_testdata("detectors-golden.ndjson"));
    // Times that repeat and go back, as where clocks are put back.
    let line = |(number, row): (usize, &Value)| {
        let hour = number / 10 % 24;
        format!("{{\"timestamp\":\"2014-04-01T{hour:02}:00:00Z\",\"value\":{}}}\n", row["value"])
    };
    let input: String = golden.iter().enumerate().map(line).collect();
    let arguments =
        ["--detector", "surprise", "--field", "value", "--time", "timestamp", "--annotate"];
    let ran = detect(&arguments, &input).success();
    assert_eq!(ran.stderr, "");
    let scored = parse(&ran.stdout);
    assert_eq!(scored.len(), golden.len());
    let mut reported = 0;
    for ((line, scored), golden) in ran.stdout.lines().zip(&scored).zip(&golden) {
        let (score, expected) =
            (scored["anomaly_score"].as_f64().unwrap(), golden["anomaly_score"].as_f64().unwrap());
        assert!((score - expected).abs() < 1e-6, "{line}, should be {golden}");
        reported += usize::from(score > 0.0);
    }
    assert!(reported > 0);
    for (line, before) in ran.stdout.lines().zip(input.lines()) {
        let stem = line.split_once(",\"anomaly_score\":").unwrap().0;
        assert_eq!(format!("{stem}}}"), before, "all else stays");
    }
}

#[test]
fn every_record_that_is_not_rejected_has_a_line_with_its_score() {
    let folder = tempfile::tempdir().unwrap();
    let rejects = folder.path().join("rejects");
    let row = r#"{"timestamp":1,"n":9}"#;
    let alert = r#"{"alert":"ddos","severity":"critical","n":9}"#;
    let input = format!("{row}\n\n{{broken\n{alert}\n[]\n  \n{{}}\n");
    let arguments = ["--when", "n > 5", "--annotate", "--rejects", rejects.to_str().unwrap()];
    let ran = detect(&arguments, &input).success();
    let scored = r#"{"timestamp":1,"n":9,"anomaly_score":1.0}"#;
    assert_eq!(ran.stdout, format!("{scored}\n{alert}\n{{\"anomaly_score\":0.0}}\n"));
    let rejected = parse(&fs::read_to_string(&rejects).unwrap());
    let raw: Vec<&Value> = rejected.iter().map(|line| &line["raw"]).collect();
    assert_eq!(raw, ["{broken", "[]"]);
}

/// Rows of the queries minute by minute, each with these services, letters.
fn minutes(queries: &[&str], minutes: &[&str]) -> String {
    let mut rows = String::new();
    for (minute, services) in minutes.iter().enumerate() {
        let at = |minute: usize| format!("2025-09-12T00:{minute:02}:00Z");
        let window = serde_json::json!({"start": at(minute), "end": at(minute + 1)});
        for query in queries {
            for service in services.chars() {
                let row = serde_json::json!(
                    {"query": query, "window": window, "service": service.to_string()});
                rows.extend([row.to_string().as_str(), "\n"]);
            }
        }
    }
    rows
}

/// Query, service and minute of alerts of silence.
fn silences(ran: &Ran) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let of = |alert: &Value| {
        assert_eq!((&alert["alert"], &alert["severity"]), (&"silence".into(), &"critical".into()));
        let minute = text(&alert["window"]["start"])[14..16].to_owned();
        (text(&alert["query"]), text(&alert["service"]), minute)
    };
    parse(&ran.stdout).iter().map(of).collect()
}

#[test]
fn a_service_that_is_gone_is_told_once_for_all_queries() {
    let queries = ["response_time", "error_rate", "sla", "service_popularity"];
    // a is gone in minutes 3 to 5 and from 9 on, b from 10 on.
    let rows = minutes(
        &queries,
        &["abc", "abc", "abc", "bc", "bc", "bc", "abc", "abc", "abc", "bc", "c", "c", "c"],
    );
    let told = silences(&detect(&["--rule", "silence"], &rows).success());
    let expected = [("a", "03"), ("a", "09"), ("b", "10")]
        .map(|(service, minute)| ("response_time".into(), service.into(), minute.into()));
    assert_eq!(told, expected);
}

#[test]
fn how_many_rows_make_one_expected_can_be_said() {
    let rows = minutes(&["mine", "error_rate"], &["ab", "ab", "b", "b", "ab", "b", "b"]);
    for (arguments, expected) in [
        (&["--silence", "2"][..], &[("error_rate", "02")][..]),
        (&["--silence", "3"], &[]),
        (&["--silence", "1", "--by", "service"], &[("mine", "02"), ("mine", "05")]),
    ] {
        let told = silences(&detect(arguments, &rows).success());
        let told: Vec<_> = told.iter().map(|(query, _, minute)| (&**query, &**minute)).collect();
        assert_eq!(told, expected, "{arguments:?}");
    }
}

#[test]
fn rules_of_a_file_run_beside_those_with_names() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("team.toml");
    fs::write(&file, read_testdata("detect/rules.toml")).unwrap();
    let file = file.to_str().unwrap();
    let arguments =
        ["--rules", file, "--rule", "error_rate_spike", "--by", "host", "--when", "n > 8"];
    let ran = detect(&arguments, &read_testdata("detect/rows.ndjson")).success();
    assert_eq!(ran.stdout, read_testdata("detect/alerts.ndjson"));
}

#[test]
fn a_mistake_in_a_file_is_underlined() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("team.toml");
    fs::write(&file, "[[rule]]\nname = \"x\"\nwhen = \"n > cuont(5)\"\n").unwrap();
    let ran = detect(&["--rules", file.to_str().unwrap()], "").exited(2);
    for part in ["unknown function `cuont`", "team.toml:3:", "^^^^^", "did you mean `count`"] {
        assert!(ran.stderr.contains(part), "{part}\n{ran}");
    }
}

#[test]
fn allow_lists_can_be_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("office");
    fs::write(&file, "# our own\n\nip=192.0.2.0/24   # office\nip=2001:db8::/32,198.51.100.7\n")
        .unwrap();
    let values = folder.path().join("values.txt");
    fs::write(&values, "192.0.2.0/24 # the office\n2001:db8::/32,198.51.100.7\t# a#b\n").unwrap();
    let input = ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::9", "198.51.100.7", "203.0.113.1"]
        .map(|address| format!("{{\"ip\":\"{address}\",\"n\":9}}\n"))
        .concat();
    let of_one_field = format!("ip=@{}", values.display());
    for list in [file.to_str().unwrap(), &of_one_field] {
        let arguments = ["--when", "n > 5", "--by", "ip", "--allow", list];
        let ran = detect(&arguments, &input).success();
        let alerts = parse(&ran.stdout);
        assert_eq!(alerts.len(), 1, "{ran}");
        assert_eq!(alerts[0]["ip"], "203.0.113.1");
    }
}

#[test]
fn an_allow_list_that_would_allow_nothing_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("office.txt");
    let path = file.to_str().unwrap();
    for (text, list, message) in [
        ("ip=192.0.2.0/24 # office\nprobes\n", path.to_owned(), ":2: \"probes\": write it like"),
        ("\nip=192.0.2.7 office\n", path.to_owned(), ":2: \"192.0.2.7 office\": behind an address"),
        ("192.0.2.0/24\n192.0.2/24\n", format!("ip=@{path}"), ":2: \"192.0.2/24\" is no network"),
        ("ip=192.0.2.0/24\n", format!("ip=@{path}"), ":1: \"ip=192.0.2.0/24\": this is a list of"),
        ("192.0.2.0/24\n", format!("ip={path}"), " is a file; write ip=@"),
    ] {
        fs::write(&file, text).unwrap();
        let ran = detect(&["--when", "n > 5", "--allow", &list], "").exited(2);
        assert!(ran.stderr.contains(message) && ran.stderr.contains(path), "{message}\n{ran}");
    }
    let ran = detect(&["--when", "n > 5", "--allow", "ip=@nosuch"], "").exited(1);
    assert!(ran.stderr.contains("cannot read the values of ip from nosuch"), "{ran}");
}

#[test]
fn what_cannot_be_asked_for_is_told() {
    for (arguments, message) in [
        (&["--when", "n >"][..], "--when:1:"),
        (&["--detector", "surprise"], "--field"),
        (&["--detector", "suprise", "--field", "x"], "there is no detector \"suprise\""),
        (&["--field", "x"], "--detector"),
        (&["--by", "x"], "--by belongs to --when"),
        (&["--threshold", "3"], "--threshold belongs to"),
        (&["--annotate", "--pass-through"], "cannot be used with"),
        (&["--annotate", "--cooldown", "10m"], "cannot be used with"),
        (&["--silence", "0"], "1..=1000000"),
        (&["--allow", "ip=192.0.2.7/24"], "the network with this address is 192.0.2.0/24"),
        (&["--cooldown", "0s"], "it must be longer than 0s"),
        (&["--min-gap", "2", "--detector", "novelty", "--field", "x"], "a share from 0 to 1"),
        (&["--rule", "dos"], "there is no rule \"dos\""),
    ] {
        let ran = detect(arguments, "").exited(2);
        assert!(ran.stderr.contains(message), "{message}\n{ran}");
    }
    let ran = detect(&["--rules", "refernce"], "").exited(1);
    assert!(ran.stderr.contains("cannot read rules from refernce"), "{ran}");
}

#[test]
fn what_is_asked_for_and_never_there_is_named_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("team.toml");
    fs::write(
        &file,
        "[[rule]]\nname = \"x\"\nquery = \"eror_rate\"\nby = [\"host\"]\nspike = \"load\"\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let rows = concat!(
        r#"{"query":"error_rate","at":"2025-09-12T00:00:00Z","service":"a","error_rate":1,"odd":1}"#,
        "\n",
        r#"{"query":"error_rate","at":"2025-09-12T00:01:00Z","service":"a","error_rate":2}"#,
        "\n"
    );
    let surprise = ["--detector", "surprise", "--field"];
    let field = |name| [&surprise[..], &[name]].concat();
    let and = |arguments: Vec<&'static str>, more: &[&'static str]| [&arguments, more].concat();
    for (arguments, told) in [
        (field("error_rat"), "no row had a field error_rat; did you mean error_rate?\n"),
        (field("latency"), "no row had a field latency\n"),
        (
            and(field("error_rate"), &["--by", "servce"]),
            "no row had a field servce; did you mean service?\n",
        ),
        (
            and(field("error_rate"), &["--time", "att"]),
            "no row had a field att; did you mean at?\n",
        ),
        (
            and(field("error_rate"), &["--allow", "sevice=a"]),
            "no row had a field sevice; did you mean service?\n",
        ),
        (vec!["--when", "error_rate > 1 AND od > 2"], "no row had a field od\n"),
        (vec!["--spike", "odd", "--by", "service"], ""),
        (vec!["--rule", "error_rate_spike", "--time", "at"], ""),
        (vec!["--rule", "ddos", "--pass-through"], ""),
        (
            vec!["--rule", "ddos"],
            "no rule looks at any of the 2 rows; put window --query log-analysis before, or say \
             what to watch: --detector surprise --field FIELD\n",
        ),
    ] {
        let ran = detect(&arguments, rows).success();
        let told = if told.is_empty() { String::new() } else { format!("detect: {told}") };
        assert_eq!(ran.stderr, told, "{ran}");
        assert_eq!(detect(&arguments, "").success().stderr, "", "of nothing nothing is told");
    }
    let ran = detect(&["--rules", file], rows).success();
    assert_eq!(ran.stderr, "detect: no row is of the query eror_rate; did you mean error_rate?\n");
}

#[test]
fn figures_tell_what_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stats.json");
    let row = |n: u32| format!("{{\"timestamp\":{n},\"k\":{},\"x\":1}}\n", n % 7);
    let input: String = (0..30).fold(String::new(), |input, n| input + &row(n));
    let stats = ["--stats", file.to_str().unwrap(), "--max-series", "5"];
    let arguments = ["--detector", "surprise", "--field", "x", "--by", "k"];
    detect(&[&arguments[..], &stats].concat(), &input).success();
    let stats: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!((&stats["series"], &stats["expired"]), (&5.into(), &0.into()));
    assert_eq!(stats["refused"], 8, "rows of two series beyond five");
    let bytes = stats["state_bytes"].as_u64().unwrap();
    assert!((500..10_000).contains(&bytes), "five short series take {bytes} bytes");
}

/// Rows of the queries from a stream of `produce-synthetic`.
fn synthetic_rows(stream: &[&str], queries: &[&str]) -> String {
    let logs = run(env!("CARGO_BIN_EXE_produce-synthetic"), stream, b"").success().stdout;
    let queries = queries.iter().flat_map(|query| ["--query", query]);
    run(WINDOW.path, queries, logs.as_bytes()).success().stdout
}

#[test]
fn noise_gets_at_most_one_alert_in_1_000_rows_of_any_query_alone() {
    let mut by_query: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for seed in ["41", "42", "43", "44"] {
        let stream = ["logs", "--duration", "3h", "--rate", "20", "--seed", seed];
        let disorder = ["--start", "2025-09-12T00:00:00Z", "--out-of-order", "30s"];
        let queries = ["log-analysis", "latency", "user_burst"];
        let rows = synthetic_rows(&[&stream[..], &disorder].concat(), &queries);
        let mut alone: BTreeMap<&str, String> = BTreeMap::new();
        for row in rows.lines() {
            let query = row.split('"').nth(3).unwrap();
            alone.entry(query).or_default().extend([row, "\n"]);
        }
        for (query, rows) in alone {
            let alerts = detect(&[], &rows).success().stdout;
            let (all, told) = by_query.entry(query.to_owned()).or_default();
            *all += rows.lines().count() as u64;
            *told += alerts.lines().count() as u64;
        }
    }
    assert!(by_query["response_time"].0 > 5_000 && by_query["error_rate"].0 > 5_000);
    for (query, (rows, alerts)) in by_query {
        assert!(alerts * 1_000 <= rows, "{query}: {alerts} alerts in {rows} rows");
    }
}

/// Whether an alert tells of an anomaly of the truth.
fn finds(alert: &Value, anomaly: &Value) -> bool {
    let rule = match alert["alert"].as_str().unwrap() {
        "surprise" => "response_time_anomaly",
        rule => rule,
    };
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let (window, is_it) =
        (&alert["window"], |key: &str| anomaly[key].is_null() || anomaly[key] == alert[key]);
    rule == anomaly["rule"]
        && text(window, "start") < text(anomaly, "end")
        && text(anomaly, "start") < text(window, "end")
        && ["service", "ip_address", "user_id"].into_iter().all(is_it)
}

#[test]
fn what_was_put_in_is_found_and_little_else() {
    let folder = tempfile::tempdir().unwrap();
    let truth = folder.path().join("truth.ndjson");
    let arguments = [
        "logs",
        "--duration",
        "3h",
        "--rate",
        "20",
        "--seed",
        "5",
        "--start",
        "2025-09-12T00:00:00Z",
        "--out-of-order",
        "30s",
        "--anomaly",
        "error-spike@20m+3m,service=auth",
        "--anomaly",
        "ddos@40m+2m",
        "--anomaly",
        "suspicious-ip@50m+5m",
        "--anomaly",
        "user-burst@60m+5m",
        "--anomaly",
        "latency@120m+3m,service=search",
        "--anomaly",
        "silence@150m+4m,service=payment",
        "--truth",
        truth.to_str().unwrap(),
    ];
    let rows = synthetic_rows(&arguments, &["log-analysis", "user_burst"]);
    let alerts = parse(&detect(&[], &rows).success().stdout);
    let truth = parse(&fs::read_to_string(&truth).unwrap());
    let anomalies: Vec<&Value> = truth.iter().filter(|line| line["kind"] == "anomaly").collect();
    assert_eq!(anomalies.len(), 6);
    for anomaly in &anomalies {
        assert!(alerts.iter().any(|alert| finds(alert, anomaly)), "{anomaly} is missed");
    }
    // The few users behind a denial of service are busy too.
    let is_side_effect = |alert: &Value| {
        alert["alert"] == "user_burst"
            && truth.iter().any(|anomaly| {
                anomaly["users"].as_array().is_some_and(|users| users.contains(&alert["user_id"]))
            })
    };
    let is_false = |alert: &&Value| {
        !anomalies.iter().any(|anomaly| finds(alert, anomaly)) && !is_side_effect(alert)
    };
    let false_alerts: Vec<&Value> = alerts.iter().filter(is_false).collect();
    let rows = rows.lines().count();
    assert!(
        false_alerts.len() * 1_000 <= rows,
        "{} false alerts in {rows} rows: {false_alerts:#?}",
        false_alerts.len()
    );
}
