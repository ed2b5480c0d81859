//! The window engine against a plain, slow oracle: the definition of windows
//! and watermark, written down with lists and loops.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod support;

use std::collections::BTreeMap;

use highwater_core::stream::QueryStats;
use proptest::prelude::*;
use support::{run, window};

/// Seconds, key, value; `None` for a record without a time.
type Event = (Option<i64>, Option<u8>, Option<i64>);

#[derive(Clone, Debug)]
struct Query {
    size: i64,
    slide: i64,
    start: i64,
    delay: Option<i64>,
    at_least: i64,
}

impl Query {
    fn sql(&self) -> String {
        let Self { size, slide, start, at_least, .. } = self;
        let watermark = self.delay.map_or(String::new(), |delay| {
            format!("WATERMARK timestamp DELAY OF INTERVAL {delay} SECONDS")
        });
        format!(
            "SELECT window, k, count(*) AS n, sum(v) AS s, min(v) AS lo, max(v) AS hi, \
             count(DISTINCT v) AS d, collect_list(v) AS l FROM t {watermark} \
             WHERE v >= {at_least} OR v IS NULL \
             GROUP BY window(timestamp, '{size} seconds', '{slide} seconds', '{start} seconds'), k"
        )
    }
}

fn line(&(time, key, value): &Event) -> String {
    let text = |number: Option<i64>| number.map_or("null".to_owned(), |number| number.to_string());
    let key = key.map_or("null".to_owned(), |key| format!("\"key{key}\""));
    format!("{{\"timestamp\":{},\"k\":{key},\"v\":{}}}\n", text(time), text(value))
}

fn instant(seconds: i64) -> String {
    let time = highwater_core::time::Timestamp::from_micros(seconds * 1_000_000);
    format!("\"{time}\"")
}

/// The rows, and what became of the records.
fn oracle(query: &Query, events: &[Event]) -> (String, QueryStats) {
    let mut windows: BTreeMap<(i64, i64, Option<u8>), Vec<Option<i64>>> = BTreeMap::new();
    let mut stats = QueryStats::default();
    let mut greatest: Option<i64> = None;
    for &(time, key, value) in events {
        let Some(time) = time else { continue };
        let watermark = query.delay.zip(greatest).map(|(delay, greatest)| greatest - delay);
        if value.is_some_and(|value| value < query.at_least) {
            stats.filtered += 1;
        } else {
            let mut taken = false;
            for k in -200..200 {
                let start = query.start + k * query.slide;
                let end = start + query.size;
                if !(start..end).contains(&time) {
                    continue;
                }
                if watermark.is_some_and(|watermark| end <= watermark) {
                    stats.late_placements += 1;
                } else {
                    taken = true;
                    windows.entry((end, start, key)).or_default().push(value);
                }
            }
            if taken {
                stats.aggregated += 1;
            } else {
                stats.late += 1;
            }
        }
        greatest = greatest.max(Some(time));
    }
    let rows = windows.into_iter().map(|((end, start, key), values)| {
        let mut numbers: Vec<i64> = values.iter().flatten().copied().collect();
        let list = format!("{numbers:?}").replace(' ', "");
        let sum: i64 = numbers.iter().sum();
        numbers.sort_unstable();
        let text = |number: Option<&i64>| {
            number.map_or("null".to_owned(), std::string::ToString::to_string)
        };
        let (lo, hi) = (text(numbers.first()), text(numbers.last()));
        let sum = if numbers.is_empty() { "null".to_owned() } else { sum.to_string() };
        numbers.dedup();
        format!(
            "{{\"window\":{{\"start\":{},\"end\":{}}},\"k\":{},\"n\":{},\"s\":{sum},\"lo\":{lo},\
             \"hi\":{hi},\"d\":{},\"l\":{list}}}\n",
            instant(start),
            instant(end),
            key.map_or("null".to_owned(), |key| format!("\"key{key}\"")),
            values.len(),
            numbers.len(),
        )
    });
    (rows.collect(), stats)
}

fn queries() -> impl Strategy<Value = Query> {
    (1_i64..12, 0_i64..12, 0_i64..20, proptest::option::of(0_i64..30), -3_i64..3).prop_map(
        |(slide, more, start, delay, at_least)| Query {
            size: slide + more,
            slide,
            start: start % slide,
            delay,
            at_least,
        },
    )
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let step = (
        proptest::option::weighted(0.95, -20_i64..25),
        proptest::option::of(0_u8..3),
        proptest::option::of(-5_i64..5),
    );
    proptest::collection::vec(step, 0..60).prop_map(|steps| {
        // Times wander upwards with disorder, beginning before the epoch.
        let mut base = -60;
        let mut event = |(step, key, value): (Option<i64>, Option<u8>, Option<i64>)| {
            base += 3;
            (step.map(|step| base + step), key, value)
        };
        steps.into_iter().map(&mut event).collect()
    })
}

proptest! {
    #[test]
    fn rows_and_fates_are_those_of_the_definition(query in queries(), events in events()) {
        let input: String = events.iter().map(line).collect();
        let (rows, fates) = oracle(&query, &events);
        let mut operator = window(&[&query.sql()]);
        let out = run(&mut operator, input.as_bytes(), usize::MAX);
        prop_assert_eq!(String::from_utf8_lossy(out.rows()), rows);
        let stats = out.stats;
        let query = &stats.window.as_ref().unwrap().queries[0];
        prop_assert_eq!(query, &fates);
        // Every record has exactly one fate.
        let sum = stats.rejected() + query.filtered + query.duplicates + query.late + query.aggregated;
        prop_assert_eq!(stats.records_in, sum);
    }

    #[test]
    fn sizes_of_reads_do_not_matter(query in queries(), events in events(), size in 1_usize..50) {
        let input: String = events.iter().map(line).collect();
        let sql = query.sql();
        let whole = run(&mut window(&[&sql]), input.as_bytes(), usize::MAX);
        for size in [1, 7, size, 4096] {
            let parts = run(&mut window(&[&sql]), input.as_bytes(), size);
            prop_assert_eq!(parts.rows(), whole.rows(), "reads of {} bytes", size);
        }
    }

    /// Queries that share a pass give what each gives alone.
    #[test]
    fn queries_do_not_disturb_one_another(first in queries(), second in queries(), events in events()) {
        let input: String = events.iter().map(line).collect();
        let sql = [first.sql(), second.sql().replace(" AS n,", " AS other,")];
        let mut operator = window(&[&sql[0], &sql[1]]);
        let both = run(&mut operator, input.as_bytes(), usize::MAX);
        let both = String::from_utf8_lossy(both.rows()).into_owned();
        for (sql, mark) in sql.iter().zip(["\"n\":", "\"other\":"]) {
            let alone = run(&mut window(&[sql]), input.as_bytes(), usize::MAX);
            let mine: String = both.split_inclusive('\n').filter(|line| line.contains(mark)).collect();
            prop_assert_eq!(&mine, &String::from_utf8_lossy(alone.rows()));
        }
    }
}
