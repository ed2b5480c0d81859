//! Known cases of the whole stage, and the law of snapshots.

use super::*;
use crate::detect::detector::{DetectorKind, Settings};
use crate::detect::{BARE, Condition, REFERENCE, select_rules};
use crate::line::Reason;
use proptest::prelude::*;

fn reference() -> Detect {
    Detect::new(select_rules(&REFERENCE).unwrap(), &DetectOptions::default())
}

fn emitting(rules: Vec<Rule>, emit: Emit) -> Detect {
    Detect::new(rules, &DetectOptions { emit, ..DetectOptions::default() })
}

/// Judges by the instants in `at`.
fn at(rules: Vec<Rule>) -> Detect {
    Detect::new(rules, &DetectOptions { time_field: "at".into(), ..DetectOptions::default() })
}

fn reference_passing() -> Detect {
    emitting(select_rules(&REFERENCE).unwrap(), Emit::RowsAndAlerts)
}

/// Feeds lines; returns all that was written.
fn feed<S: AsRef<str>>(detect: &mut Detect, lines: &[S], out: &mut Output) -> String {
    let before = out.rows().len();
    for line in lines {
        detect.on_record(Line { bytes: line.as_ref().as_bytes(), fault: None }, out).unwrap();
    }
    String::from_utf8(out.rows()[before..].to_vec()).unwrap()
}

/// What each line in turn makes the operator write.
fn outputs<S: AsRef<str>>(detect: &mut Detect, lines: &[S]) -> Vec<String> {
    let mut out = Output::in_memory();
    lines.iter().map(|line| feed(detect, &[line.as_ref()], &mut out)).collect()
}

/// A member of an alert, as JSON; empty if there is no alert.
fn member(alert: &str, name: &str) -> String {
    if alert.is_empty() {
        return String::new();
    }
    let alert: serde_json::Value = serde_json::from_str(alert).unwrap();
    alert[name].to_string()
}

/// The window that begins at a minute, as a member.
fn window(minute: u32) -> String {
    let at = |minute: u32| format!("2025-09-12T{:02}:{:02}:00.000Z", minute / 60, minute % 60);
    format!(r#""window":{{"start":"{}","end":"{}"}}"#, at(minute), at(minute + 1))
}

fn error_rate(minute: u32, service: &str, rate: &str) -> String {
    let window = window(minute);
    format!(r#"{{"query":"error_rate",{window},"service":"{service}","error_rate":{rate}}}"#)
}

fn response_time(minute: u32, service: &str, value: &str) -> String {
    let window = window(minute);
    format!(
        r#"{{"query":"response_time",{window},"service":"{service}","avg_response_time":{value}}}"#
    )
}

#[test]
fn an_alert_has_the_shape_of_the_contract() {
    let rows = [error_rate(0, "auth", "4.1"), error_rate(1, "auth", "31.2")];
    let alert = concat!(
        r#"{"alert":"error_rate_spike","severity":"critical","#,
        r#""window":{"start":"2025-09-12T00:01:00.000Z","end":"2025-09-12T00:02:00.000Z"},"#,
        r#""service":"auth","field":"error_rate","value":31.2,"expected":4.1,"score":27.1,"#,
        r#""reason":"error_rate 31.2 is 27.1 points above the window before (4.1), limit 10"}"#,
        "\n"
    );
    assert_eq!(outputs(&mut reference(), &rows), ["", alert]);
    let passing = outputs(&mut reference_passing(), &rows);
    assert_eq!(passing, [format!("{}\n", rows[0]), format!("{}\n{alert}", rows[1])]);
}

#[test]
fn spikes_are_judged_by_the_row_before_of_their_service() {
    // minute, service, error_rate → score
    let rows = [
        (0, "a", "5.0", ""),           // the first row has none before it
        (0, "b", "50.0", ""),          // another service
        (1, "a", "15.0", ""),          // exactly 10 is not more than 10
        (1, "b", "50.5", ""),          //
        (2, "a", "25.5", "10.5"),      //
        (2, "a", "25.0", ""),          // replaces, judged by minute 1
        (1, "a", "99.0", ""),          // older: passed over
        (9, "a", "35.5", "10.5"),      // judged by the replacement, over a gap
        (10, "a", "null", ""),         //
        (11, "a", "46.0", ""),         // nothing rises above a null
        (12, "a", "\"57.5\"", "11.5"), // a number as a string
        (13, "a", "\"high\"", ""),     //
        (13, "a", "true", ""),         //
        (14, "a", "99", ""),           // what is no number is null
        (15, "a", "1e150", ""),        // too large to reckon with
        (13, "b", "0", ""),            // a fall
    ];
    let lines: Vec<String> = rows.iter().map(|row| error_rate(row.0, row.1, row.2)).collect();
    let (mut detect, mut out) = (reference(), Output::in_memory());
    for (line, (.., score)) in lines.iter().zip(rows) {
        let alert = feed(&mut detect, &[line], &mut out);
        assert_eq!(member(&alert, "score"), score, "{line}");
    }
    assert_eq!(detect.passed_over(), 1);
    assert_eq!(out.stats.casts_failed, 3);
    assert_eq!(out.stats.rejected(), 0);
}

#[test]
fn z_scores_need_two_rows_that_deviate() {
    let mut detect = reference();
    let mut scores = |values: &[&str], service: &str| {
        let rows: Vec<String> = (0..)
            .zip(values)
            .map(|(minute, value)| response_time(minute, service, value))
            .collect();
        let alerts = outputs(&mut detect, &rows);
        alerts.iter().map(|alert| member(alert, "score")).collect::<Vec<_>>()
    };
    assert_eq!(scores(&["1", "99"], "one before"), ["", ""]);
    assert_eq!(scores(&["1", "null", "99"], "a null is none"), ["", "", ""]);
    assert_eq!(scores(&["0.1", "0.1", "0.1", "99"], "no deviation"), ["", "", "", ""]);
    assert_eq!(scores(&["1", "3", "2", "4"], "at two"), ["", "", "", ""]);
    assert_eq!(scores(&["1", "3", "2", "4.5"], "above"), ["", "", "", "2.5"]);
    assert_eq!(scores(&["1", "3", "2", "-1"], "below"), ["", "", "", "-3.0"]);
}

#[test]
fn z_scores_look_back_ten_rows() {
    // 100 and 300 have left the ten rows before the last one: 1, 3, 1, 3, …
    let mut values = vec!["100", "300"];
    values.extend(["1", "3"].repeat(5));
    values.push("5");
    let rows: Vec<String> =
        (0..).zip(values).map(|(minute, value)| response_time(minute, "a", value)).collect();
    let alerts = outputs(&mut reference(), &rows);
    let last = alerts.last().unwrap();
    // The sample deviation is √(10 · 1 / 9); the population's would give 3.
    let z: f64 = member(last, "score").parse().unwrap();
    assert!((z - 3.0 * 0.9_f64.sqrt()).abs() < 1e-12, "{z}");
    assert_eq!(member(last, "expected"), "2.0");
    assert_eq!(
        member(last, "reason"),
        "\"avg_response_time 5 is 2.84605 deviations above the mean 2 of the 10 rows before \
         (deviation 1.05409), limit 2\""
    );
}

#[test]
fn limits_judge_one_row() {
    let list = |count: usize| format!("[{}]", vec!["\"s,]\""; count].join(","));
    let ip = |query: &str, count: u32, rest: &str| {
        let window = window(0);
        format!(
            r#"{{"query":"{query}",{window},"ip_address":"192.0.2.7","request_count":{count},{rest}}}"#
        )
    };
    let services = |count| format!("\"services_used\":{}", list(count));
    for (row, name, reason) in [
        (
            ip("ip_patterns", 1001, &services(6)),
            "suspicious_ip",
            "request_count 1001 is over 1000 and size(services_used) 6 is over 5",
        ),
        (ip("ip_patterns", 1000, &services(6)), "", ""),
        (ip("ip_patterns", 1001, &services(5)), "", ""),
        (ip("ip_patterns", 1001, "\"services_used\":null"), "", ""),
        (ip("ip_patterns", 1001, "\"x\":1"), "", ""),
        (
            ip("ddos", 101, "\"unique_users\":4"),
            "ddos",
            "request_count 101 is over 100 and unique_users 4 is under 5",
        ),
        (ip("ddos", 100, "\"unique_users\":4"), "", ""),
        (ip("ddos", 101, "\"unique_users\":5"), "", ""),
        (ip("ip_patterns", 101, "\"unique_users\":4"), "", ""),
        (
            r#"{"query":"user_burst","user_id":null,"event_count":51}"#.into(),
            "user_burst",
            "event_count 51 is over 50",
        ),
        (r#"{"query":"user_burst","user_id":"u","event_count":50}"#.into(), "", ""),
        (
            r#"{"query":"late_alert","user_id":"u","late_event_count":"6"}"#.into(),
            "late_data",
            "late_event_count 6 is over 5",
        ),
        (r#"{"query":"late_alert","user_id":"u","late_event_count":5}"#.into(), "", ""),
    ] {
        let alert = outputs(&mut reference(), &[&row]).concat();
        let text = |name: &str| if name.is_empty() { String::new() } else { format!("\"{name}\"") };
        assert_eq!(member(&alert, "alert"), text(name), "{row}");
        assert_eq!(member(&alert, "reason"), text(reason), "{row}");
    }
    let row = r#"{"query":"user_burst","event_count":75}"#;
    assert_eq!(
        outputs(&mut reference(), &[row]).concat(),
        concat!(
            r#"{"alert":"user_burst","severity":"warning","user_id":null,"field":"event_count","#,
            r#""value":75,"expected":50.0,"score":1.5,"reason":"event_count 75 is over 50"}"#,
            "\n"
        )
    );
}

#[test]
fn a_row_without_query_is_looked_at_if_it_has_all_fields_and_keys() {
    let window = window(0);
    for (rest, alerts) in [
        (r#""user_id":"u","event_count":51"#, 1),
        (r#""query":null,"user_id":"u","event_count":51"#, 1),
        (r#""query":"\u0075ser_burst","user_id":"u","event_count":51"#, 1),
        (r#""query":"user_events","user_id":"u","event_count":51"#, 0),
        (r#""query":7,"user_id":"u","event_count":51"#, 0),
        (r#""event_count":51"#, 0),
        // Both the fields of ddos and those of suspicious_ip.
        (
            r#""ip_address":"192.0.2.7","request_count":2000,"unique_users":1,"services_used":[1,2,3,4,5,6]"#,
            2,
        ),
    ] {
        let row = format!("{{{window},{rest}}}");
        let written = outputs(&mut reference(), &[&row]).concat();
        assert_eq!(written.lines().count(), alerts, "{row}");
    }
}

#[test]
fn any_field_can_be_watched() {
    let keys = ["host".to_owned()];
    let rules = vec![Rule::zscore("load", &keys, 3, 2.0), Rule::spike("load", &keys, 1.5)];
    let mut detect = at(rules);
    let row = |at: u32, rest: &str| format!(r#"{{"at":{at},"host":"h\u0031",{rest}}}"#);
    let rows = [
        row(1, r#""load":1"#),
        row(2, r#""load":2"#),
        row(3, r#""load":1,"query":"other""#),
        row(4, r#""load":4.50"#),
        r#"{"at":5,"load":99}"#.to_owned(),
    ];
    let alerts = outputs(&mut detect, &rows);
    assert_eq!(alerts[..3], ["", "", ""]);
    assert_eq!(
        alerts[3],
        concat!(
            r#"{"alert":"zscore","severity":"warning","at":4,"host":"h\u0031","field":"load","#,
            r#""value":4.50,"expected":1.5,"score":4.242640687119285,"n":2,"reason":"load 4.5 is 4.24264 "#,
            r#"deviations above the mean 1.5 of the 2 rows before (deviation 0.707107), limit 2"}"#,
            "\n",
            r#"{"alert":"spike","severity":"warning","at":4,"host":"h\u0031","field":"load","#,
            r#""value":4.50,"expected":2.0,"score":2.5,"reason":"load 4.5 is 2.5 points above "#,
            r#"the window before (2), limit 1.5"}"#,
            "\n"
        )
    );
    assert_eq!(alerts[4], "", "a row without the key is of no series");
}

#[test]
fn series_of_two_queries_are_apart_and_their_alerts_say_which() {
    let mut detect = at(vec![Rule::spike("n", &[], 1.0)]);
    let rows = [
        r#"{"at":1,"query":"a","n":1}"#,
        r#"{"at":1,"query":"b","n":9}"#,
        r#"{"at":2,"query":"a","n":5}"#,
    ];
    let alerts = outputs(&mut detect, &rows);
    assert_eq!(alerts[..2], ["", ""]);
    assert_eq!(member(&alerts[2], "query"), "\"a\"");
}

#[test]
fn unusable_lines_are_rejected_and_not_passed_on() {
    let no_window = r#"{"query":"error_rate","service":"a","error_rate":1}"#;
    for (line, reason) in [
        (no_window, Some(Reason::NoTimestamp)),
        (r#"{"query":"error_rate","window":{"start":"x","end":"y"}}"#, Some(Reason::BadTimestamp)),
        (r#"{"@raw":"127.0.0.1 - -"}"#, Some(Reason::NoMatch)),
        ("127.0.0.1 - -", Some(Reason::InvalidJson)),
        ("[1]", Some(Reason::NotObject)),
        (r#"{"@":"end"}"#, Some(Reason::ReservedKey)),
        (r#"{"no":"rule looks at it"}"#, None),
    ] {
        let mut out = Output::in_memory();
        let mut detect = reference_passing();
        let written = feed(&mut detect, &[line], &mut out);
        match reason {
            Some(reason) => {
                assert_eq!(
                    (written.as_str(), out.stats.rejected[reason.index()]),
                    ("", 1),
                    "{line}"
                );
            }
            None => assert_eq!((written, out.stats.rejected()), (format!("{line}\n"), 0)),
        }
    }
    let limits = select_rules(&["ddos"]).unwrap();
    let mut out = Output::in_memory();
    feed(&mut emitting(limits, Emit::Alerts), &[no_window], &mut out);
    assert_eq!(out.stats.rejected(), 0, "a rule that does not look back needs no time");
}

#[test]
fn alerts_of_an_earlier_detect_go_through() {
    let alert = r#"{"alert":"ddos","severity":"critical","user_id":"u","event_count":99}"#;
    assert_eq!(outputs(&mut reference(), &[alert]).concat(), format!("{alert}\n"));
}

#[test]
fn state_of_other_rules_is_refused() {
    let mut state = SnapshotWriter::new();
    reference().snapshot(&mut state);
    let state = state.into_bytes();
    assert!(reference().restore(&mut SnapshotReader::new(&state)).is_ok());
    let mut bare = emitting(select_rules(&BARE).unwrap(), Emit::Alerts);
    let error = bare.restore(&mut SnapshotReader::new(&state)).unwrap_err();
    assert!(matches!(error, RestoreError::Mismatch(_)), "{error}");
    let cut = &state[..state.len() - 1];
    let error = reference().restore(&mut SnapshotReader::new(cut)).unwrap_err();
    assert!(matches!(error, RestoreError::Damaged(_)), "{error}");
}

#[test]
fn a_null_takes_one_of_the_ten_places_before() {
    // 1 and 9 leave the ten rows before the last one; the nulls do not count.
    let mut values = vec!["1", "9", "2", "4"];
    values.extend(["null"; 8]);
    values.push("6");
    let rows: Vec<String> =
        (0..).zip(values).map(|(minute, value)| response_time(minute, "a", value)).collect();
    let alerts = outputs(&mut reference(), &rows);
    let last = alerts.last().unwrap();
    assert_eq!(member(last, "expected"), "3.0");
    assert_eq!(member(last, "n"), "2");
    let more = [response_time(20, "a", "null"), response_time(21, "a", "99")];
    let alerts = outputs(&mut reference(), &[rows, more.to_vec()].concat());
    assert!(alerts[13..].concat().is_empty(), "4, then 6: two values; then 6 alone");
}

#[test]
fn rows_without_windows_are_all_taken_as_they_come() {
    // Equal instants, one going back, one missing, one that is none.
    let rows = [
        r#"{"at":9,"n":1}"#,
        r#"{"at":9,"n":3}"#,
        r#"{"at":3,"n":6}"#,
        r#"{"n":10}"#,
        r#"{"at":"soon","n":15}"#,
    ];
    let mut detect = at(vec![Rule::spike("n", &[], 1.5)]);
    let alerts = outputs(&mut detect, &rows);
    let scores: Vec<String> = alerts.iter().map(|alert| member(alert, "score")).collect();
    assert_eq!(scores, ["", "2.0", "3.0", "4.0", "5.0"]);
    assert_eq!(detect.passed_over(), 0);
}

fn when(text: &str, keys: &[&str]) -> Rule {
    let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
    Rule::when(Condition::parse(text, "--when", "timestamp").unwrap(), &keys)
}

#[test]
fn conditions_look_at_any_row_with_their_keys() {
    let rule = when("n > 5 OR level = 'ERROR'", &["host"]);
    let rows = [
        r#"{"host":"a","n":7}"#,
        r#"{"n":7}"#,
        r#"{"host":null,"level":"ERROR"}"#,
        r#"{"host":"a","n":"x"}"#,
        r#"{"query":"any","host":"a","n":10}"#,
    ];
    let mut out = Output::in_memory();
    let written = feed(&mut emitting(vec![rule], Emit::Alerts), &rows, &mut out);
    assert_eq!(
        written,
        concat!(
            r#"{"alert":"when","severity":"warning","host":"a","field":"n","value":7,"#,
            r#""expected":5.0,"score":1.4,"#,
            r#""reason":"n > 5 OR level = 'ERROR', with n 7, level null"}"#,
            "\n",
            r#"{"alert":"when","severity":"warning","host":null,"field":"level","value":"ERROR","#,
            r#""expected":"ERROR","score":null,"#,
            r#""reason":"n > 5 OR level = 'ERROR', with n null, level \"ERROR\""}"#,
            "\n",
            r#"{"alert":"when","severity":"warning","query":"any","host":"a","field":"n","value":10,"#,
            r#""expected":5.0,"score":2.0,"#,
            r#""reason":"n > 5 OR level = 'ERROR', with n 10, level null"}"#,
            "\n"
        )
    );
    assert_eq!(out.stats.casts_failed, 1);
}

#[test]
fn a_series_is_not_alerted_again_while_it_cools_down() {
    let rule = Rule { cooldown: Some("10s".parse().unwrap()), ..when("n > 5", &["host"]) };
    let mut detect = at(vec![rule]);
    // at, host, whether it is alerted
    let rows = [
        (0, "a", true),
        (9, "a", false),
        (9, "b", true),
        (10, "a", true), // ten seconds behind the last alert
        (1, "a", false), // late
        (19, "a", false),
        (20, "a", true),
        (5, "a", true), // long before the last one
        (25, "a", false),
    ];
    let mut out = Output::in_memory();
    for (time, host, is_alerted) in rows {
        let row = format!(r#"{{"at":{time},"host":"{host}","n":9}}"#);
        assert_eq!(!feed(&mut detect, &[&row], &mut out).is_empty(), is_alerted, "{row}");
    }
    detect.stats(&mut out.stats);
    let suppressed = out.stats.own.iter().find(|figure| figure.name == "suppressed").unwrap();
    assert_eq!(suppressed.count, 4);
    feed(&mut detect, &[r#"{"host":"a","n":9}"#], &mut out);
    assert_eq!(out.stats.rejected[Reason::NoTimestamp.index()], 1, "it needs a time");
}

#[test]
fn a_row_without_the_field_does_not_take_its_window_s_value_back() {
    let settings = Settings { memory: 0, ..Settings::default() };
    let rule = Rule::detector(DetectorKind::Surprise, "v", &[], settings, None);
    let row = |minute: i64, rest: &str| {
        let (start, end) = (minute * 60, minute * 60 + 60);
        format!(r#"{{"window":{{"start":{start},"end":{end}}}{rest}}}"#)
    };
    let with_others = |others: bool| {
        let mut detect = emitting(vec![rule.clone()], Emit::Alerts);
        let mut rows = Vec::new();
        for minute in 0..200 {
            rows.push(row(
                minute,
                &format!(r#","v":{}"#, if minute == 150 { 900 } else { minute % 9 }),
            ));
            rows.extend(others.then(|| row(minute, r#","other":1"#)));
        }
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        outputs(&mut detect, &rows).concat()
    };
    assert!(!with_others(false).is_empty());
    assert_eq!(with_others(true), with_others(false));
}

#[test]
fn what_is_allowed_is_not_alerted() {
    let allow = ["ip=192.0.2.0/24,2001:db8::/32", "user=root"];
    let allow = allow.map(|list| crate::detect::Allow::parse(list).unwrap()).to_vec();
    let mut detect = emitting(vec![Rule { allow, ..when("n > 5", &["ip"]) }], Emit::Alerts);
    for (row, is_alerted) in [
        (r#"{"ip":"192.0.2.7","n":9}"#, false),
        (r#"{"ip":"::ffff:192.0.2.7","n":9}"#, false),
        (r#"{"ip":"198.51.100.7","n":9}"#, true),
        (r#"{"ip":"198.51.100.7","n":9,"user":"r\u006fot"}"#, false),
        (r#"{"ip":null,"n":9}"#, true),
    ] {
        assert_eq!(!outputs(&mut detect, &[row]).concat().is_empty(), is_alerted, "{row}");
    }
}

/// Values that hardly vary, then one that stands out.
fn usual_then(last: &str) -> Vec<String> {
    let usual = (0..400).map(|number| format!("{}.5", 10 + number % 5));
    usual.chain([last.to_owned()]).collect()
}

#[test]
fn detectors_tell_what_they_saw() {
    let rule = Rule::detector(
        crate::detect::detector::DetectorKind::Surprise,
        "load",
        &["host".to_owned()],
        crate::detect::detector::Settings::default(),
        None,
    );
    let row = |value: &String| format!(r#"{{"host":"a","load":{value}}}"#);
    let rows: Vec<String> = usual_then("99").iter().map(row).collect();
    let alerts = outputs(&mut emitting(vec![rule], Emit::Alerts), &rows);
    assert!(alerts[..400].concat().is_empty());
    let alert = &alerts[400];
    assert!(
        alert.starts_with(concat!(
            r#"{"alert":"surprise","severity":"warning","host":"a","field":"load","#,
            r#""value":99,"expected":14.5,"score":1.0,"n":400,"#
        )),
        "{alert}"
    );
    assert_eq!(member(alert, "n"), "400");
    assert!(
        alert.contains(r#""reason":"load 99 is 84.5 from the nearest value seen, 14.5"#),
        "{alert}"
    );
}

#[test]
fn scores_are_one_for_each_row_in_order() {
    let detector = Rule::detector(
        crate::detect::detector::DetectorKind::Surprise,
        "value",
        &[],
        crate::detect::detector::Settings::default(),
        None,
    );
    let row = |value: &String| format!(r#"{{"timestamp":"2014-04-01T00:00:00Z","value":{value}}}"#);
    let mut rows: Vec<String> = usual_then("99.0").iter().map(row).collect();
    let odd = [
        r#"{"timestamp":null,"value":11.5}"#,
        r#"{"timestamp":"2013-04-01T00:00:00Z","value":null}"#,
        r#"{"value":"many"}"#,
        r#"{"other":1}"#,
        r#"{"alert":"ddos","severity":"critical","user_id":"u"}"#,
        "{}",
    ];
    rows.extend(odd.map(str::to_owned));
    let written = outputs(&mut emitting(vec![detector], Emit::Scores), &rows);
    for (row, line) in rows.iter().zip(&written) {
        let stem = &row[..row.len() - 1];
        assert!(line.starts_with(stem), "{row}: {line}");
        assert_eq!(line.lines().count(), 1, "{line}");
    }
    assert_eq!(written[0], format!("{},\"anomaly_score\":0.0}}\n", &rows[0][..rows[0].len() - 1]));
    let score: f64 = member(&written[400], "anomaly_score").parse().unwrap();
    assert!(score > 0.5, "{score}");
    assert_eq!(written[405], format!("{}\n", rows[405]), "alerts are no rows");
    assert_eq!(written[406], "{\"anomaly_score\":0.0}\n");
}

#[test]
fn the_score_of_rules_without_one_is_one_where_they_alert() {
    let rules = vec![when("n > 5", &[]), when("n < 0", &[])];
    let written = outputs(
        &mut emitting(rules, Emit::Scores),
        &[r#"{"n":7}"#, r#"{"n":3,"anomaly_score":"old"}"#],
    );
    assert_eq!(written, ["{\"n\":7,\"anomaly_score\":1.0}\n", "{\"n\":3,\"anomaly_score\":0.0}\n"]);
}

#[test]
fn a_silent_service_is_told_once() {
    let mut detect = emitting(select_rules(&["silence"]).unwrap(), Emit::Alerts);
    let mut out = Output::in_memory();
    let mut written = String::new();
    for minute in 0..8 {
        for service in ["auth", "cart"] {
            if service == "cart" && minute > 3 {
                continue;
            }
            written += &feed(&mut detect, &[error_rate(minute, service, "1.5")], &mut out);
        }
    }
    assert_eq!(
        written,
        concat!(
            r#"{"alert":"silence","severity":"critical","window":{"start":"2025-09-12T00:04:00.000Z","#,
            r#""end":"2025-09-12T00:05:00.000Z"},"query":"error_rate","service":"cart","field":"rows","#,
            r#""value":0,"expected":1.0,"score":1.0,"n":4,"#,
            r#""reason":"no row in this window, but one in each of the 4 windows before"}"#,
            "\n"
        )
    );
    // Addresses come and go.
    let row = |minute: u32| {
        let window = window(minute);
        format!(r#"{{"query":"ip_patterns",{window},"ip_address":"192.0.2.{}","n":1}}"#, minute / 4)
    };
    let rows: Vec<String> = (0..20).map(row).collect();
    assert_eq!(outputs(&mut detect, &rows).concat(), "");
}

/// Rows that meet often: few windows, few series, values of all kinds.
fn any_row() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        4 => (0_u32..40).prop_map(|tenths| format!("{}.{}", tenths / 2, tenths % 10)),
        1 => Just("null".to_owned()),
        1 => Just("\"17\"".to_owned()),
        1 => Just("false".to_owned()),
    ];
    (0_u32..12, prop_oneof![Just("a"), Just("b"), Just("\\u0061")], value, any::<bool>()).prop_map(
        |(minute, service, value, rate)| {
            if rate {
                error_rate(minute, service, &value)
            } else {
                response_time(minute, service, &value)
            }
        },
    )
}

proptest! {
    #[test]
    fn cutting_and_resuming_changes_nothing(
        rows in proptest::collection::vec(any_row(), 0..60), cut in any::<prop::sample::Index>()
    ) {
        let cut = cut.index(rows.len() + 1);
        let (mut whole, mut out) = (reference(), Output::in_memory());
        feed(&mut whole, &rows[..cut], &mut out);
        let mut state = SnapshotWriter::new();
        whole.snapshot(&mut state);
        let state = state.into_bytes();

        let mut resumed = reference();
        let mut reader = SnapshotReader::new(&state);
        resumed.restore(&mut reader).unwrap();
        prop_assert!(reader.is_empty());
        let mut again = SnapshotWriter::new();
        resumed.snapshot(&mut again);
        prop_assert_eq!(&again.into_bytes(), &state);

        let expected = feed(&mut whole, &rows[cut..], &mut out);
        prop_assert_eq!(feed(&mut resumed, &rows[cut..], &mut Output::in_memory()), expected);
    }

    /// Judged against the definition: sort the last row of each window, look
    /// back from it.
    #[test]
    fn spikes_are_those_of_the_definition(rates in proptest::collection::vec(0_u32..30, 1..40)) {
        let rows: Vec<String> = (0..)
            .zip(&rates)
            .map(|(minute, rate)| error_rate(minute, "a", &rate.to_string()))
            .collect();
        let alerts = outputs(&mut reference(), &rows);
        for (index, alert) in alerts.iter().enumerate() {
            let spikes = index > 0 && rates[index] > rates[index - 1] + 10;
            prop_assert_eq!(!alert.is_empty(), spikes, "{:?} at {}", rates, index);
        }
    }
}
