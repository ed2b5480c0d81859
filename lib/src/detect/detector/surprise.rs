//! Novelty and activity together.

use super::activity::Activity;
use super::novelty::Novelty;
use super::report::Report;
use super::{Evidence, Score, Settings};
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// What activity counts beside novelty: it is weak alone, and lifts what both
/// agree on.
const WEIGHT: f64 = 0.5;

/// How new a value is, and how unusual the movement that led to it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Surprise {
    novelty: Novelty,
    activity: Activity,
    report: Report,
}

impl Surprise {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            novelty: Novelty::new(settings),
            activity: Activity::default(),
            report: Report::new(settings),
        }
    }

    pub(super) fn step(&mut self, value: Option<f64>) -> Score {
        let found = value.map(|value| (self.novelty.step(value), self.activity.step(value)));
        let (rarity, evidence) = match found {
            Some((Some(gap), movement)) => {
                let rarity = gap.rarity + WEIGHT * movement.rarity;
                (rarity, Evidence::Surprise(gap, movement))
            }
            _ => (0.0, Evidence::Nothing),
        };
        let score = self.report.step(rarity);
        Score { score, level: score, count: self.novelty.count(), evidence }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.novelty.heap_bytes() + self.activity.heap_bytes()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        self.novelty.snapshot(state);
        self.activity.snapshot(state);
        self.report.snapshot(state);
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.novelty.restore(state)?;
        self.activity = Activity::restore(state)?;
        self.report.restore(state)
    }
}
