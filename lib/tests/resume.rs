//! Cut and resume: a stream that is cut at any line, its operator's state
//! written down and taken on by a fresh operator, goes on with the same bytes.
//! Every operator is here, and with it every piece of state.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod support;

use std::fmt::Write as _;

use highwater_core::dashboard::{Bounds, Dashboard, Shared, report};
use highwater_core::detect::detector::{DetectorKind, Settings};
use highwater_core::detect::{
    BARE, Condition, Detect, DetectOptions, Emit, REFERENCE, Rule, SeriesBounds, Test, select_rules,
};
use highwater_core::format::{CsvParser, LogFormatParser, TimeOptions, Untimed};
use highwater_core::prometheus::{ExportProm, Options as PromOptions};
use highwater_core::row::Selection;
use highwater_core::stage::{Format, Ingest, Parse};
use highwater_core::stream::{Operator, Output};
use highwater_core::time::Calendar;
use proptest::prelude::*;
use support::{feed, restored, rows, window};

/// The rows of a run that is cut in front of line `cut`.
fn resumed<O: Operator>(make: impl Fn() -> O, lines: &[&[u8]], cut: usize) -> String {
    let mut out = Output::in_memory();
    let mut first = make();
    feed(&mut first, &lines[..cut], &mut out);
    let mut second = restored(&first, make());
    drop(first);
    feed(&mut second, &lines[cut..], &mut out);
    second.on_end(&mut out).unwrap();
    String::from_utf8(out.rows().to_vec()).unwrap()
}

fn check<O: Operator>(
    make: impl Fn() -> O,
    input: &str,
    cut: prop::sample::Index,
) -> Result<(), TestCaseError> {
    let lines: Vec<&[u8]> = input.lines().map(str::as_bytes).collect();
    let cut = cut.index(lines.len() + 1);
    prop_assert_eq!(resumed(&make, &lines, cut), rows(&mut make(), input.as_bytes()));
    Ok(())
}

/// It prints nothing: what it shows in the end is compared.
fn check_dashboard(input: &str, cut: prop::sample::Index) -> Result<(), TestCaseError> {
    // Few of all, so that everything is forgotten now and then.
    let history = "20m".parse().unwrap();
    let few = Bounds {
        series: 2,
        points: 3,
        all_points: 40,
        more_fields: 6,
        alerts: 3,
        ..Bounds::new(history)
    };
    for bounds in [few, Bounds::new("6h".parse().unwrap())] {
        let make = || Dashboard::new(Shared::new(bounds), Selection::default());
        let lines: Vec<&[u8]> = input.lines().map(str::as_bytes).collect();
        let (first, second) = lines.split_at(cut.index(lines.len() + 1));
        let mut out = Output::in_memory();
        let mut whole = make();
        feed(&mut whole, &lines, &mut out);
        let mut before = make();
        feed(&mut before, first, &mut out);
        let mut after = restored(&before, make());
        feed(&mut after, second, &mut out);
        let shown = |dashboard: &Dashboard| report(&dashboard.history().lock());
        prop_assert_eq!(shown(&after), shown(&whole));
    }
    Ok(())
}

/// A run whose input has ended has closed its windows. Should there be more
/// after all, another run goes on with it: what belongs there is late.
#[test]
fn windows_that_an_end_has_closed_stay_closed() {
    let sql = "SELECT window, count(*) AS n FROM t WATERMARK timestamp DELAY OF INTERVAL 60 \
               SECONDS GROUP BY window(timestamp, '10 seconds')";
    let never = sql.replace("WATERMARK timestamp DELAY OF INTERVAL 60 SECONDS", "");
    let at = |seconds: u32| format!("{{\"timestamp\":{seconds}}}").into_bytes();
    for sql in [sql, &never] {
        for is_cut in [false, true] {
            let mut out = Output::in_memory();
            let mut operator = window(&[sql]);
            feed(&mut operator, &[&at(1), &at(12), &at(3)], &mut out);
            operator.on_end(&mut out).unwrap();
            if is_cut {
                operator = restored(&operator, window(&[sql]));
            }
            feed(&mut operator, &[&at(15), &at(21), &at(2)], &mut out);
            operator.on_end(&mut out).unwrap();
            let rows = String::from_utf8_lossy(out.rows()).into_owned();
            let counts: Vec<&str> =
                rows.lines().map(|row| row.split_once("\"n\":").unwrap().1).collect();
            assert_eq!(counts, ["2}", "1}", "1}"], "{rows}");
            let mut stats = out.stats.clone();
            operator.stats(&mut stats);
            let query = &stats.window.unwrap().queries[0];
            // Figures are of the run alone.
            assert_eq!((query.late, query.aggregated), (2, if is_cut { 1 } else { 4 }));
        }
    }
}

#[test]
fn a_sets_numbers_are_spelled_as_the_run_first_spelled_them() {
    // 0       10      20      30
    // [1 2.0 )[1.0 2 )[1e0 3 )
    let sql = "SELECT window, collect_set(v) AS v FROM t WATERMARK timestamp DELAY OF INTERVAL 0 \
               SECONDS GROUP BY window(timestamp, '10 seconds')";
    let records =
        [(1, "1"), (2, "2.0"), (3, "1.00"), (11, "1.0"), (12, "2"), (21, "1e0"), (22, "3")];
    let lines = records.map(|(at, v)| format!("{{\"timestamp\":{at},\"v\":{v}}}"));
    let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    for cut in 0..=lines.len() {
        let rows = resumed(|| window(&[sql]), &lines, cut);
        let sets: Vec<&str> = rows.lines().map(|row| row.split_once("\"v\":").unwrap().1).collect();
        assert_eq!(sets, ["[1,2.0]}", "[1,2.0]}", "[1,3]}"], "cut in front of {cut}");
    }
}

fn logs() -> impl Strategy<Value = String> {
    let record = (
        -400_i64..800,
        0_u8..4,
        0_u8..9,
        proptest::option::of(0_u32..5_000),
        prop_oneof![Just(200), Just(404), Just(503)],
    );
    proptest::collection::vec(record, 0..120).prop_map(|records| {
        let mut base = 1_757_635_200;
        let mut input = String::new();
        for (step, service, user, milliseconds, status) in records {
            base += 7;
            let time = base + step / 4;
            let response =
                milliseconds.map_or("null".to_owned(), |ms| format!("{}", f64::from(ms) / 1e3));
            let _ = writeln!(
                input,
                "{{\"timestamp\":{time},\"service\":\"s{service}\",\"ip_address\":\"192.0.2.{service}\",\
                 \"user_id\":\"u{user}\",\"action\":\"a{service}\",\"value\":{status}.5,\
                 \"response_time\":{response},\"status_code\":{status}}}"
            );
        }
        input
    })
}

/// All aggregates that no built-in query has, as totals.
const EVERY_AGGREGATE: &str = "SELECT service, approx_count_distinct(user_id) AS users, median(response_time) AS median, \
            percentile(value, array(0.1, 0.9)) AS exact, percentile_approx(value, 0.9) AS p90, \
            percentile_approx(status_code, array(0.5, 1)) AS codes, first(response_time) AS first, \
            first(response_time, true) AS first_known, last(response_time) AS last, \
            last(response_time) IGNORE NULLS AS last_known, mode(status_code) AS code, \
            max_by(user_id, response_time) AS slowest, min_by(user_id, response_time) AS fastest, \
            count(DISTINCT user_id, status_code) AS pairs, count(response_time, user_id) AS both \
     FROM logs GROUP BY ALL";

/// The same kinds in panes that several windows share.
const SLIDING: &str = "SELECT window, approx_count_distinct(user_id, 0.2) AS users, median(value) AS median, \
            percentile_approx(response_time, array(0.5, 0.99)) AS percentiles, mode(user_id) AS user, \
            first(user_id) AS first, last(user_id) FILTER (WHERE status_code = 200) AS last, \
            max_by(service, response_time) AS slowest \
     FROM logs WATERMARK timestamp DELAY OF INTERVAL 1 MINUTE \
     GROUP BY window(timestamp, '2 minutes', '30 seconds')";

/// Rules of all kinds, easily set off.
fn every_test() -> Vec<Rule> {
    let keys = ["service".to_owned()];
    let condition = Condition::parse("value > 450 OR total_requests > 2", "--when", "timestamp");
    let fields = ["value", "avg_response_time"];
    let mut rules = vec![
        Rule::when(condition.unwrap(), &keys),
        Rule::zscore("value", &keys, 4, 0.5),
        Rule::spike("error_rate", &keys, 1.0),
        Rule::new("silence", Test::Silence { windows: 1 }).by(&keys),
    ];
    for kind in DetectorKind::ALL {
        let detector =
            |field: &&str| Rule::detector(kind, field, &keys, Settings::default(), Some(0.01));
        rules.extend(fields.iter().map(detector));
    }
    let cooling = |rule: &Rule| Rule { cooldown: Some("1m".parse().unwrap()), ..rule.clone() };
    rules.extend(rules.iter().map(cooling).collect::<Vec<_>>());
    rules
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn window_resumes(input in logs(), cut in any::<prop::sample::Index>()) {
        check(|| window(&["log-analysis"]), &input, cut)?;
        let events = [
            "user_events",
            "events_user_activity",
            "action_metrics",
            "user_burst",
            "watermarked_counts",
            "user_latest",
        ];
        check(|| window(&events), &input, cut)?;
        // Totals without windows.
        check(|| window(&["late_alert"]), &input, cut)?;
        check(|| window(&["latency", EVERY_AGGREGATE, SLIDING]), &input, cut)?;
    }

    #[test]
    fn stateless_stages_resume(input in logs(), cut in any::<prop::sample::Index>()) {
        check(Ingest::default, &input, cut)?;
        check(|| Parse::new(Format::Auto), &input, cut)?;
    }

    #[test]
    fn years_resume(days in prop::collection::vec(0_i64..365, 0..40), cut in any::<prop::sample::Index>()) {
        let day = |day| {
            let time = chrono::DateTime::from_timestamp(day * 86_400, 0).unwrap();
            time.format("{\"time\":\"%b %e %H:%M:%S\"}\n").to_string()
        };
        let input: String = days.into_iter().map(day).collect();
        let parse = || Parse::new(Format::Auto);
        check(parse, &input, cut)?;
    }

    #[test]
    fn formats_resume(
        lines in prop::collection::vec((0..8_usize, 0..400_i64), 0..40),
        cut in any::<prop::sample::Index>(),
    ) {
        let line = |(kind, second): (usize, i64)| match kind {
            // Parts of what a container's program wrote, and what they belong to.
            0 => format!("2024-03-05T07:08:09.{second:03}000001Z stdout P 05/Mar/2024:07:08:09,\n"),
            1 => format!("2024-03-05T07:08:09.{second:03}Z stdout F a{second},b\n"),
            2 => format!("2024-03-05T07:08:09.{second:03}Z stderr P {second},\n"),
            3 => format!(r#"{{"log":"{second},x\n","stream":"stderr","time":"2024-03-05T07:08:09Z"}}"#) + "\n",
            4 => "time,b\n".to_owned(),
            5 => format!("Dec {:2} 00:00:00,x\n", second % 31 + 1),
            _ => format!("{second},\"x\"\n"),
        };
        let input: String = lines.into_iter().map(line).collect();
        check(|| Parse::new(Format::Csv(CsvParser::with_header(b','))), &input, cut)?;
        let columns = || CsvParser::with_columns(b',', "time,b").unwrap();
        check(|| Parse::new(Format::Csv(columns())), &input, cut)?;
        let untimed = TimeOptions { untimed: Untimed::Keep, ..TimeOptions::default() };
        check(|| Parse::new(Format::Words), &input, cut)?;
        let log_format = || LogFormatParser::new("$time_local,$b", "test", None).unwrap();
        let lines = || Parse::new(Format::LogFormat(log_format())).with_times(Calendar::default(), &untimed);
        check(lines, &input, cut)?;
    }

    #[test]
    fn detect_and_export_resume(input in logs(), cut in any::<prop::sample::Index>()) {
        let windowed = rows(&mut window(&["log-analysis", "user_burst"]), input.as_bytes());
        let options = DetectOptions { emit: Emit::RowsAndAlerts, ..DetectOptions::default() };
        let detect = || Detect::new(select_rules(&REFERENCE).unwrap(), &options);
        check(detect, &windowed, cut)?;
        check(|| Detect::new(select_rules(&BARE).unwrap(), &options), &windowed, cut)?;
        for emit in [Emit::Alerts, Emit::Scores] {
            // Series are few and forgotten soon.
            let expire = "5m".parse().unwrap();
            let bounds = SeriesBounds { expire, most: 5 };
            let options = DetectOptions { emit, bounds, ..DetectOptions::default() };
            let rules = || Detect::new(every_test(), &options);
            check(rules, &windowed, cut)?;
            check(rules, &input, cut)?;
        }
        let alerts = rows(&mut detect(), windowed.as_bytes());
        check(|| ExportProm::new(PromOptions::default(), Selection::default()), &alerts, cut)?;
        check_dashboard(&alerts, cut)?;
    }
}
