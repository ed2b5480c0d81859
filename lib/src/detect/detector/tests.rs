//! Detectors as a whole.

use proptest::prelude::*;

use super::*;

/// A line of `testdata/detectors-golden.ndjson`.
#[derive(serde::Deserialize)]
struct Golden {
    value: Option<f64>,
    novelty: f64,
    activity: f64,
    anomaly_score: f64,
}

#[test]
fn surprise_reproduces_the_prototypes_numbers() {
    let golden = include_str!("../../../../testdata/detectors-golden.ndjson");
    let mut detector = Detector::new(DetectorKind::Surprise, &Settings::default());
    let mut reported = 0;
    for (number, line) in golden.lines().enumerate() {
        let golden: Golden = serde_json::from_str(line).unwrap();
        let score = detector.step(golden.value);
        let (novelty, activity) = match score.evidence {
            Evidence::Surprise(gap, movement) => (gap.rarity, movement.rarity),
            _ => (0.0, 0.0),
        };
        for (name, ours, theirs) in [
            ("novelty", novelty, golden.novelty),
            ("activity", activity, golden.activity),
            ("anomaly_score", score.score, golden.anomaly_score),
        ] {
            assert!((ours - theirs).abs() < 1e-6, "line {number}: {name} {ours}, not {theirs}");
        }
        reported += u32::from(score.score > 0.0);
    }
    assert!(reported > 5, "{reported} of {} values", golden.lines().count());
}

/// A detector, after some values.
fn after(kind: DetectorKind, settings: &Settings, values: &[Option<f64>]) -> Detector {
    let mut detector = Detector::new(kind, settings);
    for value in values {
        detector.step(*value);
    }
    detector
}

fn noise(count: u32) -> Vec<Option<f64>> {
    let value = |index: u32| f64::from(index.wrapping_mul(2_654_435_761) >> 12);
    (0..count).map(|index| Some(value(index))).collect()
}

#[test]
fn nothing_is_said_before_there_is_enough_to_compare_with() {
    for (kind, count) in [
        (DetectorKind::Surprise, 80),
        (DetectorKind::Novelty, 80),
        (DetectorKind::Zscore, 10),
        (DetectorKind::Ewma, 60),
    ] {
        for (before, is_judged) in [(count - 1, false), (count, true)] {
            let mut detector = after(kind, &Settings::default(), &noise(before));
            let score = detector.step(Some(1e9)).score;
            assert_eq!(score > 0.0, is_judged, "{kind} after {before} values: {score}");
        }
    }
}

#[test]
fn a_constant_series_that_changes_is_reported_at_once() {
    let settings = Settings::default();
    let mut detector = after(DetectorKind::Surprise, &settings, &[Some(7.0); 80]);
    let score = detector.step(Some(7.5));
    assert_eq!((score.score, score.expected(), score.count), (0.8, Some(7.0), 81));
    assert!(detector.step(Some(7.5)).score <= 0.0, "it is no longer new");
}

#[test]
fn names_are_read_back() {
    for kind in DetectorKind::ALL {
        assert_eq!(kind.name().parse(), Ok(kind));
    }
    assert_eq!("prophet".parse::<DetectorKind>(), Err(UnknownDetector("prophet".to_owned())));
}

#[test]
fn evidence_reads_as_a_sentence() {
    let gap = Gap { nearest: 1.5, gap: 8.0, rarity: 4.25 };
    let movement = Movement { now: 0.7, usual: 0.4, rarity: 1.0 };
    let deviation = Evidence::Deviation { mean: 2.0, deviation: 0.5, z: -3.0 };
    for (evidence, text) in [
        (Evidence::Novelty(gap), "8 from the nearest value seen, 1.5 (rarity 4.25)"),
        (
            Evidence::Surprise(gap, movement),
            "8 from the nearest value seen, 1.5 (rarity 4.25), and moves 0.7 where 0.4 is usual \
             (rarity 1)",
        ),
        (deviation, "3 deviations below the mean 2 (deviation 0.5)"),
    ] {
        assert_eq!(evidence.to_string(), text);
    }
}

#[test]
fn the_state_of_a_series_has_a_bound() {
    for (kind, most, settled) in [
        (DetectorKind::Surprise, 9_216, 5_120),
        (DetectorKind::Novelty, 6_656, 4_608),
        (DetectorKind::Zscore, 200, 200),
        (DetectorKind::Ewma, 2_304, 200),
    ] {
        let mut detector = Detector::new(kind, &Settings::default());
        for (number, value) in noise(20_000).into_iter().enumerate() {
            detector.step(value);
            let bytes = detector.state_bytes();
            assert!(
                bytes <= if number < 500 { most } else { settled },
                "{kind}: {bytes} at {number}"
            );
        }
    }
}

/// A value that may be missing, of any size, or one of few.
fn values() -> impl Strategy<Value = Vec<Option<f64>>> {
    let any = any::<f64>();
    let some = (0..20_u8).prop_map(f64::from);
    let value = prop_oneof![3 => some, 1 => any, 1 => -1e151..1e151, 1 => -1.0..1.0];
    proptest::collection::vec(proptest::option::weighted(0.9, value), 0..600)
}

proptest! {
    #[test]
    fn whatever_comes_scores_are_between_0_and_1(values in values(), memory in 0..200_u64) {
        let settings = Settings { memory, min_gap: 0.001, fields: 3 };
        for kind in DetectorKind::ALL {
            let mut detector = Detector::new(kind, &settings);
            for value in &values {
                let Score { score, level, .. } = detector.step(*value);
                prop_assert!((0.0..=1.0).contains(&score) && level.is_finite(), "{kind}: {value:?}");
            }
        }
    }

    #[test]
    fn a_state_is_read_back_as_it_was(values in values()) {
        let settings = Settings { memory: 100, ..Settings::default() };
        for kind in DetectorKind::ALL {
            let mut detector = after(kind, &settings, &values);
            let mut state = SnapshotWriter::new();
            detector.snapshot(&mut state);
            let bytes = state.into_bytes();
            let mut reader = SnapshotReader::new(&bytes);
            let mut restored = Detector::restore(kind, &settings, &mut reader).unwrap();
            prop_assert!(reader.is_empty());
            prop_assert_eq!(&restored, &detector);
            prop_assert_eq!(restored.step(Some(3.0)), detector.step(Some(3.0)));
            for length in (0..bytes.len()).step_by(397) {
                let mut cut = SnapshotReader::new(&bytes[..length]);
                prop_assert!(Detector::restore(kind, &settings, &mut cut).is_err());
            }
        }
    }
}
