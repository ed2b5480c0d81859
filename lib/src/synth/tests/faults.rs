//! Duplicates, broken lines, clocks ahead and partitions: a reader's account
//! of the lines is held against the truth.

use super::*;

type Flags<'a> = &'a [(&'a str, &'a str)];

/// Two minutes of logs in disorder, with late records and an anomaly.
const BASE: [(&str, &str); 5] = [
    ("duration", "2m"),
    ("rate", "20"),
    ("out-of-order", "5s"),
    ("late", "5%:10s..30s"),
    ("anomaly", "user-burst@30s+30s"),
];
const FAULTS: [(&str, &str); 6] = [
    ("duplicate", "3%:4s"),
    ("malformed", "3%"),
    ("future-clock", "2%:1d"),
    ("partitions", "4"),
    ("skew", "15s"),
    ("idle-partition", ""),
];
const DAY: i64 = 86_400_000;

fn with(more: Flags<'_>) -> Vec<(&str, &str)> {
    [&BASE[..], more].concat()
}

/// A line's own text, and its partition, offset and time of appending.
fn split(line: &str) -> (String, Option<(usize, u64, i64)>) {
    let Some(rest) = line.strip_prefix("{\"@source\":") else { return (line.to_owned(), None) };
    let end = rest.find('}').unwrap();
    let source: Value = serde_json::from_str(&rest[..=end]).unwrap();
    let own = format!("{{{}", &rest[end + 2..]);
    let user = serde_json::from_str::<Value>(&own).unwrap()["user_id"].clone();
    let expected = format!(
        "{{\"topic\":\"logs\",\"partition\":{},\"offset\":{},\"timestamp\":{},\"key\":{user}}}",
        source["partition"], source["offset"], source["timestamp"]
    );
    assert_eq!(rest[..=end], expected);
    let number = |key: &str| source[key].as_u64().unwrap();
    let appended = millis_of(&source["timestamp"]);
    (own, Some((number("partition") as usize, number("offset"), appended)))
}

impl Made {
    /// What the truth says of each line; at most one thing.
    fn told(&self) -> BTreeMap<usize, &Value> {
        let about = self.truth.iter().filter(|t| t["line"].is_u64() && t["kind"] != "idle");
        let told: Vec<_> = about.map(|t| (t["line"].as_u64().unwrap() as usize, t)).collect();
        assert!(told.is_sorted_by(|(a, _), (b, _)| a < b), "in order, each line once");
        told.into_iter().collect()
    }

    fn count(&self, kind: &str) -> usize {
        self.truth.iter().filter(|truth| truth["kind"] == kind).count()
    }

    /// The records as they would be without faults, in the order in which they
    /// are here.
    fn cleaned(&self) -> Vec<String> {
        let told = self.told();
        let clean = |(number, line): (usize, &String)| {
            let (own, _) = split(line);
            match told.get(&number).map(|truth| truth["kind"].as_str().unwrap()) {
                Some("malformed" | "duplicate") => None,
                Some("future") => {
                    let millis = row(&own).millis;
                    let text = |millis: i64| {
                        let mut out = Vec::new();
                        Timestamp::from_micros(millis * 1_000).write(&mut out);
                        String::from_utf8(out).unwrap()
                    };
                    Some(own.replacen(&text(millis), &text(millis - DAY), 1))
                }
                _ => Some(own),
            }
        };
        (1..).zip(&self.lines).filter_map(clean).collect()
    }
}

#[test]
fn what_is_added_leaves_the_rest_as_it_was() {
    let plain = logs(&BASE).lines;
    for faults in [
        &[("duplicate", "3%")][..],
        &[("malformed", "3%")],
        &[("partitions", "4")],
        &[("partitions", "4"), ("idle-partition", ""), ("malformed", "50%"), ("duplicate", "50%")],
    ] {
        assert_eq!(logs(&with(faults)).cleaned(), plain, "{faults:?}");
    }
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    let plain = sorted(plain);
    assert_eq!(sorted(logs(&with(&[("future-clock", "2%:1d")])).cleaned()), plain);
    assert_eq!(sorted(logs(&with(&FAULTS)).cleaned()), plain);
}

#[test]
fn the_same_flags_give_the_same_bytes() {
    let (first, second) = (logs(&with(&FAULTS)), logs(&with(&FAULTS)));
    assert!(first.lines == second.lines && first.truth == second.truth);
    let other = logs(&with(&[&FAULTS[..], &[("seed", "2")]].concat()));
    assert_ne!(first.truth, other.truth);
}

#[test]
fn shares_are_what_was_asked_for() {
    let made = logs(&[
        ("count", "100000"),
        ("duplicate", "1%"),
        ("malformed", "2%"),
        ("future-clock", "0.5%:1d"),
    ]);
    for (kind, expected) in [("duplicate", 1_000.0), ("malformed", 2_000.0), ("future", 500.0)] {
        let count = made.count(kind) as f64;
        assert!((count / expected - 1.0).abs() < 0.15, "{kind}: {count}");
    }
    for kind in ["cut", "text", "no-time", "bad-time", "wrong-type", "bad-utf8"] {
        let count = made.truth.iter().filter(|truth| truth["type"] == kind).count();
        assert!(made.count("malformed").div_ceil(6).abs_diff(count) <= 1, "{kind}: {count}");
    }
    let all = logs(&[("malformed", "100%"), ("duplicate", "100%")]);
    assert_eq!(
        (all.lines.len(), all.count("malformed"), all.count("duplicate")),
        (3_000, 1_000, 1_000)
    );
}

/// What a reader knows after some of the lines.
struct Reader {
    greatest: Option<i64>,
    /// By partition.
    greatest_of: Vec<Option<i64>>,
    next_offset: Vec<u64>,
    appended: Vec<i64>,
    silent: Option<usize>,
    /// Greatest event time after each line.
    greatest_after: Vec<Option<i64>>,
}

impl Reader {
    fn new(partitions: usize) -> Self {
        Self {
            greatest: None,
            greatest_of: vec![None; partitions],
            next_offset: vec![0; partitions],
            appended: vec![i64::MIN; partitions],
            silent: None,
            greatest_after: vec![None],
        }
    }

    /// The least of the partitions' greatest times, without that of `idle`.
    fn least(&self, idle: Option<usize>) -> Option<i64> {
        let counted = self.greatest_of.iter().enumerate().filter(|(at, _)| Some(*at) != idle);
        counted.filter_map(|(_, greatest)| *greatest).min()
    }

    fn append(&mut self, partition: usize, offset: u64, appended: i64) {
        assert_eq!(offset, self.next_offset[partition], "offsets of partition {partition}");
        self.next_offset[partition] += 1;
        assert!(appended >= self.appended[partition], "times of partition {partition}");
        self.appended[partition] = appended;
        assert_ne!(self.silent, Some(partition), "partition {partition} is silent");
    }

    fn advance(&mut self, partition: usize, millis: i64) {
        for greatest in [&mut self.greatest, &mut self.greatest_of[partition]] {
            *greatest = (*greatest).max(Some(millis));
        }
    }
}

/// Reads the lines one by one and holds them against the truth.
fn check(made: &Made, partitions: usize, lag: Option<i64>, bound: i64, delay: i64) {
    let skewed = lag.is_some();
    let told = made.told();
    let silence = made.truth.iter().find(|truth| truth["kind"] == "idle");
    let idle = silence.map(|truth| truth["partition"].as_u64().unwrap() as usize);
    let mut reader = Reader::new(partitions);
    for (number, line) in (1..).zip(&made.lines) {
        if silence.is_some_and(|truth| truth["line"] == number) {
            reader.silent = idle;
        }
        let truth = told.get(&number);
        let kind = truth.map(|truth| truth["kind"].as_str().unwrap());
        if kind != Some("malformed") {
            let (own, source) = split(line);
            let (partition, offset, appended) = source.unwrap();
            reader.append(partition, offset, appended);
            let millis = row(&own).millis;
            let reached = |reader: &Reader| {
                if skewed { reader.least(idle) } else { reader.greatest }
            };
            match (kind, truth) {
                (Some("late"), Some(truth)) => {
                    let behind = reached(&reader).unwrap() - millis;
                    assert!(behind > bound, "line {number} is {behind} ms behind");
                    assert_eq!(truth["late_by"], behind as f64 / 1e3, "line {number}");
                }
                (Some("future"), Some(truth)) => {
                    let ahead = millis - reader.greatest.unwrap();
                    // By its own clock, a record of the slowest partition is
                    // behind the others by its lag, and by the disorder.
                    let behind = (lag.unwrap_or(0) + bound).max(60_000);
                    assert!((DAY - behind..=DAY + 60_000).contains(&ahead), "line {number}");
                    assert_eq!(truth["ahead_by"], ahead as f64 / 1e3, "line {number}");
                }
                (Some("duplicate"), Some(truth)) => {
                    let of = truth["of"].as_u64().unwrap() as usize;
                    assert_eq!(split(&made.lines[of - 1]).0, own, "line {number}");
                    let passed = reader.greatest.unwrap() - reader.greatest_after[of].unwrap();
                    assert!(skewed || passed <= delay, "line {number} repeats {of}: {passed} ms");
                }
                _ => {
                    reader.advance(partition, millis);
                    let held_back =
                        skewed && reached(&reader).is_none_or(|reached| reached - millis <= bound);
                    let behind = reader.greatest_of[partition].unwrap() - millis;
                    assert!(behind <= bound || held_back, "line {number} is {behind} ms behind");
                }
            }
        }
        reader.greatest_after.push(reader.greatest);
    }
    assert_eq!(silence.is_some(), reader.silent.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_truth_is_what_a_reader_finds(
        seed in any::<u64>(),
        partitions in 2_usize..7,
        lag in prop::option::of(1_u32..60),
        idle in any::<bool>(),
        delay in 0_i64..20,
        bound in 0_i64..8,
        ahead in prop::option::of(1_u32..5),
    ) {
        let texts = (
            seed.to_string(),
            partitions.to_string(),
            format!("{}s", lag.unwrap_or_default()),
            format!("20%:{delay}s"),
            format!("{bound}s"),
            format!("{}%:1d", ahead.unwrap_or_default()),
        );
        let mut flags = vec![
            ("duration", "3m"),
            ("rate", "20"),
            ("late", "5%:20s..60s"),
            ("malformed", "5%"),
            ("anomaly", "ddos@30s+1m"),
            ("seed", &texts.0),
            ("partitions", &texts.1),
            ("duplicate", &texts.3),
            ("out-of-order", &texts.4),
        ];
        flags.extend(lag.map(|_| ("skew", texts.2.as_str())));
        flags.extend(idle.then_some(("idle-partition", "")));
        flags.extend(ahead.map(|_| ("future-clock", texts.5.as_str())));
        let lag = lag.map(|lag| i64::from(lag) * 1_000);
        check(&logs(&flags), partitions, lag, bound * 1_000, delay * 1_000);
    }
}

#[test]
fn skew_lets_the_last_partition_lag_by_as_much_as_asked() {
    let made = logs(&[("duration", "20m"), ("rate", "10"), ("partitions", "3"), ("skew", "4m")]);
    let lags: Vec<f64> = made.truth.iter().map(|truth| truth["lag"].as_f64().unwrap()).collect();
    assert_eq!(lags, [0.0, 120.0, 240.0]);
    let rows: Vec<(usize, i64)> = made
        .lines
        .iter()
        .map(|line| {
            let (own, source) = split(line);
            (source.unwrap().0, row(&own).millis - START)
        })
        .collect();
    // When the first partition is at 10 and at 20 minutes.
    for (minute, lags) in [(10, [0.0, 60.0, 120.0]), (20, [0.0, 120.0, 240.0])] {
        let at = rows.iter().rposition(|(p, t)| *p == 0 && *t <= minute * MINUTE).unwrap();
        for (partition, lag) in lags.into_iter().enumerate() {
            let last = rows[..=at].iter().rfind(|(p, _)| *p == partition).unwrap().1;
            let behind = (rows[at].1 - last) as f64 / 1e3;
            assert!((behind - lag).abs() < 3.0, "partition {partition}, {minute} min: {behind}");
        }
    }
}

/// The least and the greatest lateness in the truth, in seconds, and how many
/// records are late.
fn lateness(flags: Flags<'_>) -> (f64, f64, usize) {
    let made = logs(flags);
    let late = made.truth.iter().filter_map(|truth| truth["late_by"].as_f64());
    let range = late.fold((f64::MAX, f64::MIN), |(low, high), by| (low.min(by), high.max(by)));
    (range.0, range.1, made.count("late"))
}

#[test]
fn clocks_ahead_make_no_record_less_late() {
    let flags = [("duration", "1h"), ("rate", "1"), ("late", "20%:10s..30s")];
    let (least, _, count) = lateness(&[&flags[..], &[("future-clock", "60%:1d")]].concat());
    assert!(least >= 10.0 && count > 500, "{count} records, from {least} s on");
}

#[test]
fn a_late_record_is_late_to_the_slowest_partition() {
    let flags = [("duration", "20m"), ("rate", "20"), ("late", "2%:1m..2m"), ("partitions", "4")];
    let (_, _, count) = lateness(&flags);
    let (least, most, skewed) = lateness(&[&flags[..], &[("skew", "5m")]].concat());
    // The slowest partition's greatest time is a few records behind.
    assert!(least > 55.0 && most < 125.0, "from {least} s to {most} s");
    assert_eq!(skewed, count);
}

#[test]
fn a_lag_may_be_a_part_of_the_stream() {
    let lags = |skew| {
        let flags = [("count", "1001"), ("rate", "1"), ("partitions", "3"), ("skew", skew)];
        logs(&flags).truth.iter().map(|truth| truth["lag"].as_f64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(lags("10%"), [0.0, 50.0, 100.0]);
    assert_eq!(lags("100s"), lags("10%"));
}

#[test]
fn an_idle_partition_is_silent_from_half_of_the_stream_on() {
    let made = logs(&[("duration", "10m"), ("partitions", "4"), ("idle-partition", "")]);
    assert_eq!(made.lines.len(), 30_000);
    let [idle] = &made.truth[..] else { panic!("{:?}", made.truth) };
    assert_eq!(millis_of(&idle["start"]), START + 5 * MINUTE);
    assert_eq!(idle["line"], 15_001);
    let partition = |line: &String| split(line).1.unwrap().0 as u64;
    let idle = idle["partition"].as_u64().unwrap();
    let before = made.lines[..15_000].iter().filter(|line| partition(line) == idle).count();
    assert!((3_000..4_500).contains(&before), "{before}");
    assert!(made.lines[15_000..].iter().all(|line| partition(line) != idle));
}
