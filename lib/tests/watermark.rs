//! The rules of the watermark, each with its time line.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod support;

use highwater_core::stream::{Operator, Output, SideFile};
use std::io::Seek as _;

use support::{feed, rows, run, window};

/// A record at so many seconds after the epoch.
fn at(seconds: i64) -> Vec<u8> {
    format!("{{\"timestamp\":{seconds},\"v\":{seconds}}}").into_bytes()
}

fn stream(seconds: &[i64]) -> Vec<u8> {
    let lines: Vec<Vec<u8>> = seconds.iter().map(|&seconds| at(seconds)).collect();
    lines.join(&b'\n')
}

const FIVE_SECONDS: &str = "SELECT window, count(*) AS n \
     FROM t WATERMARK timestamp DELAY OF INTERVAL 10 SECONDS GROUP BY window(timestamp, '5 seconds')";

fn row(start: &str, end: &str, n: u32) -> String {
    let day = "1970-01-01T00:00";
    format!(r#"{{"window":{{"start":"{day}:{start}.000Z","end":"{day}:{end}.000Z"}},"n":{n}}}"#)
        + "\n"
}

#[test]
fn a_window_closes_when_the_watermark_reaches_its_end() {
    // time       10 11 12 13 14 15            25        10
    // windows    [10 - - - - )[15 - - ...
    // watermark   0  1  2  3  4  5            15 ──────────
    //                                          │         └ late: its window ends at 15 ≤ 15
    //                                          └ closes [10, 15) with its five records
    let mut operator = window(&[FIVE_SECONDS]);
    let mut out = Output::in_memory();
    let mut late = tempfile::tempfile().unwrap();
    out.late = Some(SideFile::new("late.ndjson", late.try_clone().unwrap()));
    for seconds in 10..=15 {
        feed(&mut operator, &[&at(seconds)], &mut out);
        assert!(out.rows().is_empty(), "at {seconds}");
    }
    feed(&mut operator, &[&at(24)], &mut out);
    assert!(out.rows().is_empty(), "the watermark is 14");
    feed(&mut operator, &[&at(25)], &mut out);
    assert_eq!(String::from_utf8_lossy(out.rows()), row("10", "15", 5));
    feed(&mut operator, &[&at(10)], &mut out);
    operator.on_end(&mut out).unwrap();
    out.flush().unwrap();
    let all = [row("10", "15", 5), row("15", "20", 1), row("20", "25", 1), row("25", "30", 1)];
    assert_eq!(String::from_utf8_lossy(out.rows()), all.concat());
    late.rewind().unwrap();
    let written = std::io::read_to_string(late).unwrap();
    assert_eq!(written, "{\"timestamp\":10,\"v\":10,\"late_by\":5.0}\n");
    let mut stats = out.stats.clone();
    operator.stats(&mut stats);
    let query = &stats.window.unwrap().queries[0];
    assert_eq!((query.aggregated, query.late, query.late_placements), (8, 1, 1));
}

#[test]
fn a_sliding_window_may_refuse_one_placement_and_take_another() {
    // windows of 10 s every 5 s, delay 0
    // time       12                       16   12
    // windows    [5 - - - - - - - 15)
    //                   [10 - - - - - - - - - 20)
    // watermark  12                       16 ─────
    //                                      │    └ refused by [5, 15), taken by [10, 20)
    //                                      └ closes [5, 15)
    let sql = "SELECT window, count(*) AS n FROM t WATERMARK timestamp DELAY OF INTERVAL 0 SECONDS \
               GROUP BY window(timestamp, '10 seconds', '5 seconds')";
    let mut operator = window(&[sql]);
    let out = run(&mut operator, &stream(&[12, 16, 12]), usize::MAX);
    let expected = [row("05", "15", 1), row("10", "20", 3), row("15", "25", 1)];
    assert_eq!(String::from_utf8_lossy(out.rows()), expected.concat());
    let query = &out.stats.window.unwrap().queries[0];
    assert_eq!((query.aggregated, query.late, query.late_placements), (3, 0, 1));
}

#[test]
fn the_record_that_moves_the_watermark_is_placed_first() {
    // 100 s after the last one: judged by the watermark before it.
    let out = rows(&mut window(&[FIVE_SECONDS]), &stream(&[0, 59, 58]));
    assert_eq!(out, [row("00", "05", 1), row("55", "60", 2).replace("00:60", "01:00")].concat());
}

#[test]
fn filtered_records_move_the_watermark_too() {
    let sql = FIVE_SECONDS.replace("GROUP", "WHERE v < 50 GROUP");
    let mut operator = window(&[&sql]);
    let mut out = Output::in_memory();
    feed(&mut operator, &[&at(0), &at(50), &at(1)], &mut out);
    assert_eq!(String::from_utf8_lossy(out.rows()), row("00", "05", 1));
    let mut stats = out.stats.clone();
    operator.stats(&mut stats);
    let query = &stats.window.unwrap().queries[0];
    assert_eq!((query.aggregated, query.filtered, query.late), (1, 1, 1));
}

#[test]
fn without_watermark_windows_close_at_the_end() {
    let sql = "SELECT window, count(*) AS n FROM t GROUP BY window(timestamp, '5 seconds')";
    let out = rows(&mut window(&[sql]), &stream(&[40, 0, 41, 1]));
    assert_eq!(out, [row("00", "05", 2), row("40", "45", 2)].concat());
}

#[test]
fn times_before_the_epoch_have_windows_too() {
    // -7 lies in [-10, -5): windows are aligned to the epoch on both sides of it.
    let sql = "SELECT window, count(*) AS n FROM t GROUP BY window(timestamp, '5 seconds')";
    let out = rows(&mut window(&[sql]), &stream(&[-7, -5, -1, 0]));
    let starts: Vec<&str> = out.lines().map(|line| &line[25..40]).collect();
    assert_eq!(starts, ["12-31T23:59:50.", "12-31T23:59:55.", "01-01T00:00:00."]);
}

#[test]
fn rows_due_together_come_by_end_start_query_and_key() {
    let slow = "SELECT window, k, count(*) AS slow FROM t WATERMARK timestamp DELAY OF INTERVAL 0 SECONDS \
                GROUP BY window(timestamp, '10 seconds'), k";
    let fast = slow.replace("10 seconds", "5 seconds").replace("slow", "fast");
    let input = br#"{"timestamp":1,"k":"b"}
{"timestamp":6,"k":null}
{"timestamp":7,"k":2}
{"timestamp":7,"k":10}
{"timestamp":7,"k":true}
{"timestamp":7,"k":"a"}
{"timestamp":20}
"#;
    let out = rows(&mut window(&[slow, &fast]), input);
    let shown: Vec<String> = out
        .lines()
        .map(|line| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let end = row["window"]["end"].as_str().unwrap();
            let name = if row["slow"].is_null() { "fast" } else { "slow" };
            format!("{} {} {name}", &end[17..19], row["k"])
        })
        .collect();
    assert_eq!(
        shown,
        [
            "05 \"b\" fast",
            "10 null slow",
            "10 true slow",
            "10 2 slow",
            "10 10 slow",
            "10 \"a\" slow",
            "10 \"b\" slow",
            "10 null fast",
            "10 true fast",
            "10 2 fast",
            "10 10 fast",
            "10 \"a\" fast",
            "25 null fast",
            "30 null slow",
        ]
    );
}

#[test]
fn keys_are_printed_as_first_seen_in_the_window() {
    let sql = "SELECT window, k, count(*) AS n FROM t GROUP BY window(timestamp, '10 seconds', '5 seconds'), k";
    let input = br#"{"timestamp":6,"k":1.0}
{"timestamp":1,"k":1}
{"timestamp":2,"k":1e0}
"#;
    let out = rows(&mut window(&[sql]), input);
    let keys: Vec<&str> = out
        .lines()
        .map(|line| line.split("\"k\":").nth(1).unwrap().split(',').next().unwrap())
        .collect();
    assert_eq!(keys, ["1", "1.0", "1.0"]);
}
