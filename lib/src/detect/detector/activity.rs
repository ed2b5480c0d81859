//! Does a series move more, or less, than it used to?

use std::collections::VecDeque;

use super::tail::Tail;
use super::{Movement, restore_bounded};
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// How many steps the mean is taken over.
const STEPS: usize = 48;
/// From which step on it judges.
const JUDGES_FROM: u64 = 150;
/// Movement that has varied less than this has not varied.
const LEAST_DEVIATION: f64 = 1e-9;

/// How much a series moves, lately and over its whole life.
///
/// A step of size `d` counts `d / (d + D)`, where `D` is the mean of all steps'
/// sizes: less than 1, so that a giant step counts no more than a large one.
/// Both too much and too little is unusual: it finds the frozen metric and the
/// noisy one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Activity {
    previous: Option<f64>,
    /// Steps so far, and the mean of their sizes.
    steps: u64,
    mean_step: f64,
    /// What the last steps counted, and their sum.
    last: VecDeque<f64>,
    sum: f64,
    /// Mean and variance of the means of the last steps, and how many there
    /// were.
    means: u64,
    mean: f64,
    variance: f64,
    tail: Tail,
}

impl Activity {
    /// Takes in a value.
    pub(super) fn step(&mut self, value: f64) -> Movement {
        let Some(previous) = self.previous.replace(value) else { return Movement::default() };
        self.steps += 1;
        let step = (value - previous).abs();
        self.mean_step += (step - self.mean_step) / self.steps as f64;
        let counts = if self.mean_step > 0.0 { step / (step + self.mean_step) } else { 0.0 };
        let Some(now) = self.mean_of_last(counts) else { return Movement::default() };
        let usual = self.mean;
        let rarity = if self.steps >= JUDGES_FROM { self.judge(now) } else { 0.0 };
        self.learn(now);
        Movement { now, usual, rarity }
    }

    /// The mean over the last steps, this one included, once there are more
    /// than that.
    fn mean_of_last(&mut self, counts: f64) -> Option<f64> {
        let is_full = self.last.len() == STEPS;
        if is_full && let Some(oldest) = self.last.pop_front() {
            self.sum -= oldest;
        }
        self.last.push_back(counts);
        self.sum += counts;
        is_full.then_some(self.sum / STEPS as f64)
    }

    fn judge(&mut self, now: f64) -> f64 {
        let deviation = self.variance.sqrt();
        let is_flat = deviation <= LEAST_DEVIATION;
        self.tail.step(if is_flat { 0.0 } else { (now - self.mean).abs() / deviation })
    }

    fn learn(&mut self, now: f64) {
        self.means += 1;
        let gain = 1.0 / self.means as f64;
        let delta = now - self.mean;
        self.mean += gain * delta;
        self.variance = (1.0 - gain) * (self.variance + gain * delta * delta);
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.last.capacity() * size_of::<f64>() + self.tail.heap_bytes()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.option(self.previous, SnapshotWriter::f64);
        state.u64(self.steps);
        state.f64(self.mean_step);
        state.list(self.last.iter(), |state, counts| state.f64(*counts));
        state.f64(self.sum);
        state.u64(self.means);
        state.f64(self.mean);
        state.f64(self.variance);
        self.tail.snapshot(state);
    }

    pub(super) fn restore(state: &mut SnapshotReader<'_>) -> Result<Self, RestoreError> {
        Ok(Self {
            previous: state.option(SnapshotReader::f64)?,
            steps: state.u64()?,
            mean_step: state.f64()?,
            last: restore_bounded(STEPS, state, SnapshotReader::f64)?.into(),
            sum: state.f64()?,
            means: state.u64()?,
            mean: state.f64()?,
            variance: state.f64()?,
            tail: Tail::restore(state)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A series that swings by `swing(index)` around 50.
    fn rarest(count: u32, swing: impl Fn(u32) -> f64) -> f64 {
        let mut activity = Activity::default();
        let value = |index: u32| {
            // Between -1 and 1, without a pattern.
            let noise = f64::from(index.wrapping_mul(2_654_435_761) >> 16) / 32_768.0 - 1.0;
            50.0 + swing(index) * noise
        };
        let judged = (0..count).map(|index| activity.step(value(index)).rarity);
        judged.skip(count as usize - 100).fold(0.0, f64::max)
    }

    #[test]
    fn a_series_that_freezes_or_boils_is_unusual() {
        let usual = rarest(2_000, |_| 1.0);
        let frozen = rarest(2_000, |index| if index < 1_900 { 1.0 } else { 0.0 });
        let noisy = rarest(2_000, |index| if index < 1_900 { 1.0 } else { 20.0 });
        assert!(usual < 2.5 && frozen > 4.0 && noisy > 4.0, "{usual} {frozen} {noisy}");
    }

    #[test]
    fn a_constant_series_is_not() {
        assert!(rarest(2_000, |_| 0.0) <= 0.0);
    }
}
