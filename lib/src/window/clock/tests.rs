//! Time lines, and the law of each option against a slow oracle.

use super::*;
use crate::window::{AdaptiveDelay, WatermarkPer};
use proptest::prelude::*;

const fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

const fn length(micros: i64) -> TimeDelta {
    TimeDelta::from_micros(micros)
}

/// `--watermark-per p`, or `p:N` for N values.
fn per(values: Option<usize>) -> WatermarkPer {
    WatermarkPer { field: "p".to_owned(), values }
}

fn options(watermark_per: Option<WatermarkPer>, idle_timeout: Option<i64>) -> WindowOptions {
    WindowOptions {
        watermark_per,
        idle_timeout: idle_timeout.map(length),
        ..WindowOptions::default()
    }
}

fn restored(clock: &EventClock, options: &WindowOptions) -> EventClock {
    let mut state = SnapshotWriter::new();
    clock.snapshot(&mut state);
    let bytes = state.into_bytes();
    let mut reader = SnapshotReader::new(&bytes);
    let mut fresh = EventClock::new(options);
    fresh.restore(&mut reader).unwrap();
    assert!(reader.is_empty(), "the state was not read to its end");
    fresh
}

#[test]
fn it_follows_the_greatest_time_and_never_goes_back() {
    let mut clock = EventClock::new(&WindowOptions::default());
    let delay = Some(length(10));
    assert_eq!((clock.watermark(delay), clock.wakes_at()), (None, None));
    for (time, moved, watermark) in
        [(-5, true, -15), (-5, false, -15), (20, true, 10), (7, false, 10), (i64::MIN, false, 10)]
    {
        assert_eq!(clock.observe(time, b""), moved, "{time}");
        assert_eq!(clock.watermark(delay), Some(watermark), "{time}");
    }
    assert_eq!((clock.watermark(None), clock.delay(delay)), (None, delay));
    assert!(!clock.advance(at(1_000)), "without options there is no idleness");
    assert_eq!((clock.greatest_of(b""), clock.is_by_idleness()), (Some(20), false));
}

#[test]
fn the_least_of_the_values_counts() {
    //        a    b     a     c     b      c
    // time   10   30    20    5     40     50
    // least  10   10    20    20*   20*    20   (* c is behind; time does not go back)
    let mut clock = EventClock::new(&options(Some(per(None)), None));
    for (value, time, reached) in
        [("a", 10, 10), ("b", 30, 10), ("a", 20, 20), ("c", 5, 20), ("b", 40, 20), ("c", 50, 20)]
    {
        clock.observe(time, value.as_bytes());
        assert_eq!(clock.reached(), Some(reached), "{value} {time}");
    }
    assert_eq!((clock.greatest_of(b"a"), clock.greatest_of(b"x")), (Some(20), None));
    assert!(clock.observe(45, b"a"));
    assert_eq!(clock.reached(), Some(40));
    assert!(!clock.advance(at(i64::MAX)), "without a time-out nobody is left out");
}

#[test]
fn it_waits_for_all_values_or_the_timeout() {
    let options = options(Some(per(Some(3))), Some(100));
    // clock  0           50     99   100
    //        a 10  b 20  b 30        a is left out, and no c is awaited
    // time   -           -      -    30
    let mut clock = EventClock::new(&options);
    assert!(!clock.advance(at(0)));
    assert!(!clock.observe(10, b"a") && !clock.observe(20, b"b"));
    clock.advance(at(50));
    clock.observe(30, b"b");
    assert!(!clock.advance(at(99)));
    assert_eq!((clock.reached(), clock.wakes_at()), (None, Some(at(100))));
    assert!(clock.clone().observe(5, b"c"), "the third value");
    assert!(clock.advance(at(100)));
    assert_eq!((clock.reached(), clock.is_by_idleness()), (Some(30), true));
    assert!(!clock.observe(30, b"c"), "waits no more, and a third value holds back");
}

#[test]
fn a_silent_value_is_left_out_until_it_speaks() {
    let mut clock = EventClock::new(&options(Some(per(None)), Some(10)));
    // clock  0      5       9   10           10     10      10
    //        b 50   a 100       b left out   b 60   a 120   b 110
    // time   50     50          100          100    100     110
    clock.advance(at(0));
    clock.observe(50, b"b");
    clock.advance(at(5));
    clock.observe(100, b"a");
    assert_eq!(clock.reached(), Some(50));
    assert!(!clock.advance(at(9)));
    assert_eq!(clock.wakes_at(), Some(at(10)));
    assert!(clock.advance(at(10)), "b is left out");
    assert_eq!((clock.reached(), clock.is_by_idleness()), (Some(100), true));
    assert!(!clock.observe(60, b"b"), "taken in again; time does not go back");
    assert!(!clock.observe(120, b"a"), "b, at 60, holds it");
    assert!(clock.observe(110, b"b"));
    assert_eq!((clock.reached(), clock.is_by_idleness()), (Some(110), false));
}

#[test]
fn when_all_are_silent_time_goes_on_with_the_clock() {
    // clock   0       9    10     25      30
    //         t=100   -    110    125     t=105 (time stays at 125), t=130
    let mut clock = EventClock::new(&options(None, Some(10)));
    clock.observe(100, b"");
    assert_eq!(clock.wakes_at(), None, "no processing time yet");
    clock.advance(at(0));
    assert!(!clock.advance(at(9)));
    assert_eq!(clock.wakes_at(), Some(at(10)));
    // A window that ends at 112, for a delay of 8: silence must bring time to 120.
    let delay = Some(length(8));
    assert_eq!(clock.idle_closes_at(112, delay), Some(at(20)));
    assert_eq!(clock.idle_closes_at(90, delay), Some(at(10)), "not before all are silent");
    assert_eq!(clock.idle_closes_at(112, None), None);
    assert!(clock.advance(at(10)));
    assert_eq!((clock.reached(), clock.wakes_at()), (Some(110), None));
    clock.advance(at(19));
    assert_eq!(clock.watermark(delay), Some(111));
    clock.advance(at(20));
    assert_eq!((clock.watermark(delay), clock.is_by_idleness()), (Some(112), true));
    clock.advance(at(25));
    assert!(!clock.observe(105, b""));
    assert_eq!((clock.reached(), clock.greatest_of(b"")), (Some(125), Some(105)));
    assert!(clock.observe(130, b""));
    assert_eq!((clock.reached(), clock.is_by_idleness()), (Some(130), false));
}

#[test]
fn time_that_passed_between_two_runs_is_no_silence() {
    let options = options(None, Some(10));
    let mut clock = EventClock::new(&options);
    clock.advance(at(0));
    clock.observe(100, b"");
    clock.advance(at(6));
    let mut clock = restored(&clock, &options);
    assert!(!clock.advance(at(1_000_000)));
    assert_eq!(clock.wakes_at(), Some(at(1_000_004)), "six of ten were over");
    assert!(clock.advance(at(1_000_004)));
    assert_eq!(clock.reached(), Some(110));
}

#[test]
fn another_clock_begins_without_silence_but_for_what_was_there_before() {
    // b has been silent for 6 of 10 when the state is written; then a is heard
    // by one clock, and after 1,000 another one begins at 0.
    let options = options(Some(per(None)), Some(10));
    let mut clock = EventClock::new(&options);
    clock.advance(at(0));
    clock.observe(50, b"b");
    clock.advance(at(6));
    let mut clock = restored(&clock, &options);
    clock.advance(at(5_000));
    clock.observe(100, b"a");
    clock.advance(at(5_003));
    clock.restart();
    clock.restart();
    clock.advance(at(0));
    assert_eq!((clock.reached(), clock.wakes_at()), (Some(50), Some(at(4))), "b");
    clock.advance(at(4));
    assert_eq!((clock.reached(), clock.wakes_at()), (Some(100), Some(at(10))), "a");
    clock.advance(at(9));
    clock.restart();
    clock.advance(at(-70));
    assert_eq!((clock.reached(), clock.wakes_at()), (Some(100), Some(at(-66))), "b is awake");
}

#[test]
fn many_values_do_not_make_a_record_dearer() {
    // 10,000 values, each the least in turn: a scan of all for each record
    // would take minutes here.
    let mut clock = EventClock::new(&options(Some(per(None)), Some(1_000)));
    let values: Vec<[u8; 4]> = (0..10_000_u32).map(u32::to_be_bytes).collect();
    clock.advance(at(0));
    for round in 0..30_i64 {
        for (number, value) in values.iter().enumerate() {
            clock.observe(round, value);
            clock.advance(at(round * 10_000 + number as i64));
        }
    }
    assert!(clock.size() < 4_000_000, "{}", clock.size());
}

fn adaptive(quantile: f64, min: i64, max: Option<i64>) -> WindowOptions {
    let delay = AdaptiveDelay { quantile, min: length(min), max: max.map(length) };
    WindowOptions { adaptive: Some(delay), ..WindowOptions::default() }
}

#[test]
fn the_first_thousand_wait_for_max_or_for_the_measure() {
    for (max, first) in [(Some(500), Some(-500)), (None, None)] {
        let mut clock = EventClock::new(&adaptive(0.9, 0, max));
        // Every fifth record is 20 late; 0.9 of all are at most 20 late.
        for number in 0..999 {
            clock.observe(if number % 5 == 4 { -20 } else { 0 }, b"");
        }
        assert_eq!(clock.watermark(Some(length(3))), first, "its own delay does not count");
        assert!(clock.observe(-20, b""));
        assert_eq!(clock.watermark(None), Some(-20));
        assert_eq!(clock.delay(None), Some(length(20)));
    }
}

#[test]
fn bounds_hold_and_a_longer_delay_does_not_move_time_back() {
    let mut clock = EventClock::new(&adaptive(0.9, 5, Some(50)));
    (0..1_000).for_each(|_| _ = clock.observe(0, b""));
    assert_eq!((clock.delay(None), clock.watermark(None)), (Some(length(5)), Some(-5)));
    (0..1_000).for_each(|_| _ = clock.observe(-1_000, b""));
    assert_eq!((clock.delay(None), clock.watermark(None)), (Some(length(50)), Some(-5)));
}

#[test]
fn only_the_last_records_count() {
    let mut clock = EventClock::new(&adaptive(0.99, 0, None));
    (0..1_000).for_each(|_| _ = clock.observe(-90, b""));
    clock.observe(0, b"");
    (0..999).for_each(|_| _ = clock.observe(-90, b""));
    assert_eq!(clock.delay(None), Some(length(90)));
    // The late ones are in the first span of 10,000, which counts until the
    // second has ended.
    (0..17_999).for_each(|_| _ = clock.observe(0, b""));
    assert_eq!(clock.delay(None), Some(length(90)));
    (0..1_001).for_each(|_| _ = clock.observe(0, b""));
    assert_eq!(clock.delay(None), Some(length(0)));
}

/// Event time by the contract's words, over all that has happened.
#[derive(Clone, Debug)]
struct Oracle {
    has_field: bool,
    expected: usize,
    timeout: Option<i64>,
    now: i64,
    /// Value, event time and processing time of each record.
    records: Vec<(u8, i64, i64)>,
    has_waited: bool,
    reached: Option<i64>,
}

impl Oracle {
    fn judge(&mut self) {
        let mut values: Vec<u8> = self.records.iter().map(|record| record.0).collect();
        values.sort_unstable();
        values.dedup();
        let first = self.records.first().map(|record| record.2);
        let is_over = |since: i64| self.timeout.is_some_and(|timeout| self.now - since >= timeout);
        self.has_waited |= values.len() >= self.expected || first.is_some_and(is_over);
        if !self.has_waited {
            return;
        }
        let of = |value: u8| self.records.iter().filter(move |record| record.0 == value);
        let awake = values.iter().filter(|&&value| !is_over(of(value).next_back().unwrap().2));
        let least = awake.map(|&value| of(value).map(|record| record.1).max().unwrap()).min();
        let greatest = self.records.iter().map(|record| record.1).max();
        let silence = self.now - self.records.last().map_or(0, |record| record.2);
        self.reached = self.reached.max(least.or(greatest.map(|greatest| greatest + silence)));
    }
}

proptest! {
    #[test]
    fn event_time_is_what_the_words_say(
        steps in proptest::collection::vec((0_u8..5, -20_i64..60, 0_i64..6), 0..100),
        has_field in any::<bool>(), expected in 0_usize..4, timeout in proptest::option::of(1_i64..20),
        cut in 0_usize..100,
    ) {
        let expected = if has_field { expected } else { 0 };
        let options = options(has_field.then(|| per((expected > 0).then_some(expected))), timeout);
        let mut clock = EventClock::new(&options);
        let mut oracle = Oracle {
            has_field, expected, timeout, now: 0, records: Vec::new(), has_waited: false, reached: None,
        };
        clock.advance(at(0));
        for (index, (value, time, pause)) in steps.into_iter().enumerate() {
            if index == cut {
                clock = restored(&clock, &options);
                clock.advance(at(oracle.now));
            }
            let before = clock.reached();
            let moved = if value == 4 {
                oracle.now += pause;
                clock.advance(at(oracle.now))
            } else {
                oracle.records.push((if oracle.has_field { value } else { 0 }, time, oracle.now));
                clock.observe(time, &[value])
            };
            oracle.judge();
            prop_assert_eq!(clock.reached(), oracle.reached, "step {}", index);
            prop_assert_eq!(moved, clock.reached() > before);
            prop_assert!(clock.wakes_at().is_none_or(|wake| wake > at(oracle.now)));
            let delay = Some(length(7));
            let end = time + 10;
            if let Some(wake) = clock.idle_closes_at(end, delay) {
                let mut later = clock.clone();
                later.advance(wake);
                prop_assert!(later.watermark(delay) >= Some(end), "by then it is closed");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Against the exact quantile of exactly the records that count.
    #[test]
    fn the_measured_delay_is_the_quantile_rounded_up(
        spread in 1_i64..1_000_000, seed in 0_u64..1_000, quantile in 0.5_f64..0.999,
        cut in 0_usize..26_000,
    ) {
        let options = adaptive(quantile, 0, None);
        let mut clock = EventClock::new(&options);
        let (mut lateness, mut greatest, mut watermark) = (Vec::new(), i64::MIN, None);
        let mut random = seed;
        for index in 0..26_000_usize {
            if index == cut {
                clock = restored(&clock, &options);
            }
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let time = index as i64 * 10 - (random >> 33) as i64 % spread;
            lateness.push(if index == 0 { 0 } else { (greatest - time).max(0) });
            greatest = greatest.max(time);
            clock.observe(time, b"");
            if index % 1_000 == 999 {
                let span = index / 10_000 * 10_000;
                let mut last = lateness[span.saturating_sub(10_000)..].to_vec();
                last.sort_unstable();
                let exact = last[(quantile * last.len() as f64).ceil() as usize - 1];
                let delay = clock.delay(None).unwrap().micros;
                prop_assert!(delay >= exact && delay - exact <= exact / 128, "{delay} {exact}");
            }
            let now = clock.watermark(None);
            prop_assert!(now >= watermark, "a watermark never goes back");
            watermark = now;
        }
    }
}
