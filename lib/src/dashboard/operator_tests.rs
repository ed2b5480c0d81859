use serde_json::{Value, json};

use super::*;
use crate::dashboard::Cursor;
use crate::time::TimeDelta;

const WINDOW: &str =
    r#""window":{"start":"1970-01-01T00:00:00.000Z","end":"1970-01-01T00:01:00.000Z"}"#;

fn shown(queries: &[&str], lines: &[&str]) -> Value {
    let history = Shared::new(Bounds::new(TimeDelta::from_seconds(3_600)));
    let queries = queries.iter().map(|query| (*query).to_owned()).collect();
    let selection = Selection::new(queries, Vec::new());
    let mut dashboard = Dashboard::new(history.clone(), selection);
    let mut out = Output::in_memory();
    for line in lines {
        dashboard.on_record(Line { bytes: line.as_bytes(), fault: None }, &mut out).unwrap();
    }
    dashboard.on_end(&mut out).unwrap();
    assert_eq!(out.rows(), b"");
    let mut text = Vec::new();
    history.lock().read(&mut Cursor::default(), usize::MAX, &mut text);
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn strings_are_labels_and_numbers_series() {
    let row = format!(
        r#"{{"query":"q",{WINDOW},"service":"a\n\"","n":3,"reason":"because","at":"2025-09-12T00:00:00Z","list":[1],"x":null,"revision":2}}"#
    );
    let told = shown(&[], &[&row]);
    let expected = json!([{
        "id": 0, "field": "n", "query": "q", "labels": [["service", "a\n\""]], "length": 60_000,
        "t": [60_000], "v": [3.0],
    }]);
    assert_eq!(told["series"], expected);
    assert_eq!(told["status"]["newest"], 60_000);
    assert_eq!(told["status"]["ended"], "done");
}

#[test]
fn alerts_keep_what_a_person_wants_to_know() {
    let alert = format!(
        r#"{{"alert":"ddos","severity":"critical",{WINDOW},"ip_address":"192.0.2.7","field":"request_count","value":101,"expected":null,"score":1.5,"reason":"over 100"}}"#
    );
    let told = shown(&[], &[&alert, &alert]);
    let expected = json!({
        "id": 0, "t": 60_000, "query": null, "labels": [["ip_address", "192.0.2.7"]], "alert": "ddos",
        "severity": "critical", "field": "request_count", "value": "101", "reason": "over 100",
    });
    assert_eq!(told["alerts"][0], expected);
    assert_eq!(told["counts"], json!([["ddos", 2]]));
    assert_eq!(told["series"], json!([]));
}

#[test]
fn rows_by_address_or_user_are_shown_if_asked_for() {
    let row = format!(r#"{{"query":"ddos",{WINDOW},"ip_address":"192.0.2.7","n":1}}"#);
    let other = format!(r#"{{"query":"errors",{WINDOW},"n":1}}"#);
    for (queries, filtered, query) in [(&[][..], 1, "errors"), (&["ddos"][..], 1, "ddos")] {
        let told = shown(queries, &[&row, &other]);
        assert_eq!(told["status"]["filtered"], filtered);
        assert_eq!(told["status"]["rows"], 1);
        assert_eq!(told["series"][0]["query"], query);
    }
}

#[test]
fn rows_without_a_window_stand_at_their_timestamp() {
    let told = shown(&[], &[r#"{"timestamp":120,"n":1}"#, r#"{"n":2}"#]);
    assert_eq!(told["series"][0]["t"], json!([120_000]));
    assert_eq!(told["series"][0]["v"], json!([2.0]));
    assert_eq!(told["series"].as_array().unwrap().len(), 1);
}

#[test]
fn lines_that_are_no_rows_are_counted() {
    let good = format!("{{{WINDOW},\"n\":1}}");
    let told = shown(&[], &["nonsense", r#"{"window":{"start":"x","end":1},"n":1}"#, &good]);
    assert_eq!(told["status"]["rejected"], 2);
    assert_eq!(told["status"]["rows"], 1);
}

#[test]
fn hostile_text_is_cut_and_stays_text() {
    let long = "y".repeat(1 << 20);
    let alert = format!(
        r#"{{"alert":"</script><script>alert(1)</script>","severity":"{long}",{WINDOW},"reason":"\u2028{long}","value":"{long}"}}"#
    );
    let row = format!(r#"{{{WINDOW},"service":"{long}","n":1}}"#);
    let told = shown(&[], &[&alert, &row]);
    assert_eq!(told["alerts"][0]["alert"], "</script><script>alert(1)</script>");
    for part in ["severity", "reason", "value"] {
        assert_eq!(told["alerts"][0][part].as_str().unwrap().chars().count(), 257, "{part}");
    }
    assert_eq!(told["series"][0]["labels"], json!([]));
}
