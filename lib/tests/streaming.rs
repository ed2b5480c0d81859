//! Cases that the stream processors' own documents and tests are built on,
//! each with its time line.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod support;

use highwater_core::line::Projection;
use highwater_core::query::Plan;
use highwater_core::stream::{Operator as _, Output};
use highwater_core::time::{TimeDelta, Timestamp};
use highwater_core::window::{
    AheadLimits, Mode, Trigger, WatermarkPer, WindowOperator, WindowOptions,
};
use support::{feed, rows, window};

/// Six bids between 08:05 and 08:17, as in Flink's documents of its windows.
const BIDS: &[u8] = br#"{"timestamp":"2020-04-15 08:05:00","price":4.0}
{"timestamp":"2020-04-15 08:07:00","price":2.0}
{"timestamp":"2020-04-15 08:09:00","price":5.0}
{"timestamp":"2020-04-15 08:11:00","price":3.0}
{"timestamp":"2020-04-15 08:13:00","price":1.0}
{"timestamp":"2020-04-15 08:17:00","price":6.0}
"#;

/// Start, end and the last column of each row.
fn shown(rows: &str) -> Vec<String> {
    let brief = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let time = |name: &str| row["window"][name].as_str().unwrap()[11..19].to_owned();
        let last = line.trim_end_matches('}').rsplit(':').next().unwrap();
        format!("{} {} {last}", time("start"), time("end"))
    };
    rows.lines().map(brief).collect()
}

fn with(sql: &str, options: WindowOptions) -> WindowOperator {
    let mut projection = Projection::default();
    let plan = Plan::compile(sql, None, "timestamp", &mut projection).unwrap();
    WindowOperator::new(vec![plan], projection, options).unwrap()
}

fn drain(out: &Output, seen: &mut usize) -> Vec<String> {
    let all = shown(std::str::from_utf8(out.rows()).unwrap());
    let new = all[*seen..].to_vec();
    *seen = all.len();
    new
}

#[test]
fn bids_in_tumbling_and_hopping_windows() {
    // 08:00      :05  :07 :09  :10 :11 :13  :15  :17   :20
    //  [ - - - - 4 - - 2 - 5 - )[ 3 - 1 - - - - - 6 - - )     11, 10
    //             [ 4 - 2 - 5 - - 3 - 1 - - )                 15
    //                                         [ - 6 - - - -   6
    let sql = |hop: &str| {
        format!(
            "SELECT window, sum(price) AS total FROM bids GROUP BY window(timestamp, '10 minutes'{hop})"
        )
    };
    let tumble = shown(&rows(&mut window(&[&sql("")]), BIDS));
    assert_eq!(tumble, ["08:00:00 08:10:00 11.0", "08:10:00 08:20:00 10.0"]);
    let hop = shown(&rows(&mut window(&[&sql(", '5 minutes'")]), BIDS));
    assert_eq!(
        hop,
        [
            "08:00:00 08:10:00 11.0",
            "08:05:00 08:15:00 15.0",
            "08:10:00 08:20:00 10.0",
            "08:15:00 08:25:00 6.0",
        ]
    );
}

#[test]
fn sessions_that_touch_are_one_and_a_late_one_can_be_saved() {
    // gap 10        0        10       20 21      31
    // a             [--------)[-------)               touching: one session
    // b             [--------)          [---------)   a second short of it: two
    let sql = "SELECT window, k, count(*) AS n FROM t WATERMARK timestamp DELAY OF INTERVAL 5 SECONDS \
               GROUP BY session_window(timestamp, '10 seconds'), k";
    let input = br#"{"timestamp":0,"k":"a"}
{"timestamp":0,"k":"b"}
{"timestamp":10,"k":"a"}
{"timestamp":11,"k":"b"}
"#;
    let found = shown(&rows(&mut window(&[sql]), input));
    assert_eq!(found, ["00:00:00 00:00:10 1", "00:00:00 00:00:20 2", "00:00:11 00:00:21 1"]);
    // The watermark is 15 at the end: a record at 4 alone would end at 14 and
    // is late, but it touches the session [8, 18), which is open, and joins it.
    let input = br#"{"timestamp":8,"k":"a"}
{"timestamp":20,"k":"c"}
{"timestamp":4,"k":"b"}
{"timestamp":4,"k":"a"}
"#;
    let found = shown(&rows(&mut window(&[sql]), input));
    assert_eq!(found, ["00:00:04 00:00:18 2", "00:00:20 00:00:30 1"]);
}

const COUNT: &str = "SELECT window, count(*) AS n FROM t \
     WATERMARK timestamp DELAY OF INTERVAL 5 SECONDS GROUP BY window(timestamp, '10 seconds')";

#[test]
fn closed_windows_are_corrected_until_they_are_sealed() {
    // windows [0, 10) closes at 15 and is sealed at 35 (20 s later, delay 5)
    let options =
        WindowOptions { allowed_lateness: Some(TimeDelta::from_seconds(20)), ..Default::default() };
    let input = br#"{"timestamp":1}
{"timestamp":16}
{"timestamp":2}
{"timestamp":3}
{"timestamp":35}
{"timestamp":4}
"#;
    let out = rows(&mut with(COUNT, options), input);
    let revisions: Vec<&str> = out.lines().map(|row| row.split("},").nth(1).unwrap()).collect();
    assert_eq!(
        revisions,
        ["\"n\":1}", "\"n\":2,\"revision\":1}", "\"n\":3,\"revision\":2}", "\"n\":1}", "\"n\":1}"]
    );
}

#[test]
fn a_clock_that_is_wrong_is_refused_and_a_gap_is_believed() {
    let options = WindowOptions {
        ahead: AheadLimits { max_jump: Some(TimeDelta::from_seconds(60)), ..Default::default() },
        ..Default::default()
    };
    let mut operator = with(COUNT, options);
    let mut out = Output::in_memory();
    let at = |seconds: i64| format!("{{\"timestamp\":{seconds}}}").into_bytes();
    for seconds in [0, 90_000, 5, 90_000] {
        feed(&mut operator, &[&at(seconds)], &mut out);
    }
    assert_eq!((out.stats.rejected(), out.rows().len()), (2, 0), "one bad clock closes nothing");
    // A night without records: ten in a row agree.
    for seconds in 40_000..40_010 {
        feed(&mut operator, &[&at(seconds)], &mut out);
    }
    assert_eq!(out.stats.rejected(), 11);
    assert_eq!(shown(std::str::from_utf8(out.rows()).unwrap()), ["00:00:00 00:00:10 2"]);
}

#[test]
fn partitions_replayed_one_behind_the_other_lose_nothing() {
    // Partition 1 is an hour behind partition 0, as after a long pause of its
    // consumer.
    let input: Vec<String> = (0..200)
        .map(|i| {
            let partition = i % 2;
            let time = 10_000 + i - 3_600 * partition;
            format!("{{\"timestamp\":{time},\"@source\":{{\"partition\":{partition}}}}}\n")
        })
        .collect();
    let input = input.concat();
    let late = |per: Option<&str>| {
        let watermark_per = per.map(|per| per.parse::<WatermarkPer>().unwrap());
        let mut operator = with(COUNT, WindowOptions { watermark_per, ..Default::default() });
        let out = support::run(&mut operator, input.as_bytes(), usize::MAX);
        out.stats.window.unwrap().queries[0].late
    };
    assert_eq!(late(None), 100);
    assert_eq!(late(Some("@source.partition")), 100, "it never goes back");
    assert_eq!(late(Some("@source.partition:2")), 0);
}

#[test]
fn a_silent_partition_does_not_hold_up_the_others() {
    let options = WindowOptions {
        watermark_per: Some("p:2".parse().unwrap()),
        idle_timeout: Some(TimeDelta::from_seconds(30)),
        row_meta: true,
        ..Default::default()
    };
    let sql = COUNT.replace("5 SECONDS", "0 SECONDS");
    let mut operator = with(&sql, options);
    let mut out = Output::in_memory();
    let clock = |seconds: i64| Timestamp::from_micros((1_000_000 + seconds) * 1_000_000);
    operator.on_clock(clock(0), &mut out).unwrap();
    feed(&mut operator, &[br#"{"timestamp":1,"p":0}"#, br#"{"timestamp":2,"p":1}"#], &mut out);
    operator.on_clock(clock(20), &mut out).unwrap();
    feed(&mut operator, &[br#"{"timestamp":25,"p":0}"#], &mut out);
    assert!(out.rows().is_empty(), "partition 1 is at 2");
    // 31 s after its last record partition 1 is left out.
    assert!(operator.wakes_at().unwrap() <= clock(31));
    operator.on_clock(clock(31), &mut out).unwrap();
    let mut seen = 0;
    assert_eq!(drain(&out, &mut seen), ["00:00:00 00:00:10 \"idle\""]);
    // Then all are silent, and event time goes on with the clock.
    operator.on_clock(clock(60), &mut out).unwrap();
    assert_eq!(drain(&out, &mut seen), ["00:00:20 00:00:30 \"idle\""]);
}

#[test]
fn update_and_complete_show_open_windows_at_triggers() {
    let input: Vec<String> =
        [1, 2, 11, 3, 30, 31].map(|at| format!("{{\"timestamp\":{at}}}")).into();
    let lines: Vec<&[u8]> = input.iter().map(String::as_bytes).collect();
    let run = |mode| {
        let mut operator =
            with(COUNT, WindowOptions { mode, trigger: Trigger::Count(2), ..Default::default() });
        let mut out = Output::in_memory();
        feed(&mut operator, &lines, &mut out);
        operator.on_end(&mut out).unwrap();
        shown(std::str::from_utf8(out.rows()).unwrap())
    };
    assert_eq!(
        run(Mode::Update),
        [
            "00:00:00 00:00:10 2", // trigger
            "00:00:00 00:00:10 3", // trigger, with
            "00:00:10 00:00:20 1",
            "00:00:30 00:00:40 2", // trigger: 30 closed the others, which had not changed
        ]
    );
    assert_eq!(
        run(Mode::Complete),
        [
            "00:00:00 00:00:10 2",
            "00:00:00 00:00:10 3",
            "00:00:10 00:00:20 1",
            "00:00:00 00:00:10 3", // closed since the last trigger
            "00:00:10 00:00:20 1",
            "00:00:30 00:00:40 2",
        ]
    );
}

#[test]
fn a_window_of_windows_takes_their_last_instant() {
    let minutes = "SELECT window, count(*) AS n FROM t GROUP BY window(timestamp, '1 minute')";
    let input: Vec<String> = (0..600).map(|at| format!("{{\"timestamp\":{at}}}\n")).collect();
    let first = rows(&mut window(&[minutes]), input.concat().as_bytes());
    let sql = "SELECT window, sum(n) AS n FROM t GROUP BY window(timestamp, '5 minutes')";
    let second = shown(&rows(&mut window(&[sql]), first.as_bytes()));
    assert_eq!(second, ["00:00:00 00:05:00 300", "00:05:00 00:10:00 300"]);
}

#[test]
fn triggers_by_the_clock_fire_again_and_again_and_survive_a_restart() {
    let make = || {
        let options = WindowOptions {
            mode: Mode::Update,
            trigger: "10s".parse().unwrap(),
            ..Default::default()
        };
        with(COUNT, options)
    };
    let mut operator = make();
    let mut out = Output::in_memory();
    let clock = |seconds: i64| Timestamp::from_micros((1_000_000 + seconds) * 1_000_000);
    let mut seen = 0;
    operator.on_clock(clock(0), &mut out).unwrap();
    for (at, expected) in [(5, None), (10, Some("2")), (15, None), (21, Some("4"))] {
        feed(&mut operator, &[br#"{"timestamp":1}"#], &mut out);
        operator.on_clock(clock(at), &mut out).unwrap();
        let found = drain(&out, &mut seen);
        let expected = expected.map(|n| format!("00:00:00 00:00:10 {n}"));
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "at {at} s");
    }
    assert_eq!(operator.wakes_at(), Some(clock(31)));
    // Four seconds of the ten have passed when it is cut: six are left.
    operator.on_clock(clock(25), &mut out).unwrap();
    let mut operator = support::restored(&operator, make());
    operator.on_clock(clock(1_000), &mut out).unwrap();
    assert_eq!(operator.wakes_at(), Some(clock(1_006)));
}

#[test]
fn times_are_numbers_when_they_are_cast() {
    let sql = "SELECT CAST(max(timestamp) AS double) - CAST(min(timestamp) AS double) AS span, \
               CAST(last(timestamp) AS bigint) - CAST(first(timestamp) AS bigint) AS whole, \
               avg(CAST(timestamp AS double)) AS mean FROM t";
    let input = b"{\"timestamp\":\"1970-01-01T00:00:01.500Z\"}\n{\"timestamp\":4}\n";
    assert_eq!(rows(&mut window(&[sql]), input), "{\"span\":2.5,\"whole\":3,\"mean\":2.75}\n");
}

#[test]
fn numbers_beyond_the_doubles_are_null_and_counted() {
    let sql = "SELECT k, count(*) AS n, sum(v) AS s FROM t WHERE v IS NULL OR v > 0 GROUP BY k";
    let input =
        b"{\"k\":1e400,\"v\":1}\n{\"k\":-1e999,\"v\":2e308}\n{\"k\":null,\"other\":1e400}\n";
    let out = support::run(&mut window(&[sql]), input, usize::MAX);
    assert_eq!(out.rows(), b"{\"k\":null,\"n\":3,\"s\":1}\n");
    assert_eq!(out.stats.casts_failed, 3, "once for each, however often it is read");
}
