//! Known cases of the whole stage, and the law of snapshots.

use super::*;
use crate::line::Reason;
use crate::row::MAX_LABEL;
use crate::time::{TimeDelta, Timestamp};
use proptest::prelude::*;
use std::cell::Cell;
use std::cell::RefCell;
use std::rc::Rc;

fn feed<S: AsRef<str>>(export: &mut ExportProm, lines: &[S], out: &mut Output) {
    for line in lines {
        export.on_record(Line { bytes: line.as_ref().as_bytes(), fault: None }, out).unwrap();
    }
}

fn count(export: &ExportProm, name: &str) -> u64 {
    let mut stats = Stats::default();
    export.stats(&mut stats);
    stats.own.iter().find(|figure| figure.name == name).unwrap().count
}

fn text(export: &ExportProm) -> String {
    let mut text = Vec::new();
    export.write(&mut text);
    String::from_utf8(text).unwrap()
}

/// The samples of all families but those of windows' ends.
fn samples(export: &ExportProm) -> Vec<String> {
    let is_sample = |line: &&str| !line.starts_with('#') && !line.contains("last_window_end");
    text(export).lines().filter(is_sample).map(str::to_owned).collect()
}

fn exported<S: AsRef<str>>(options: Options, lines: &[S]) -> ExportProm {
    let mut export = ExportProm::new(options, Selection::default());
    feed(&mut export, lines, &mut Output::in_memory());
    export
}

/// A row of the query `q` whose window begins at a minute.
fn row(minute: i64, rest: &str) -> String {
    let at = |minute: i64| Timestamp::from_micros(minute * 60_000_000);
    let (start, end) = (at(minute), at(minute + 1));
    format!(r#"{{"query":"q","window":{{"start":"{start}","end":"{end}"}},{rest}}}"#)
}

#[test]
fn rows_and_alerts_become_families() {
    let rows = [
        row(0, r#""service":"web \"1\"\\","n":3,"error_rate":2.5,"list":[1],"sla":{"x":1}"#),
        row(0, r#""service":"auth","n":10,"error_rate":0.0,"is_bad":true"#),
        r#"{"alert":"ddos","severity":"critical","window":{},"ip_address":"192.0.2.7","field":"n","value":9,"expected":1,"score":9,"reason":"n 9 is over 1"}"#.to_owned(),
        r#"{"alert":"ddos","severity":"critical","window":{},"ip_address":"192.0.2.8","field":"n","value":9,"expected":1,"score":9,"reason":"n 8 is over 1"}"#.to_owned(),
    ];
    let expected = r#"# HELP anomaly_count Alerts of detect since the start.
# TYPE anomaly_count counter
anomaly_count{alert="ddos",field="n",severity="critical"} 2
# HELP error_rate Field error_rate of the newest window.
# TYPE error_rate gauge
error_rate{query="q",service="auth"} 0
error_rate{query="q",service="web \"1\"\\"} 2.5
# HELP highwater_last_window_end_seconds End of the newest window seen, in seconds since 1970.
# TYPE highwater_last_window_end_seconds gauge
highwater_last_window_end_seconds{query="q"} 60
# HELP n Field n of the newest window.
# TYPE n gauge
n{query="q",service="auth"} 10
n{query="q",service="web \"1\"\\"} 3
"#;
    let mut export = exported(Options::default(), &rows);
    assert_eq!(text(&export), expected);
    let mut out = Output::in_memory();
    export.on_end(&mut out).unwrap();
    assert_eq!(std::str::from_utf8(out.rows()).unwrap(), expected);
}

#[test]
fn the_newest_window_of_a_series_wins() {
    let mut export = ExportProm::new(Options::default(), Selection::default());
    let mut out = Output::in_memory();
    for (line, expected) in [
        (row(1, r#""k":"a","n":1"#), vec![r#"n{k="a",query="q"} 1"#]),
        (row(2, r#""k":"a","n":2"#), vec![r#"n{k="a",query="q"} 2"#]),
        (row(1, r#""k":"a","n":9"#), vec![r#"n{k="a",query="q"} 2"#]),
        (row(2, r#""k":"a","n":3"#), vec![r#"n{k="a",query="q"} 3"#]),
        // Another field of the same labels lives its own life.
        (row(1, r#""k":"a","m":7"#), vec![r#"m{k="a",query="q"} 7"#, r#"n{k="a",query="q"} 3"#]),
        (row(1, r#""k":"a","n":null"#), vec![r#"m{k="a",query="q"} 7"#, r#"n{k="a",query="q"} 3"#]),
        (row(3, r#""k":"a","n":null"#), vec![r#"m{k="a",query="q"} 7"#]),
        (row(3, r#""k":"a","m":null"#), vec![]),
        (row(0, r#""k":"a","n":4"#), vec![r#"n{k="a",query="q"} 4"#]),
    ] {
        feed(&mut export, &[&line], &mut out);
        assert_eq!(samples(&export), expected, "{line}");
    }
    assert_eq!(count(&export, "passed_over"), 2);
    assert!(text(&export).contains("last_window_end_seconds{query=\"q\"} 240\n"));
}

#[test]
fn rows_without_a_window_go_by_arrival() {
    let rows = [r#"{"k":"a","n":1}"#, r#"{"k":"a","n":2}"#, r#"{"k":"a","window":null,"n":3}"#];
    let export = exported(Options::default(), &rows);
    assert_eq!(
        text(&export),
        "# HELP n Field n of the newest window.\n# TYPE n gauge\nn{k=\"a\"} 3\n"
    );
}

#[test]
fn what_is_no_label_and_no_gauge() {
    let long = "x".repeat(MAX_LABEL + 1);
    for (rest, expected) in [
        (r#""message":"m","reason":"r","n":1"#.to_owned(), vec![r#"n{query="q"} 1"#]),
        (format!(r#""s":"{long}","n":1"#), vec![r#"n{query="q"} 1"#]),
        (r#""latest":"2025-09-12T00:00:00.000Z","n":1"#.into(), vec![r#"n{query="q"} 1"#]),
        (
            r#""closed_by":"end","revision":2,"partial":true,"n":1"#.into(),
            vec![r#"n{query="q"} 1"#],
        ),
        (r#""k":null,"overflow":true,"n":1"#.into(), vec![r#"n{overflow="true",query="q"} 1"#]),
        (r#""k":"","n":1"#.into(), vec![r#"n{query="q"} 1"#]),
        (r#""\u006b\n":"\u0061\n","n":1"#.into(), vec![r#"n{k="a\n",query="q"} 1"#]),
        (r#""k.x":"a","avg(b.c)":1e3"#.into(), vec![r#"avg_b_c{k_x="a",query="q"} 1000"#]),
        // Names that belong to other families, and numbers that are none.
        (r#""anomaly_count":1,"highwater_last_window_end_seconds":2,"n":1e999"#.into(), vec![]),
        (r#""n":"31.2""#.into(), vec![]),
    ] {
        let export = exported(Options::default(), &[row(0, &rest)]);
        assert_eq!(samples(&export), expected, "{rest}");
    }
}

#[test]
fn rows_by_user_or_address_only_if_asked_for() {
    let rows = [
        r#"{"query":"user_activity","user_id":"u","n":1}"#,
        r#"{"query":"ddos","ip_address":null,"n":2}"#,
        r#"{"query":"sla","service":"a","n":3}"#,
        r#"{"service":"a","n":4}"#,
        r#"{"alert":"user_burst","severity":"warning","user_id":"u"}"#,
    ];
    let alert = r#"anomaly_count{alert="user_burst",severity="warning"} 1"#;
    for (queries, expected) in [
        (&[][..], vec![alert, r#"n{query="sla",service="a"} 3"#, r#"n{service="a"} 4"#]),
        (
            &["ddos", "user_activity"][..],
            vec![alert, r#"n{query="ddos"} 2"#, r#"n{query="user_activity",user_id="u"} 1"#],
        ),
        (&["sla"][..], vec![alert, r#"n{query="sla",service="a"} 3"#]),
    ] {
        let queries = queries.iter().map(ToString::to_string).collect();
        let selection = Selection::new(queries, Vec::new());
        let mut export = ExportProm::new(Options::default(), selection);
        feed(&mut export, &rows, &mut Output::in_memory());
        assert_eq!(samples(&export), expected);
    }
}

#[test]
fn keys_that_are_named_are_labels_whatever_they_are() {
    let rows = [
        row(0, r#""status":200,"ok":true,"n":1"#),
        row(0, r#""status":500,"ok":false,"n":2"#),
        row(0, r#""status":null,"user_id":"u","n":3"#),
        row(0, r#""ip_address":"192.0.2.1","n":4"#),
        row(0, r#""user_id":"2025-09-12T00:00:00Z","n":5"#),
    ];
    let keys = ["status", "ok", "user_id"].map(str::to_owned).to_vec();
    let mut export = ExportProm::new(Options::default(), Selection::new(Vec::new(), keys));
    feed(&mut export, &rows, &mut Output::in_memory());
    assert_eq!(
        samples(&export),
        [
            r#"n{ok="false",query="q",status="500"} 2"#,
            r#"n{ok="true",query="q",status="200"} 1"#,
            r#"n{query="q",user_id="2025-09-12T00:00:00Z"} 5"#,
            r#"n{query="q",user_id="u"} 3"#,
        ]
    );
}

#[test]
fn labels_that_a_sink_gives_are_renamed() {
    let taken_labels = vec!["job".to_owned(), "k".to_owned()];
    let options = Options { taken_labels, ..Options::default() };
    let export = exported(options, &[row(0, r#""job":"a","k":"b","l":"c","n":1"#)]);
    let expected = r#"n{exported_job="a",exported_k="b",l="c",query="q"} 1"#;
    assert_eq!(samples(&export), [expected]);
}

#[test]
fn names_of_prometheus_are_not_taken() {
    let line = r#"{"up":0,"scrape_x":1,"ALERTS":2,"push_time_seconds":3,"ups":4}"#.to_owned();
    let export = exported(Options::default(), &[&line]);
    assert_eq!(
        samples(&export),
        ["field_ALERTS 2", "field_push_time_seconds 3", "field_scrape_x 1", "field_up 0", "ups 4"]
    );
    let export = exported(Options { prefix: "a".into(), ..Options::default() }, &[&line]);
    assert!(samples(&export).contains(&"a_up 0".to_owned()));
}

#[test]
fn prefix_and_labels_are_put_on_everything() {
    let labels = vec![("env".to_owned(), "prod".to_owned()), ("k".to_owned(), "mine".to_owned())];
    for prefix in ["hw", "hw_"] {
        let options =
            Options { prefix: prefix.into(), labels: labels.clone(), ..Options::default() };
        let alert = r#"{"alert":"x","severity":"info"}"#.to_owned();
        let export = exported(options, &[row(0, r#""k":"its","n":1"#), alert]);
        let text = text(&export);
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                r#"hw_anomaly_count{alert="x",env="prod",k="mine",severity="info"} 1"#,
                r#"hw_last_window_end_seconds{env="prod",k="mine",query="q"} 60"#,
                r#"hw_n{env="prod",k="mine",query="q"} 1"#,
            ]
        );
    }
}

#[test]
fn series_beyond_the_limit_are_refused() {
    let options = Options { max_series: 2, ..Options::default() };
    let rows = [
        row(0, r#""k":"a","n":1"#),
        row(0, r#""k":"b","n":1"#),
        row(1, r#""k":"c","n":1"#),
        row(2, r#""k":"a","n":2"#),
        r#"{"alert":"x","severity":"info"}"#.to_owned(),
    ];
    let export = exported(options, &rows);
    assert_eq!(samples(&export), [r#"n{k="a",query="q"} 2"#, r#"n{k="b",query="q"} 1"#]);
    assert_eq!(count(&export, "refused"), 2);
}

#[test]
fn stale_series_are_dropped_and_make_room() {
    let options = Options {
        max_series: 2,
        stale_after: Some(TimeDelta::from_seconds(120)),
        ..Options::default()
    };
    let mut export = ExportProm::new(options, Selection::default());
    let mut out = Output::in_memory();
    for (line, expected) in [
        (row(0, r#""k":"a","n":1"#), &["a"][..]),
        (row(1, r#""k":"b","n":1"#), &["a", "b"][..]),
        (row(2, r#""k":"b","n":1"#), &["a", "b"][..]), // exactly 2 minutes is not more
        (row(3, r#""k":"b","n":1"#), &["b"][..]),
        (row(3, r#""k":"c","n":1"#), &["b", "c"][..]), // in the place of a
        (row(0, r#""k":"a","n":1"#), &["b", "c"][..]), // stale as it comes
        (row(9, r#""k":"d","n":1"#), &["d"][..]),
    ] {
        feed(&mut export, &[&line], &mut out);
        let expected: Vec<String> =
            expected.iter().map(|k| format!("n{{k=\"{k}\",query=\"q\"}} 1")).collect();
        assert_eq!(samples(&export), expected, "{line}");
    }
    assert_eq!(count(&export, "refused"), 0);
    assert_eq!(count(&export, "passed_over"), 1);
}

#[test]
fn unusable_lines_are_rejected() {
    for (line, reason) in [
        (r#"{"@raw":"127.0.0.1 - -"}"#, Reason::NoMatch),
        ("n 1", Reason::InvalidJson),
        ("[1]", Reason::NotObject),
        (r#"{"window":{"start":1},"n":1}"#, Reason::BadTimestamp),
    ] {
        let mut out = Output::in_memory();
        let mut export = ExportProm::new(Options::default(), Selection::default());
        feed(&mut export, &[line], &mut out);
        assert_eq!(out.stats.rejected[reason.index()], 1, "{line}");
        assert_eq!(text(&export), "");
    }
}

/// A sink that a test looks into.
#[derive(Clone, Debug, Default)]
struct Shared {
    texts: Rc<RefCell<Vec<String>>>,
    due_in: Rc<Cell<Duration>>,
}

impl Sink for Shared {
    fn due_in(&self) -> Duration {
        self.due_in.get()
    }

    fn publish(&mut self, text: &[u8]) -> Result<(), StageError> {
        self.texts.borrow_mut().push(String::from_utf8_lossy(text).into_owned());
        Ok(())
    }
}

#[test]
fn a_sink_gets_the_text_when_it_is_due_and_has_changed() {
    let (sink, other) = (Shared::default(), Shared::default());
    let mut export = ExportProm::new(Options::default(), Selection::default())
        .with_sink(Box::new(sink.clone()))
        .with_sink(Box::new(other.clone()));
    let mut out = Output::in_memory();
    let texts = || sink.texts.borrow().len();
    let minute = Duration::from_secs(60);

    sink.due_in.set(minute);
    other.due_in.set(2 * minute);
    feed(&mut export, &[row(0, r#""n":1"#)], &mut out);
    assert_eq!((export.attend(&mut out).unwrap(), texts()), (Some(minute), 0), "not yet due");
    sink.due_in.set(Duration::ZERO);
    assert_eq!(export.attend(&mut out).unwrap(), Some(2 * minute), "of the other");
    assert_eq!((texts(), other.texts.borrow().len()), (1, 0));
    assert_eq!(export.attend(&mut out).unwrap(), Some(2 * minute));
    assert_eq!(texts(), 1, "due, but nothing has changed");

    // Input that never pauses.
    let lines: Vec<String> = (1..=200).map(|minute| row(minute, r#""n":2"#)).collect();
    sink.due_in.set(minute);
    feed(&mut export, &lines, &mut out);
    assert_eq!(texts(), 1, "not yet due");
    sink.due_in.set(Duration::ZERO);
    feed(&mut export, &lines, &mut out);
    assert!((3..10).contains(&texts()), "{}", texts());

    sink.due_in.set(minute);
    feed(&mut export, &[row(300, r#""n":4"#)], &mut out);
    let before = texts();
    export.on_end(&mut out).unwrap();
    assert_eq!(texts(), before + 1);
    assert!(sink.texts.borrow().last().unwrap().ends_with("n{query=\"q\"} 4\n"));
    assert_eq!(other.texts.borrow().last(), sink.texts.borrow().last());
    assert!(out.rows().is_empty(), "stdout stays empty");
}

#[test]
fn a_sink_gets_an_empty_text_if_there_was_nothing() {
    let sink = Shared::default();
    let mut export =
        ExportProm::new(Options::default(), Selection::default()).with_sink(Box::new(sink.clone()));
    export.on_end(&mut Output::in_memory()).unwrap();
    assert_eq!(*sink.texts.borrow(), [""]);
}

#[test]
fn state_of_other_options_is_refused() {
    let mut state = SnapshotWriter::new();
    exported(Options::default(), &[row(0, r#""n":1"#)]).snapshot(&mut state);
    let state = state.into_bytes();
    let options = Options { prefix: "hw".into(), ..Options::default() };
    let error = exported(options, &[""; 0]).restore(&mut SnapshotReader::new(&state)).unwrap_err();
    assert!(matches!(error, RestoreError::Mismatch(_)), "{error}");
}

#[test]
fn a_backfill_has_all_windows_and_rows_with_a_time() {
    let mut export = ExportProm::backfill(Options::default(), Selection::default());
    let mut out = Output::in_memory();
    let lines = [
        row(1, r#""n":2"#),
        row(0, r#""n":1"#),
        r#"{"timestamp":"1970-01-01T00:00:30Z","n":3}"#.to_owned(),
        r#"{"n":5}"#.to_owned(),
        r#"{"alert":"x","severity":"info","timestamp":7,"reason":"so"}"#.to_owned(),
    ];
    feed(&mut export, &lines, &mut out);
    assert_eq!(out.stats.rejected[Reason::NoTimestamp.index()], 1);
    export.on_end(&mut out).unwrap();
    let text = String::from_utf8(out.rows().to_vec()).unwrap();
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with("# ")).collect();
    let expected = [
        r#"anomaly_count{alert="x",severity="info"} 1 7"#,
        "n 3 30",
        r#"n{query="q"} 1 60"#,
        r#"n{query="q"} 2 120"#,
    ];
    assert_eq!(samples, expected, "{text}");
    assert!(text.ends_with("\n# EOF\n"));
}

/// Lines that meet often: few windows, series and names, values of all kinds.
fn any_line() -> impl Strategy<Value = String> {
    let value = prop_oneof![Just("null"), Just("1"), Just("2.5"), Just("\"s\""), Just("[]")];
    let number = (prop_oneof![Just("n"), Just("m"), Just("n)"), Just("anomaly_count")], value);
    let key = prop_oneof![Just("a"), Just("b"), Just("c\\n"), Just("")];
    prop_oneof![
        6 => (0_i64..8, key, proptest::collection::vec(number, 0..3)).prop_map(|(minute, k, numbers)| {
            let numbers: Vec<String> =
                numbers.iter().map(|(n, v)| format!(",\"{n}\":{v}")).collect();
            let numbers = numbers.concat();
            row(minute, &format!(r#""k":"{k}"{numbers}"#))
        }),
        1 => Just(r#"{"alert":"x","severity":"info"}"#.to_owned()),
        1 => Just(r#"{"k":"a","n":5}"#.to_owned()),
    ]
}

proptest! {
    #[test]
    fn cutting_and_resuming_changes_nothing(
        lines in proptest::collection::vec(any_line(), 0..40), cut in any::<prop::sample::Index>(),
        max_series in 1_usize..8, stale in proptest::option::of(0_i64..300), has_all in any::<bool>()
    ) {
        let stale_after = stale.map(TimeDelta::from_seconds);
        let options = Options { max_series, stale_after, ..Options::default() };
        let new = if has_all { ExportProm::backfill } else { ExportProm::new };
        let cut = cut.index(lines.len() + 1);
        let mut whole = new(options.clone(), Selection::default());
        feed(&mut whole, &lines[..cut], &mut Output::in_memory());
        let mut state = SnapshotWriter::new();
        whole.snapshot(&mut state);
        let state = state.into_bytes();

        let mut resumed = new(options, Selection::default());
        let mut reader = SnapshotReader::new(&state);
        resumed.restore(&mut reader).unwrap();
        prop_assert!(reader.is_empty());
        let mut again = SnapshotWriter::new();
        resumed.snapshot(&mut again);
        prop_assert_eq!(&again.into_bytes(), &state);

        let mut out = Output::in_memory();
        for line in &lines[cut..] {
            feed(&mut whole, &[line], &mut out);
            feed(&mut resumed, &[line], &mut out);
            prop_assert_eq!(text(&whole), text(&resumed));
        }
    }

    /// Families stand together behind one header each, and no series twice.
    #[test]
    fn the_exposition_is_well_formed(lines in proptest::collection::vec(any_line(), 0..40)) {
        let text = text(&exported(Options::default(), &lines));
        let (mut series, mut families) = (Vec::new(), Vec::new());
        for line in text.lines() {
            if let Some(header) = line.strip_prefix("# TYPE ") {
                families.push(header.split(' ').next().unwrap());
            } else if !line.starts_with('#') {
                let (name_and_labels, value) = line.rsplit_once(' ').unwrap();
                prop_assert!(value.parse::<f64>().unwrap().is_finite());
                let name = name_and_labels.split('{').next().unwrap();
                prop_assert_eq!(Some(&name), families.last(), "{}", text);
                series.push(name_and_labels);
            }
        }
        for mut list in [series, families] {
            let before = list.len();
            list.sort_unstable();
            list.dedup();
            prop_assert_eq!(list.len(), before, "{}", text);
        }
    }
}
