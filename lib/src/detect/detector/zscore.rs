//! Distance from the mean of a few values before.

use std::collections::VecDeque;

use super::{Evidence, Score, restore_bounded};
use crate::detect::history::Moments;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// How many values before count, and have to be there.
const HISTORY: usize = 10;
/// A deviation that is a smaller share of the mean is one of rounding.
const RESOLUTION: f64 = 1e-9;

/// Distance from the mean of the 10 values before, in sample deviations.
///
/// It is what most dashboards compute and no good detector: of pure noise, one
/// value in eleven is beyond 2.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Zscore {
    count: u64,
    before: VecDeque<f64>,
}

impl Zscore {
    pub(super) fn step(&mut self, value: f64) -> Score {
        self.count += 1;
        let mut evidence = Evidence::Nothing;
        if self.before.len() == HISTORY {
            evidence = Self::judge(value, Moments::of(&self.before));
            self.before.pop_front();
        }
        self.before.push_back(value);
        let Evidence::Deviation { z, .. } = evidence else {
            return Score { count: self.count, ..Score::NOTHING };
        };
        let level = z.abs();
        // A half at the usual threshold of 2, and never quite 1.
        Score { score: level / (level + 2.0), level, count: self.count, evidence }
    }

    fn judge(value: f64, moments: Moments) -> Evidence {
        let (mean, deviation) = (moments.mean, moments.deviation.unwrap_or_default());
        let is_flat = deviation <= RESOLUTION * mean.abs().max(1.0);
        let z = if is_flat { 0.0 } else { (value - mean) / deviation };
        Evidence::Deviation { mean, deviation, z }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.before.capacity() * size_of::<f64>()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.u64(self.count);
        state.list(self.before.iter(), |state, value| state.f64(*value));
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.count = state.u64()?;
        self.before = restore_bounded(HISTORY, state, SnapshotReader::f64)?.into();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_values_before_are_needed_and_ten_count() {
        let mut zscore = Zscore::default();
        // An outlier that is eleven values ago does not count.
        zscore.step(1e9);
        for index in 0..9 {
            assert_eq!(zscore.step(f64::from(index)).evidence, Evidence::Nothing, "{index}");
        }
        zscore.step(9.0);
        let Score { level, score, .. } = zscore.step(4.5 - 2.0 * (55.0_f64 / 6.0).sqrt());
        assert!((level - 2.0).abs() < 1e-12 && (score - 0.5).abs() < 1e-12, "{level} {score}");
    }

    #[test]
    fn a_constant_series_never_alerts() {
        let mut zscore = Zscore::default();
        (0..20).for_each(|_| _ = zscore.step(0.1 + 0.2));
        let score = zscore.step(7.0);
        assert_eq!((score.score, score.level), (0.0, 0.0));
        assert!(matches!(score.evidence, Evidence::Deviation { deviation: 0.0, .. }));
    }
}
