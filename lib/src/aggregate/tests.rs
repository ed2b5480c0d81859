//! What all accumulators have in common, and what each gives.

use bumpalo::Bump;
use proptest::prelude::*;

use super::*;
use crate::query::{Percentages, RelativeError};

/// Each function, and what it gives for 1, null, 4, 4, 7, and for nothing.
/// Those of two values are given the same value twice.
fn functions() -> Vec<(Function, &'static str, &'static str)> {
    let list = || Percentages::List([0.0, 0.5, 0.9, 1.0].into());
    vec![
        (Function::Count, "4", "0"),
        (Function::CountDistinct, "3", "0"),
        (Function::ApproxCountDistinct(RelativeError::DEFAULT), "3", "0"),
        (Function::Sum, "16", "null"),
        (Function::Avg, "4.0", "null"),
        (Function::Min, "1", "null"),
        (Function::Max, "7", "null"),
        (Function::StddevSamp, "2.449489742783178", "null"),
        (Function::StddevPop, "2.1213203435596424", "null"),
        (Function::VarSamp, "6.0", "null"),
        (Function::VarPop, "4.5", "null"),
        (Function::CollectList, "[1,4,4,7]", "[]"),
        (Function::CollectSet, "[1,4,7]", "[]"),
        (Function::Percentile(Percentages::One(0.75)), "4.75", "null"),
        (Function::Percentile(list()), "[1.0,4.0,6.1000000000000005,7.0]", "null"),
        (Function::PercentileApprox(Percentages::One(0.75)), "4", "null"),
        (Function::PercentileApprox(list()), "[1,4,7,7]", "null"),
        (Function::First { ignore_nulls: false }, "1", "null"),
        (Function::First { ignore_nulls: true }, "1", "null"),
        (Function::Last { ignore_nulls: false }, "7", "null"),
        (Function::Last { ignore_nulls: true }, "7", "null"),
        (Function::MinBy, "1", "null"),
        (Function::MaxBy, "7", "null"),
        (Function::Mode, "4", "null"),
    ]
}

fn print(value: Value<'_>) -> String {
    let mut text = Vec::new();
    value.write(&mut text);
    String::from_utf8(text).unwrap()
}

fn result(accumulator: &Accumulator, dictionary: &Dictionary, group: usize) -> String {
    print(accumulator.evaluate(group, Some(dictionary), &Bump::new()))
}

/// Takes in a value as a query does: sets by its number, the others as it is.
fn take(
    accumulator: &mut Accumulator,
    dictionary: &mut Dictionary,
    group: usize,
    (value, by): (&Value<'_>, &Value<'_>),
    sequence: u64,
) -> bool {
    if !matches!(accumulator, Accumulator::Distinct(_) | Accumulator::CollectSet(_)) {
        return accumulator.update_by(group, value, by, sequence);
    }
    if !value.is_null() {
        let mut key = Vec::new();
        value.write_key(&mut key);
        let number = dictionary.number(&key, |_, text| value.write(text));
        accumulator.update_number(group, number, sequence);
    }
    true
}

/// The result over values, and how many were no numbers.
fn run(function: &Function, values: &[Value<'_>]) -> (String, usize) {
    let mut accumulator = Accumulator::new(function);
    accumulator.add_group();
    let mut dictionary = Dictionary::new(1);
    let mut failed = 0;
    for (sequence, value) in values.iter().enumerate() {
        failed += usize::from(!take(
            &mut accumulator,
            &mut dictionary,
            0,
            (value, value),
            sequence as u64,
        ));
    }
    (result(&accumulator, &dictionary, 0), failed)
}

/// The accumulator, with so many groups, written down and read back.
fn restored(accumulator: &Accumulator, function: &Function, groups: usize) -> Accumulator {
    let mut state = SnapshotWriter::new();
    accumulator.snapshot(&mut state);
    let bytes = state.into_bytes();
    let mut restored = Accumulator::new(function);
    let mut reader = SnapshotReader::new(&bytes);
    restored.restore(groups, &mut reader).unwrap();
    assert!(reader.is_empty());
    restored
}

#[test]
fn known_results() {
    use Value::{Double, Int, Null, Str};
    for (function, expected, of_nothing) in functions() {
        let found = run(&function, &[Int(1), Null, Int(4), Int(4), Int(7)]);
        assert_eq!(found, (expected.to_owned(), 0), "{function:?}");
        assert_eq!(run(&function, &[Null]).0, of_nothing, "{function:?} of nothing");
    }
    for (function, values, expected) in [
        (Function::StddevSamp, &[Int(5)][..], "null"),
        (Function::StddevPop, &[Int(5)], "0.0"),
        (Function::Sum, &[Int(i128::from(i64::MAX)), Int(1)], "9223372036854775808"),
        (Function::Sum, &[Int(1), Double(0.5)], "1.5"),
        (Function::Sum, &[Str(b"2"), Int(1)], "3.0"),
        (Function::Sum, &[Double(1e100), Double(1.0), Double(-1e100)], "1.0"),
        (Function::Max, &[Str(b"b"), Str(b"a")], "\"b\""),
        (Function::Min, &[Double(2.0), Int(2)], "2.0"),
        (Function::CountDistinct, &[Int(1), Double(1.0), Str(b"1")], "2"),
        (
            Function::ApproxCountDistinct(RelativeError::DEFAULT),
            &[Int(1), Double(1.0), Str(b"1")],
            "2",
        ),
        (Function::CollectSet, &[Str(b"b"), Str(b"a"), Str(b"b")], r#"["b","a"]"#),
        (Function::First { ignore_nulls: false }, &[Null, Int(1)], "null"),
        (Function::First { ignore_nulls: true }, &[Null, Int(1), Int(2)], "1"),
        (Function::Last { ignore_nulls: false }, &[Int(1), Null], "null"),
        (Function::Last { ignore_nulls: true }, &[Int(1), Str(b"x"), Null], "\"x\""),
        (Function::Mode, &[Str(b"a"), Int(1), Double(1.0), Str(b"a")], "\"a\""),
        (Function::Mode, &[Double(1.0), Str(b"a"), Int(1)], "1.0"),
        (Function::Percentile(Percentages::One(0.5)), &[Int(1), Int(2)], "1.5"),
        (Function::Percentile(Percentages::One(0.5)), &[Str(b"3"), Int(-3), Int(1)], "1.0"),
        (Function::PercentileApprox(Percentages::One(0.5)), &[Int(1), Int(2)], "1"),
        (Function::PercentileApprox(Percentages::One(0.5)), &[Int(1), Double(2.0)], "1.0"),
        (Function::PercentileApprox(Percentages::One(0.51)), &[Int(-1), Int(0)], "0"),
        (Function::PercentileApprox(Percentages::One(0.0)), &[Int(3), Int(-2)], "-2"),
    ] {
        assert_eq!(run(&function, values), (expected.to_owned(), 0), "{function:?} {values:?}");
    }
}

#[test]
fn what_is_no_number_is_reported() {
    let one = || Percentages::One(0.5);
    for function in [
        Function::Sum,
        Function::Avg,
        Function::VarPop,
        Function::Percentile(one()),
        Function::PercentileApprox(one()),
    ] {
        let values = [Value::Int(2), Value::Str(b"x"), Value::Bool(true), Value::Null];
        let (result, failed) = run(&function, &values);
        assert_eq!(
            (result.parse::<f64>().map(|x| x <= 2.0), failed),
            (Ok(true), 2),
            "{function:?}"
        );
    }
}

#[test]
fn values_by_another() {
    use Value::{Double, Int, Null, Str};
    let records = [
        (Str(b"none"), Null),
        (Str(b"a"), Int(2)),
        (Str(b"b"), Double(2.0)),
        (Null, Int(3)),
        (Str(b"c"), Int(3)),
        (Str(b"d"), Int(1)),
        (Str(b"e"), Int(1)),
    ];
    // Of equal ones the first counts, in whatever order panes are merged.
    for (function, expected, upto) in [
        (Function::MinBy, "\"d\"", 7),
        (Function::MaxBy, "null", 7),
        (Function::MinBy, "\"a\"", 5),
        (Function::MaxBy, "\"a\"", 3),
        (Function::MaxBy, "null", 1),
    ] {
        let mut parts = [Accumulator::new(&function), Accumulator::new(&function)];
        parts.iter_mut().for_each(Accumulator::add_group);
        for (sequence, (value, by)) in records[..upto].iter().enumerate() {
            assert!(parts[sequence % 2].update_by(0, value, by, sequence as u64));
        }
        for (into, from) in [(0, 1), (1, 0)] {
            let mut merged = parts[into].clone();
            merged.merge(0, &parts[from], 0);
            assert_eq!(result(&merged, &Dictionary::new(1), 0), expected, "{function:?} of {upto}");
        }
    }
}

#[test]
fn arrival_is_told_by_numbers_not_by_panes() {
    for (function, expected) in [
        (Function::First { ignore_nulls: true }, "10"),
        (Function::Last { ignore_nulls: true }, "13"),
        (Function::First { ignore_nulls: false }, "null"),
    ] {
        let (mut early, mut late) = (Accumulator::new(&function), Accumulator::new(&function));
        early.add_group();
        late.add_group();
        late.update(0, &Value::Null, 9);
        late.update(0, &Value::Int(10), 10);
        early.update(0, &Value::Int(11), 11);
        late.update(0, &Value::Int(12), 12);
        early.update(0, &Value::Int(13), 13);
        early.merge(0, &late, 0);
        assert_eq!(result(&early, &Dictionary::new(1), 0), expected, "{function:?}");
    }
}

#[test]
fn a_cleared_group_is_empty_and_the_others_are_not() {
    for (function, _, of_nothing) in functions() {
        let mut accumulator = Accumulator::new(&function);
        let mut dictionary = Dictionary::new(1);
        accumulator.add_group();
        accumulator.add_group();
        for (sequence, number) in [3, 5, 5, 9].into_iter().enumerate() {
            let value = Value::Int(number);
            take(&mut accumulator, &mut dictionary, 0, (&value, &value), sequence as u64);
            take(&mut accumulator, &mut dictionary, 1, (&value, &value), sequence as u64);
        }
        let before = result(&accumulator, &dictionary, 0);
        accumulator.clear(1);
        assert_eq!(result(&accumulator, &dictionary, 1), of_nothing, "{function:?}");
        assert_eq!(result(&accumulator, &dictionary, 0), before, "{function:?}");
        // The slot is used anew.
        for (sequence, number) in [3, 5, 5, 9].into_iter().enumerate() {
            let value = Value::Int(number);
            take(&mut accumulator, &mut dictionary, 1, (&value, &value), sequence as u64);
        }
        assert_eq!(result(&accumulator, &dictionary, 1), before, "{function:?}");
        let restored = restored(&accumulator, &function, 2);
        assert_eq!(result(&restored, &dictionary, 1), before, "{function:?}");
    }
}

#[test]
fn damaged_states_are_refused() {
    for (function, ..) in functions() {
        let mut accumulator = Accumulator::new(&function);
        accumulator.add_group();
        let value = Value::Str(b"12");
        take(&mut accumulator, &mut Dictionary::new(1), 0, (&value, &value), 0);
        let mut state = SnapshotWriter::new();
        accumulator.snapshot(&mut state);
        let bytes = state.into_bytes();
        for length in 0..bytes.len() {
            let mut reader = SnapshotReader::new(&bytes[..length]);
            assert!(Accumulator::new(&function).restore(1, &mut reader).is_err(), "{function:?}");
        }
        let mut reader = SnapshotReader::new(&bytes);
        assert!(Accumulator::new(&function).restore(2, &mut reader).is_err(), "{function:?}");
    }
}

proptest! {
    /// Merging the parts of a stream, in either order, gives what the whole
    /// stream gives, and a state that has been written and read is the same
    /// state.
    #[test]
    fn merge_and_restore(
        ints in proptest::collection::vec((0_usize..3, -4_i64..4, 0_u8..3, any::<bool>()), 0..60),
    ) {
        for (function, ..) in functions() {
            let value = |&(_, number, kind, _): &(usize, i64, u8, bool)| match kind {
                0 => Value::Double(number as f64 * 0.25),
                1 => Value::Int(number.into()),
                _ => Value::Null,
            };
            let new = || {
                let mut accumulator = Accumulator::new(&function);
                (0..3).for_each(|_| accumulator.add_group());
                accumulator
            };
            let (mut whole, mut first, mut second) = (new(), new(), new());
            let mut dictionary = Dictionary::new(1);
            for (sequence, item) in ints.iter().enumerate() {
                let part = if item.3 { &mut first } else { &mut second };
                let by = Value::Int((item.1 % 2).into());
                for accumulator in [&mut whole, part] {
                    take(accumulator, &mut dictionary, item.0, (&value(item), &by), sequence as u64);
                }
            }
            let (first, second) = (restored(&first, &function, 3), restored(&second, &function, 3));
            for (one, two) in [(&first, &second), (&second, &first)] {
                let mut merged = new();
                for group in 0..3 {
                    merged.merge(group, one, group);
                    merged.merge(group, two, group);
                }
                let arena = Bump::new();
                for group in 0..3 {
                    let (ours, whole) = (
                        merged.evaluate(group, Some(&dictionary), &arena),
                        whole.evaluate(group, Some(&dictionary), &arena),
                    );
                    let rounds = matches!(
                        function,
                        Function::Avg
                            | Function::StddevSamp
                            | Function::StddevPop
                            | Function::VarSamp
                            | Function::VarPop
                    );
                    // Of 1 and 1.0 either may be the least.
                    let has_spellings = matches!(function, Function::Min | Function::Max);
                    match (ours, whole) {
                        (Value::Double(a), Value::Double(b)) if rounds => {
                            prop_assert!((a - b).abs() < 1e-9);
                        }
                        (a, b) if has_spellings => prop_assert!(a.total_cmp(&b).is_eq()),
                        (a, b) => prop_assert_eq!(print(a), print(b), "{:?}", function),
                    }
                }
            }
        }
    }
}
