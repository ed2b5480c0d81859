//! Known cases of the whole stage, and the law of snapshots.

use super::*;
use crate::detect::rule::{BARE, REFERENCE, select_rules};
use crate::line::Reason;
use proptest::prelude::*;

fn reference() -> Detect {
    Detect::new(select_rules(&REFERENCE).unwrap(), "timestamp")
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
    let passing = outputs(&mut reference().with_pass_through(true), &rows);
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
        (11, "a", "46.0", "10.5"),     // a null is no row before
        (11, "a", "\"47.5\"", "12.0"), // a number as a string
        (12, "a", "\"high\"", ""),     //
        (12, "a", "true", ""),         //
        (13, "a", "99", "51.5"),       //
        (13, "b", "0", ""),            // a fall
    ];
    let lines: Vec<String> = rows.iter().map(|row| error_rate(row.0, row.1, row.2)).collect();
    let (mut detect, mut out) = (reference(), Output::in_memory());
    for (line, (.., score)) in lines.iter().zip(rows) {
        let alert = feed(&mut detect, &[line], &mut out);
        assert_eq!(member(&alert, "score"), score, "{line}");
    }
    assert_eq!(detect.passed_over(), 1);
    assert_eq!(out.stats.casts_failed, 2);
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
    let mut detect = Detect::new(rules, "at");
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
            r#""value":4.50,"expected":1.5,"score":4.242640687119285,"reason":"load 4.5 is 4.24264 "#,
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
    let mut detect = Detect::new(vec![Rule::spike("n", &[], 1.0)], "at");
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
        let mut detect = reference().with_pass_through(true);
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
    feed(&mut Detect::new(limits, "timestamp"), &[no_window], &mut out);
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
    let mut bare = Detect::new(select_rules(&BARE).unwrap(), "timestamp");
    let error = bare.restore(&mut SnapshotReader::new(&state)).unwrap_err();
    assert!(matches!(error, RestoreError::Mismatch(_)), "{error}");
    let cut = &state[..state.len() - 1];
    let error = reference().restore(&mut SnapshotReader::new(cut)).unwrap_err();
    assert!(matches!(error, RestoreError::Damaged(_)), "{error}");
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
