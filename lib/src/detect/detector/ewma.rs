//! Distance from an exponentially weighted mean.

use super::report::Report;
use super::tail::Tail;
use super::{Evidence, Score, Settings};
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// The least weight of a new value: the mean reaches back about 1,000.
const LEAST_WEIGHT: f64 = 0.001;
/// How many values are only learnt.
const LEARNT: u64 = 10;
/// The z-score of a value that differs from a series that never has.
const OFF_THE_SCALE: f64 = 1e6;

/// Distance from the running mean in running deviations, calibrated by the law
/// of such distances.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ewma {
    count: u64,
    mean: f64,
    variance: f64,
    tail: Tail,
    report: Report,
}

impl Ewma {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            count: 0,
            mean: 0.0,
            variance: 0.0,
            tail: Tail::default(),
            report: Report::new(settings),
        }
    }

    pub(super) fn step(&mut self, value: Option<f64>) -> Score {
        let evidence = value.and_then(|value| self.judge(value));
        let rarity = match evidence {
            Some(Evidence::Deviation { z, .. }) => self.tail.step(z.abs()),
            _ => 0.0,
        };
        let score = self.report.step(rarity);
        let evidence = evidence.unwrap_or(Evidence::Nothing);
        Score { score, level: score, count: self.count, evidence }
    }

    /// Compares the value with those before, then learns it.
    fn judge(&mut self, value: f64) -> Option<Evidence> {
        self.count += 1;
        let (mean, deviation, delta) = (self.mean, self.variance.sqrt(), value - self.mean);
        let weight = (1.0 / self.count as f64).max(LEAST_WEIGHT);
        self.mean += weight * delta;
        self.variance = (1.0 - weight) * (self.variance + weight * delta * delta);
        let z = if deviation > 0.0 {
            delta / deviation
        } else if delta == 0.0 {
            0.0
        } else {
            OFF_THE_SCALE.copysign(delta)
        };
        (self.count > LEARNT).then_some(Evidence::Deviation { mean, deviation, z })
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.tail.heap_bytes()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.u64(self.count);
        state.f64(self.mean);
        state.f64(self.variance);
        self.tail.snapshot(state);
        self.report.snapshot(state);
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.count = state.u64()?;
        self.mean = state.f64()?;
        self.variance = state.f64()?;
        self.tail = Tail::restore(state)?;
        self.report.restore(state)
    }
}
