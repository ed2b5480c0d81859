//! The window engine, with all that `window` may be asked for, against the
//! rules written down plainly.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod oracle;
mod support;

use highwater_core::line::Projection;
use highwater_core::query::{Expr, Plan};
use highwater_core::stream::{Operator as _, Output};
use highwater_core::time::TimeDelta;
use highwater_core::window::{
    AheadLimits, Dedupe, Mode as OutputMode, Trigger, WatermarkPer, WindowOperator, WindowOptions,
};
use oracle::{Event, Mode, Oracle, Run, Windows};
use proptest::prelude::*;
use support::{feed, restored, run};

fn line(event: &Event) -> String {
    let text = |number: Option<i64>| number.map_or("null".to_owned(), |number| number.to_string());
    let key = event.key.map_or("null".to_owned(), |key| format!("\"key{key}\""));
    let Event { time, partition, value, .. } = *event;
    format!(
        "{{\"timestamp\":{},\"p\":{partition},\"k\":{key},\"v\":{}}}\n",
        text(time),
        text(value)
    )
}

fn sql(run: &Run) -> String {
    let window = match run.windows {
        Windows::Fixed { size, slide, start } => {
            format!("window(timestamp, '{size} seconds', '{slide} seconds', '{start} seconds'), ")
        }
        Windows::Session { gap } => format!("session_window(timestamp, '{gap} seconds'), "),
        Windows::None => String::new(),
    };
    let column = if window.is_empty() { "" } else { "window, " };
    let watermark = run.delay.map_or(String::new(), |delay| {
        format!("WATERMARK timestamp DELAY OF INTERVAL {delay} SECONDS")
    });
    format!(
        "SELECT {column}k, count(*) AS n, sum(v) AS s, count(DISTINCT v) AS d, collect_list(v) AS l \
         FROM t {watermark} WHERE v >= {} OR v IS NULL GROUP BY {window}k HAVING n >= {}",
        run.at_least, run.having
    )
}

fn seconds(seconds: i64) -> TimeDelta {
    TimeDelta::from_seconds(seconds)
}

fn operator(run: &Run) -> WindowOperator {
    let mut projection = Projection::default();
    let plan = Plan::compile(&sql(run), None, "timestamp", &mut projection).unwrap();
    let key = Expr::compile("k", "key", "timestamp", &mut projection).unwrap();
    let options = WindowOptions {
        allowed_lateness: run.lateness.map(seconds),
        watermark_per: run
            .per_partition
            .then(|| WatermarkPer { field: "p".to_owned(), values: None }),
        ahead: AheadLimits {
            max_ahead: None,
            max_jump: run.max_jump.map(seconds),
            keep: run.keep_ahead,
        },
        dedupe: run.dedupe_within.map(|within| Dedupe { keys: vec![key], within: seconds(within) }),
        max_groups: run.max_groups,
        mode: match run.mode {
            Mode::Append => OutputMode::Append,
            Mode::Update(_) => OutputMode::Update,
            Mode::Complete(_) => OutputMode::Complete,
        },
        trigger: match run.mode {
            Mode::Append => Trigger::default(),
            Mode::Update(every) | Mode::Complete(every) => Trigger::Count(every),
        },
        ..WindowOptions::default()
    };
    WindowOperator::new(vec![plan], projection, options).unwrap()
}

fn windows() -> impl Strategy<Value = Windows> {
    prop_oneof![
        3 => (1_i64..12, 0_i64..30, 0_i64..20).prop_map(|(slide, more, start)| Windows::Fixed {
            size: slide + more, slide, start: start % slide,
        }),
        2 => (1_i64..12).prop_map(|gap| Windows::Session { gap }),
        1 => Just(Windows::None),
    ]
}

fn runs() -> impl Strategy<Value = Run> {
    let mode = prop_oneof![
        2 => Just(Mode::Append),
        1 => (1_u64..7).prop_map(Mode::Update),
        1 => (1_u64..7).prop_map(Mode::Complete),
    ];
    let maybe = |range: std::ops::Range<i64>| proptest::option::of(range);
    let query = (windows(), maybe(0..30), -4_i64..1, 1_usize..3);
    let guards = (maybe(5..40), any::<bool>(), maybe(0..15), proptest::option::of(1_usize..3));
    (query, maybe(0..20), guards, any::<bool>(), mode).prop_map(
        |((windows, delay, at_least, having), lateness, guards, per_partition, mode)| {
            let (max_jump, keep_ahead, dedupe_within, max_groups) = guards;
            let is_session = matches!(windows, Windows::Session { .. });
            // Where windows overlap, panes admit keys and not windows.
            let overlap = matches!(windows, Windows::Fixed { size, slide, .. } if slide < size);
            Run {
                windows,
                delay,
                at_least,
                having,
                lateness: lateness.filter(|_| !is_session),
                max_jump,
                keep_ahead: keep_ahead && max_jump.is_some(),
                dedupe_within,
                max_groups: max_groups.filter(|_| !overlap),
                per_partition,
                mode,
            }
        },
    )
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let step = prop_oneof![12 => -20_i64..25, 1 => 60_i64..90];
    let event = (
        proptest::option::weighted(0.97, step),
        0_u8..2,
        proptest::option::weighted(0.9, 0_u8..4),
        proptest::option::of(-5_i64..5),
    );
    proptest::collection::vec(event, 0..80).prop_map(|events| {
        // Times wander upwards with disorder, beginning before the epoch.
        let mut base = -60;
        let mut event = |(step, partition, key, value): (Option<i64>, _, _, _)| {
            base += 3;
            Event { time: step.map(|step| base + step), partition, key, value }
        };
        events.into_iter().map(&mut event).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn rows_and_fates_are_those_of_the_rules(how in runs(), events in events()) {
        let input: String = events.iter().map(line).collect();
        let expected = Oracle::judge(&how, &events);
        let out = run(&mut operator(&how), input.as_bytes(), usize::MAX);
        prop_assert_eq!(String::from_utf8_lossy(out.rows()), expected.rows, "{}", sql(&how));
        let stats = out.stats;
        let query = &stats.window.as_ref().unwrap().queries[0];
        prop_assert_eq!(query, &expected.stats);
        prop_assert_eq!(stats.rejected(), expected.rejected);
        // Every record has exactly one fate.
        let fates = query.filtered + query.duplicates + query.late + query.aggregated;
        prop_assert_eq!(stats.records_in, stats.rejected() + fates);
    }
}

proptest! {
    #[test]
    fn a_run_that_is_cut_goes_on_with_the_same_bytes(
        how in runs(), events in events(), cut in any::<prop::sample::Index>(),
    ) {
        let lines: Vec<String> = events.iter().map(line).collect();
        let lines: Vec<&[u8]> = lines.iter().map(|line| line.trim_end().as_bytes()).collect();
        let cut = cut.index(lines.len() + 1);
        let mut whole = Output::in_memory();
        let mut uncut = operator(&how);
        feed(&mut uncut, &lines, &mut whole);
        uncut.on_end(&mut whole).unwrap();
        let mut parts = Output::in_memory();
        let mut first = operator(&how);
        feed(&mut first, &lines[..cut], &mut parts);
        let mut second = restored(&first, operator(&how));
        drop(first);
        feed(&mut second, &lines[cut..], &mut parts);
        second.on_end(&mut parts).unwrap();
        prop_assert_eq!(String::from_utf8_lossy(parts.rows()), String::from_utf8_lossy(whole.rows()));
    }
}
