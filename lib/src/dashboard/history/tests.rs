use serde_json::{Value, json};

use super::*;
use crate::dashboard::Labels;
use crate::stream::{SnapshotReader, SnapshotWriter};

const MINUTE: i64 = 60_000_000;
const BOUNDS: Bounds = Bounds {
    history: TimeDelta::from_micros(10 * MINUTE),
    more_fields: 1,
    series: 2,
    points: 4,
    all_points: 6,
    alerts: 2,
    alert_names: 2,
};

/// The window of a minute that ends `minutes` after 1970 began.
fn minute(minutes: i64) -> Place {
    let at = |minutes| Timestamp::from_micros(minutes * MINUTE);
    Place { end: at(minutes), start: at(minutes - 1) }
}

fn row(history: &mut History, service: &str, place: Option<Place>, values: &[(&str, Option<f64>)]) {
    let mut labels = Labels::default();
    labels.begin(None);
    labels.push(b"service", service.as_bytes());
    let mut update = history.row(labels.end(), place, Timestamp::from_micros(7 * MINUTE));
    for (field, value) in values {
        update.set(field.as_bytes(), *value);
    }
}

fn put(history: &mut History, service: &str, minutes: i64, value: f64) {
    row(history, service, Some(minute(minutes)), &[("error_rate", Some(value))]);
}

fn read(history: &History, cursor: &mut Cursor, budget: usize) -> Value {
    let mut text = Vec::new();
    history.read(cursor, budget, &mut text);
    serde_json::from_slice(&text).unwrap()
}

fn all(history: &History) -> Value {
    read(history, &mut Cursor::default(), usize::MAX)
}

type Shown = (String, String, Vec<(i64, Option<f64>)>);

/// The points of each series: service, field, and pairs of minute and value.
fn points(told: &Value) -> Vec<Shown> {
    let list = |value: &Value| value.as_array().unwrap().clone();
    list(&told["series"])
        .iter()
        .map(|series| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let times = list(&series["t"]);
            let times = times.iter().map(|time| time.as_i64().unwrap() / 60_000);
            let values = list(&series["v"]);
            let points = times.zip(values.iter().map(Value::as_f64)).collect();
            (text(&series["labels"][0][1]), text(&series["field"]), points)
        })
        .collect()
}

fn series(service: &str, field: &str, points: &[(i64, f64)]) -> Shown {
    let points = points.iter().map(|(at, value)| (*at, Some(*value))).collect();
    (service.to_owned(), field.to_owned(), points)
}

#[test]
fn points_stand_in_time_order_and_a_window_has_one() {
    let mut history = History::new(BOUNDS);
    for (minutes, value) in [(3, 3.0), (5, 5.0), (4, 4.0), (5, 5.5), (3, 3.5)] {
        put(&mut history, "a", minutes, value);
    }
    assert_eq!(
        points(&all(&history)),
        [series("a", "error_rate", &[(3, 3.5), (4, 4.0), (5, 5.5)])]
    );
    assert_eq!(all(&history)["series"][0]["length"], 60_000);
}

#[test]
fn nulls_are_gaps_of_what_is_known() {
    let mut history = History::new(BOUNDS);
    let none = [("error_rate", None)];
    row(&mut history, "a", Some(minute(1)), &none);
    assert_eq!(points(&all(&history)), []);
    put(&mut history, "a", 2, 2.0);
    row(&mut history, "a", Some(minute(3)), &none);
    assert_eq!(points(&all(&history))[0].2, [(2, Some(2.0)), (3, None)]);
}

#[test]
fn rows_without_a_time_stand_at_the_newest() {
    let mut history = History::new(BOUNDS);
    row(&mut history, "a", None, &[("error_rate", Some(1.0))]);
    put(&mut history, "b", 3, 2.0);
    row(&mut history, "b", None, &[("error_rate", Some(2.5))]);
    let expected = [series("a", "error_rate", &[(7, 1.0)]), series("b", "error_rate", &[(3, 2.5)])];
    assert_eq!(points(&all(&history)), expected);
}

#[test]
fn what_is_older_than_the_history_goes() {
    // 0     5     10    15    20
    //       |-----history-----|
    let mut history = History::new(BOUNDS);
    put(&mut history, "a", 4, 1.0);
    put(&mut history, "a", 10, 2.0);
    put(&mut history, "b", 15, 3.0);
    assert_eq!(points(&all(&history))[0].2, [(10, Some(2.0))]);
    assert_eq!(all(&history)["status"]["oldest"], 5 * 60_000);
    // Too late for it, and exactly on its edge.
    put(&mut history, "b", 4, 4.0);
    put(&mut history, "b", 5, 5.0);
    assert_eq!(points(&all(&history))[1].2, [(5, Some(5.0)), (15, Some(3.0))]);
    assert_eq!(history.figures().too_old, 1);
}

#[test]
fn series_are_bounded_and_old_ones_make_room() {
    let mut history = History::new(BOUNDS);
    for service in ["a", "b", "c", "c"] {
        put(&mut history, service, 1, 1.0);
    }
    assert_eq!(history.figures().refused, 2);
    put(&mut history, "a", 20, 2.0);
    // `b` has nothing left within the history.
    put(&mut history, "c", 20, 3.0);
    let expected =
        [series("a", "error_rate", &[(20, 2.0)]), series("c", "error_rate", &[(20, 3.0)])];
    assert_eq!(points(&all(&history)), expected);
    assert_eq!(history.figures().refused, 2);
}

#[test]
fn fields_are_bounded_but_for_those_with_a_panel() {
    let mut history = History::new(BOUNDS);
    let long = "x".repeat(1 << 20);
    for field in [&*long, "n", "m", "health_score"] {
        row(&mut history, "a", Some(minute(1)), &[(field, Some(1.0))]);
    }
    let fields: Vec<String> =
        points(&all(&history)).into_iter().map(|(_, field, _)| field).collect();
    assert_eq!(fields, ["n", "health_score"]);
    assert_eq!(history.figures().refused, 2);
}

#[test]
fn points_are_bounded_each_and_in_all() {
    let mut history = History::new(BOUNDS);
    for minutes in 1..=6 {
        put(&mut history, "a", minutes, 0.0);
    }
    let minutes = |history: &History, index: usize| -> Vec<i64> {
        points(&all(history))[index].2.iter().map(|(at, _)| *at).collect()
    };
    assert_eq!(minutes(&history, 0), [3, 4, 5, 6]);
    // Older than all that there is room for.
    put(&mut history, "a", 1, 0.0);
    assert_eq!(minutes(&history, 0), [3, 4, 5, 6]);
    assert_eq!(history.figures().crowded, 3);
    // Six points in all are three each.
    put(&mut history, "b", 6, 0.0);
    assert_eq!((minutes(&history, 0), minutes(&history, 1)), (vec![4, 5, 6], vec![6]));
    assert_eq!(all(&history)["status"]["points_each"], 3);
}

fn alert(history: &mut History, name: &str, minutes: i64) {
    let name = format!("\"{name}\"");
    let text = format!("\"alert\":{name}");
    history.alert(name.as_bytes(), text.as_bytes(), Some(minute(minutes)), Timestamp::EPOCH);
}

#[test]
fn alerts_are_bounded_and_counted() {
    let mut history = History::new(BOUNDS);
    for (name, minutes) in [("a", 1), ("b", 2), ("b", 3), ("c", 4)] {
        alert(&mut history, name, minutes);
    }
    let told = all(&history);
    let expected = json!([
        {"id": 2, "t": 180_000, "alert": "b"}, {"id": 3, "t": 240_000, "alert": "c"}
    ]);
    assert_eq!(told["alerts"], expected);
    // There is room for two names.
    assert_eq!(told["counts"], json!([["a", 1], ["b", 2]]));
    assert_eq!(told["status"]["alerts"], 4);
}

#[test]
fn a_cursor_reads_everything_and_then_what_has_changed() {
    let mut history = History::new(BOUNDS);
    put(&mut history, "a", 1, 1.0);
    put(&mut history, "b", 1, 1.0);
    alert(&mut history, "x", 1);
    let mut cursor = Cursor::default();
    assert!(cursor.is_behind(&history));
    let told = read(&history, &mut cursor, usize::MAX);
    assert_eq!((points(&told).len(), &told["counts"]), (2, &json!([["x", 1]])));
    assert!(!cursor.is_behind(&history));
    put(&mut history, "b", 2, 2.0);
    assert!(cursor.is_behind(&history));
    let told = read(&history, &mut cursor, usize::MAX);
    assert_eq!(points(&told), [series("b", "error_rate", &[(2, 2.0)])]);
    assert_eq!((&told["alerts"], &told["counts"]), (&json!([]), &Value::Null));
    history.end(Ended::Done);
    assert!(cursor.is_behind(&history));
    assert_eq!(read(&history, &mut cursor, usize::MAX)["status"]["ended"], "done");
}

#[test]
fn small_bites_give_the_whole() {
    let mut history = History::new(BOUNDS);
    for service in ["a", "b"] {
        for minutes in 1..=3 {
            put(&mut history, service, minutes, 1.0);
            alert(&mut history, service, minutes);
        }
        row(&mut history, service, Some(minute(3)), &[("n", Some(1.0))]);
    }
    let whole = all(&history);
    let (mut cursor, mut alerts, mut told, mut bites) = (Cursor::default(), vec![], vec![], 0);
    while cursor.is_behind(&history) {
        let bite = read(&history, &mut cursor, 0);
        alerts.extend(bite["alerts"].as_array().unwrap().clone());
        told.extend(bite["series"].as_array().into_iter().flatten().cloned());
        bites += 1;
        assert!(bites < 100, "it never ends");
        if alerts.is_empty() {
            // A budget that nothing fits into still gives one thing.
            history.filtered();
        }
    }
    assert_eq!(Value::from(alerts), whole["alerts"]);
    assert_eq!(Value::from(told), whole["series"]);
}

#[test]
fn what_changes_during_a_pass_is_told() {
    let mut history = History::new(BOUNDS);
    put(&mut history, "a", 1, 1.0);
    put(&mut history, "b", 1, 1.0);
    // The first budget that one series fits into.
    let (first, mut cursor) = (0..10_000)
        .find_map(|budget| {
            let mut cursor = Cursor::default();
            let told = read(&history, &mut cursor, budget);
            let is_one = told["series"].as_array().is_some_and(|series| series.len() == 1);
            is_one.then_some((told, cursor))
        })
        .unwrap();
    assert_eq!(points(&first), [series("a", "error_rate", &[(1, 1.0)])]);
    put(&mut history, "a", 2, 2.0);
    let mut rest = Vec::new();
    while cursor.is_behind(&history) {
        rest.extend(points(&read(&history, &mut cursor, usize::MAX)));
    }
    let expected = [series("b", "error_rate", &[(1, 1.0)]), series("a", "error_rate", &[(2, 2.0)])];
    assert_eq!(rest, expected);
}

#[test]
fn a_damaged_state_is_refused() {
    let mut history = History::new(BOUNDS);
    row(&mut history, "a", Some(minute(1)), &[("n", Some(1.0)), ("error_rate", Some(2.0))]);
    alert(&mut history, "x", 1);
    let mut state = SnapshotWriter::new();
    history.snapshot(&mut state);
    let state = state.into_bytes();
    let mut back = History::new(BOUNDS);
    let mut reader = SnapshotReader::new(&state);
    back.restore(&mut reader).unwrap();
    assert!(reader.is_empty());
    assert_eq!(all(&back), all(&history));
    for length in 0..state.len() {
        let mut reader = SnapshotReader::new(&state[..length]);
        assert!(History::new(BOUNDS).restore(&mut reader).is_err(), "{length} bytes");
    }
}
