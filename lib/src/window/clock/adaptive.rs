//! A delay that follows how late records come.

use super::histogram::Histogram;
use super::raise;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};
use crate::window::AdaptiveDelay;

/// The delay is found out anew after so many records.
const EVALUATION: u64 = 1_000;
/// One histogram takes so many records; with the one before, the last 10,000
/// to 20,000 count.
const SPAN: u64 = 10_000;

/// The delay that lets a given part of the records come in time, and the
/// watermark that follows from it.
///
/// It depends on the order of the records alone. Where each source has its own
/// greatest time, a record's lateness is against its own source, whoever is
/// silent: the watermark is never ahead of that.
#[derive(Clone, Debug)]
pub(super) struct Adaptive {
    wanted: AdaptiveDelay,
    present: Histogram,
    previous: Histogram,
    delay: Option<i64>,
    watermark: Option<i64>,
}

impl Adaptive {
    pub(super) fn new(wanted: AdaptiveDelay) -> Self {
        Self {
            wanted,
            present: Histogram::default(),
            previous: Histogram::default(),
            delay: wanted.max.map(|max| max.micros),
            watermark: None,
        }
    }

    /// The delay now, in microseconds; `None` if it is not known yet.
    pub(super) fn delay(&self) -> Option<i64> {
        self.delay
    }

    pub(super) fn watermark(&self) -> Option<i64> {
        self.watermark
    }

    /// Takes note of how late a record came, in microseconds, 0 if it did not.
    pub(super) fn take(&mut self, lateness: i64) {
        self.present.add(lateness.unsigned_abs());
        if self.present.count().is_multiple_of(EVALUATION) {
            self.evaluate();
        }
        if self.present.count() == SPAN {
            std::mem::swap(&mut self.present, &mut self.previous);
            self.present.clear();
        }
    }

    fn evaluate(&mut self) {
        let count = self.present.count() + self.previous.count();
        let rank = (self.wanted.quantile * count as f64).ceil() as u64;
        let delay = self.present.at_rank(&self.previous, rank);
        let delay = i64::try_from(delay).unwrap_or(i64::MAX).max(self.wanted.min.micros);
        self.delay = Some(self.wanted.max.map_or(delay, |max| delay.min(max.micros)));
    }

    /// Follows event time, by the delay now; tells whether the watermark has
    /// moved.
    pub(super) fn follow(&mut self, reached: Option<i64>) -> bool {
        let behind = reached.zip(self.delay).map(|(reached, delay)| reached.saturating_sub(delay));
        raise(&mut self.watermark, behind)
    }

    pub(super) fn size(&self) -> usize {
        self.present.size() + self.previous.size()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        self.present.snapshot(state);
        self.previous.snapshot(state);
        state.option(self.delay, SnapshotWriter::i64);
        state.option(self.watermark, SnapshotWriter::i64);
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.present = Histogram::restore(state)?;
        self.previous = Histogram::restore(state)?;
        self.delay = state.option(SnapshotReader::i64)?;
        self.watermark = state.option(SnapshotReader::i64)?;
        Ok(())
    }
}
