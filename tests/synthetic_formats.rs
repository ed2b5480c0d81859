//! `produce-synthetic --format` and `--speed`, through the programs that read
//! its lines.
#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use support::process::{End, Live};
use support::stages::PARSE;
use support::{command, run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_produce-synthetic");
const START: [&str; 2] = ["--start", "2025-09-12T00:00:00Z"];
const TEXT_FORMATS: [&str; 4] = ["apache", "nginx", "logfmt", "syslog"];

/// A stream's lines and its truth.
struct Stream {
    lines: Vec<u8>,
    truth: Vec<Value>,
}

#[track_caller]
fn produce(arguments: &[&str]) -> Stream {
    let folder = tempfile::tempdir().unwrap();
    let truth = folder.path().join("truth");
    let all = [arguments, &START, &["--truth", truth.to_str().unwrap()]].concat();
    let output = command(PROGRAM, all).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let truth = fs::read_to_string(truth).unwrap();
    Stream { lines: output.stdout, truth: support::rows::parse(&truth) }
}

/// What `parse` makes of the lines.
#[track_caller]
fn parse(format: &str, lines: &[u8]) -> Vec<Value> {
    support::rows::parse(&PARSE.run(&["--format", format], lines).success().stdout)
}

/// A record of the JSON stream as `parse` would find it in a line of the
/// format: the fields that the format can carry.
fn carried(format: &str, record: &Value) -> Value {
    let mut carried = record.clone();
    let fields = carried.as_object_mut().unwrap();
    match format {
        "apache" | "nginx" => {
            let to_the_second = format!("{}000Z", &record["timestamp"].as_str().unwrap()[..20]);
            fields["timestamp"] = to_the_second.into();
            for name in ["level", "request_id", "error_code"] {
                fields.remove(name);
            }
            let service = fields.remove("service").unwrap();
            let response_time = fields.remove("response_time").unwrap();
            if format == "apache" {
                fields.insert("vhost".into(), service);
            } else {
                fields.insert("response_time".into(), response_time);
            }
            let message = fields.remove("message").unwrap();
            let mut words = message.as_str().unwrap().split(' ');
            fields.insert("method".into(), words.next().unwrap().into());
            fields.insert("url".into(), words.next().unwrap().into());
        }
        "syslog" => {
            let level = match fields.get("level").and_then(Value::as_str) {
                Some("ERROR") => "err",
                Some("WARN") => "warning",
                _ => "info",
            };
            fields.insert("level".into(), level.into());
        }
        _ => {}
    }
    carried
}

/// Whether two values say the same: what is text in the format may be a number
/// in JSON, and what is null may not be there.
fn agree(json: &Value, parsed: Option<&Value>) -> bool {
    let number = |value: &Value| match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_f64(),
    };
    match (json, parsed) {
        (Value::Null, None) => true,
        (Value::Number(json), Some(parsed)) => json.as_f64() == number(parsed),
        (json, parsed) => Some(json) == parsed,
    }
}

#[test]
fn parse_finds_in_each_format_what_it_finds_in_json() {
    for stream in ["logs", "events"] {
        // Users beyond the first networks have addresses of IPv6.
        let arguments = [stream, "--count", "3000", "--users", "5000", "--out-of-order", "5s"];
        let plain = produce(&arguments);
        let records = parse("json", &plain.lines);
        for format in TEXT_FORMATS {
            if stream == "events" && matches!(format, "apache" | "nginx") {
                continue;
            }
            let text = produce(&[&arguments[..], &["--format", format]].concat());
            assert_eq!(text.truth, plain.truth);
            let parsed = parse(format, &text.lines);
            assert_eq!(parsed.len(), records.len(), "{format}");
            for (record, parsed) in records.iter().zip(&parsed) {
                let data = &parsed["structured_data"];
                let data = data.get("request@32473").or(data.get("event@32473"));
                for (name, value) in carried(format, record).as_object().unwrap() {
                    let found = parsed.get(name).or_else(|| data?.get(name));
                    assert!(agree(value, found), "{format}: {name}\n{record}\n{parsed}");
                }
            }
        }
    }
}

#[test]
fn access_logs_have_a_size_and_queries_run_over_services() {
    let text = produce(&["logs", "--count", "500", "--format", "apache"]);
    for record in parse("apache", &text.lines) {
        assert!((80..20_200).contains(&record["bytes"].as_u64().unwrap()), "{record}");
        assert!(record.get("extra").is_none(), "{record}");
    }
    let renamed = PARSE.run(&["--rename", "vhost=service"], &text.lines).success();
    let window = env!("CARGO_BIN_EXE_window");
    let from_text = run(window, ["--query", "error_rate"], renamed.stdout.as_bytes()).success();
    let plain = produce(&["logs", "--count", "500"]);
    let from_json = run(window, ["--query", "error_rate"], &plain.lines).success();
    assert_eq!(from_text.stdout, from_json.stdout);
    assert_eq!(from_json.stdout.lines().count(), 8);
}

#[test]
fn the_truth_numbers_the_lines_of_every_format() {
    let faults = ["--malformed", "5%", "--duplicate", "2%", "--late", "2%:1m..2m"];
    let arguments = [&["logs", "--duration", "5m", "--rate", "20"][..], &faults].concat();
    for format in TEXT_FORMATS {
        let Stream { lines, truth } = produce(&[&arguments[..], &["--format", format]].concat());
        let folder = tempfile::tempdir().unwrap();
        let rejects = folder.path().join("rejects");
        let flags = ["--format", format, "--rejects", rejects.to_str().unwrap()];
        PARSE.run(&flags, &lines).success();
        let reject = |reject: &Value| {
            let (reason, _) = reject["error"].as_str().unwrap().split_once(':').unwrap();
            json!([reject["source"]["line"], reason])
        };
        let rejected: Vec<_> = support::rows::parse(&fs::read_to_string(&rejects).unwrap())
            .iter()
            .map(reject)
            .collect();
        let of_kind = |kind: &str| -> Vec<&Value> {
            truth.iter().filter(|told| told["kind"] == kind).collect()
        };
        let malformed: Vec<_> =
            of_kind("malformed").iter().map(|told| json!([told["line"], told["reason"]])).collect();
        assert!(malformed.len() > 200, "{}", malformed.len());
        assert_eq!(rejected, malformed, "{format}");
        let lines: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').collect();
        let line = |number: &Value| lines[number.as_u64().unwrap() as usize - 1];
        let duplicates = of_kind("duplicate");
        assert!(duplicates.len() > 50);
        for told in duplicates {
            assert_eq!(line(&told["line"]), line(&told["of"]), "{format}: {told}");
        }
        let late = of_kind("late");
        assert!(late.len() > 50);
        for told in late {
            let [record] = &parse(format, line(&told["line"]))[..] else { panic!("{told}") };
            let (time, told) = (&record["timestamp"], told["timestamp"].as_str().unwrap());
            assert_eq!(time.as_str().unwrap()[..19], told[..19], "{format}");
        }
    }
}

#[test]
fn text_from_partitions_is_wrapped() {
    for format in TEXT_FORMATS {
        let arguments = ["logs", "--count", "200", "--format", format];
        let plain = parse(format, &produce(&arguments).lines);
        let text = produce(&[&arguments[..], &["--partitions", "3"]].concat());
        let mut parsed = parse(format, &text.lines);
        for record in &mut parsed {
            let source = record.as_object_mut().unwrap().remove("@source").unwrap();
            assert_eq!(source["topic"], "logs");
        }
        assert_eq!(parsed, plain, "{format}");
    }
}

#[test]
fn late_data_has_formats_too() {
    let text = produce(&["late-data", "--format", "logfmt"]);
    let times: Vec<_> =
        parse("logfmt", &text.lines).iter().map(|event| event["timestamp"].clone()).collect();
    let minutes = ["00:00:00.000Z", "23:55:00.000Z", "23:45:00.000Z"];
    assert!(times.iter().zip(minutes).all(|(time, end)| time.as_str().unwrap().ends_with(end)));
    assert_eq!(times.len(), 3);
}

#[test]
fn speed_is_the_clocks() {
    // 41 records in 2 s of event time, of which the first to arrive may lack up to a quarter.
    let arguments = ["logs", "--count", "41", "--rate", "20", "--out-of-order", "500ms"];
    let plain = produce(&arguments);
    let begun = Instant::now();
    let paced = produce(&[&arguments[..], &["--speed", "4"]].concat());
    let took = begun.elapsed();
    assert!(paced.lines == plain.lines, "pace changes no byte");
    assert!(took >= Duration::from_millis(370), "{took:?}");
    let begun = Instant::now();
    produce(&[&arguments[..], &["--speed", "1000000"]].concat());
    assert!(begun.elapsed() < took, "faster than {took:?}");
}

#[test]
fn a_paced_stream_is_live_and_ends_well() {
    let slow = ["events", "--rate", "1", "--speed", "0.001", "--duration", "1d"];
    // A signal ends it between two lines.
    let mut program = Live::spawn(command(PROGRAM, slow));
    program.close();
    let event: Value = serde_json::from_str(&program.line()).unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    let time = event["timestamp"].as_u64().unwrap();
    assert!(now - time < 20_000, "a live stream begins now: {time} at {now}");
    program.signal(Signal::INT);
    assert_eq!(program.end(), (End::Code(0), vec![], vec![]));
    // So does a reader that leaves.
    let mut command = command(PROGRAM, slow);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut reader = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
    drop(reader);
    assert_eq!(support::process::end(&mut child), End::Code(0));
}
