//! How far sketches are from the truth, and that splits do not show in them.

use bumpalo::Bump;
use proptest::prelude::*;

use super::*;
use crate::query::{Percentages, RelativeError};

const SHARES: [f64; 9] = [0.0, 0.001, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0];
const VALUES: usize = 100_000;

/// A sequence of numbers from 0 to 1 without pattern (Weyl's, scrambled).
fn random(index: usize) -> f64 {
    let mut bits = (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// A kind of data: its name, and the value of each index.
type Distribution = (&'static str, fn(usize) -> f64);

/// Kinds of data, adversarial ones among them.
fn distributions() -> [Distribution; 9] {
    [
        ("uniform", |i| random(i)),
        ("sorted", |i| i as f64),
        ("backwards", |i| -(i as f64)),
        ("heavy-tailed", |i| (1.0 - random(i)).powf(-3.0)),
        ("over all magnitudes", |i| 10_f64.powf(random(i) * 600.0 - 300.0)),
        ("negative", |i| -(random(i) * 20.0).exp()),
        ("of both signs", |i| (random(i) - 0.5) * 1e6),
        ("constant", |_| 0.1),
        ("mostly zero", |i| if i % 10 == 0 { random(i) } else { 0.0 }),
    ]
}

/// The values split into parts by `part`, then merged.
fn merged(
    function: &Function,
    parts: usize,
    part: impl Fn(usize) -> usize,
    value: impl Fn(usize) -> f64,
) -> Accumulator {
    let mut accumulators = vec![Accumulator::new(function); parts];
    accumulators.iter_mut().for_each(Accumulator::add_group);
    for index in 0..VALUES {
        accumulators[part(index)].update(0, &Value::Double(value(index)), index as u64);
    }
    let mut merged = accumulators.pop().unwrap();
    for accumulator in accumulators.iter().rev() {
        merged.merge(0, accumulator, 0);
    }
    merged
}

fn percentiles(accumulator: &Accumulator) -> Vec<f64> {
    let arena = Bump::new();
    let Value::List(_, text) = accumulator.evaluate(0, None, &arena) else { panic!("no list") };
    let text = std::str::from_utf8(text).unwrap();
    text[1..text.len() - 1].split(',').map(|number| number.parse().unwrap()).collect()
}

#[test]
fn percentiles_keep_to_their_bound() {
    let function = Function::PercentileApprox(Percentages::List(SHARES.into()));
    for (name, value) in distributions() {
        let mut sorted: Vec<f64> = (0..VALUES).map(value).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let found = percentiles(&merged(&function, 1, |_| 0, value));
        for (share, found) in SHARES.into_iter().zip(found) {
            let rank = ((share * VALUES as f64).ceil() as usize).max(1) - 1;
            let exact = sorted[rank];
            assert!((found - exact).abs() <= exact.abs() / 128.0, "{name} {share} {found} {exact}");
        }
    }
}

#[test]
fn splits_do_not_show_in_percentiles() {
    let function = Function::PercentileApprox(Percentages::List(SHARES.into()));
    for (name, value) in distributions() {
        let whole = merged(&function, 1, |_| 0, value);
        // The first part is small enough to be exact, the second is a sketch.
        let uneven = merged(&function, 2, |index| usize::from(index > 2_000), value);
        let even = merged(&function, 50, |index| index % 50, value);
        let expected = percentiles(&whole);
        let bits = |found: &[f64]| found.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        for accumulator in [uneven, even] {
            assert_eq!(bits(&percentiles(&accumulator)), bits(&expected), "{name}");
            let mut state = SnapshotWriter::new();
            accumulator.snapshot(&mut state);
            let bytes = state.into_bytes();
            let mut restored = Accumulator::new(&function);
            restored.restore(1, &mut SnapshotReader::new(&bytes)).unwrap();
            assert_eq!(bits(&percentiles(&restored)), bits(&expected), "{name}");
            let mut again = SnapshotWriter::new();
            restored.snapshot(&mut again);
            assert_eq!(again.into_bytes(), bytes, "{name}");
        }
    }
}

#[test]
fn a_sketch_of_integers_gives_integers() {
    let function = Function::PercentileApprox(Percentages::One(0.5));
    for (step, expected) in [(1, "50"), (1_000, "50000")] {
        let mut accumulator = Accumulator::new(&function);
        accumulator.add_group();
        for index in 0..VALUES {
            let value = Value::Int((index % 101 * step) as i128);
            accumulator.update(0, &value, index as u64);
        }
        let arena = Bump::new();
        let Value::Int(found) = accumulator.evaluate(0, None, &arena) else { panic!("no integer") };
        let exact: i128 = expected.parse().unwrap();
        assert!((found - exact).abs() * 128 <= exact, "{found} {exact}");
        // Small ones have bins of their own.
        assert!(step > 1 || found == exact, "{found}");
    }
}

fn distinct(accumulator: &Accumulator) -> i128 {
    match accumulator.evaluate(0, None, &Bump::new()) {
        Value::Int(number) => number,
        other => panic!("{other:?}"),
    }
}

#[test]
fn distinct_counts_keep_to_their_error() {
    for rsd in [0.3, 0.05, 0.01] {
        let function = Function::ApproxCountDistinct(RelativeError::new(rsd).unwrap());
        for count in [10, 1_000, 30_000, VALUES] {
            let value = |index: usize| (index % count) as f64;
            let whole = distinct(&merged(&function, 1, |_| 0, value));
            let error = (whole as f64 - count as f64).abs() / count as f64;
            // The error is a standard deviation; three are next to never passed.
            assert!(error <= 3.0 * rsd, "{rsd} {count} {whole}");
            // Each of the parts has other values, and in another order.
            let split = merged(&function, 7, |index| index % count % 7, |i| value(VALUES - 1 - i));
            assert_eq!(distinct(&split), whole, "{rsd} {count}");
            let by_turns = merged(&function, 16, |index| index % 16, value);
            assert_eq!(distinct(&by_turns), whole, "{rsd} {count}");
        }
    }
}

#[test]
fn relative_errors_choose_registers() {
    for (rsd, lg_k) in [(0.39, 4), (0.26, 4), (0.2, 5), (0.05, 9), (0.01, 14), (0.001, 21)] {
        let error = RelativeError::new(rsd).unwrap();
        assert_eq!(error.lg_k(), lg_k, "{rsd}");
        assert!(1.04 / f64::from(1_u32 << lg_k).sqrt() <= rsd, "{rsd}");
    }
    for rsd in [0.0, 0.000_9, 0.4, -0.05, f64::NAN] {
        assert_eq!(RelativeError::new(rsd), None, "{rsd}");
    }
}

#[test]
fn sketches_of_few_values_are_small() {
    for function in [
        Function::ApproxCountDistinct(RelativeError::new(0.01).unwrap()),
        Function::PercentileApprox(Percentages::One(0.5)),
    ] {
        let mut accumulator = Accumulator::new(&function);
        accumulator.add_group();
        (0..5).for_each(|number| {
            accumulator.update(0, &Value::Int(number), 0);
        });
        assert!(accumulator.size() < 512, "{function:?} {}", accumulator.size());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The estimate is a function of the set: order, repeats and splits do not
    /// show, at any size of the sketch.
    #[test]
    fn splits_do_not_show_in_distinct_counts(
        values in proptest::collection::vec((0_i64..2_000, 0_usize..4), 0..2_000),
        rsd in 0.01_f64..0.39,
    ) {
        let function = Function::ApproxCountDistinct(RelativeError::new(rsd).unwrap());
        let new = || {
            let mut accumulator = Accumulator::new(&function);
            accumulator.add_group();
            accumulator
        };
        let (mut whole, mut backwards) = (new(), new());
        let mut parts = [new(), new(), new(), new()];
        for (value, part) in &values {
            whole.update(0, &Value::Int((*value).into()), 0);
            parts[*part].update(0, &Value::Int((*value).into()), 0);
        }
        for (value, _) in values.iter().rev() {
            backwards.update(0, &Value::Int((*value).into()), 0);
        }
        let mut merged = new();
        parts.iter().rev().for_each(|part| merged.merge(0, part, 0));
        prop_assert_eq!(distinct(&merged), distinct(&whole));
        prop_assert_eq!(distinct(&backwards), distinct(&whole));
    }
}
