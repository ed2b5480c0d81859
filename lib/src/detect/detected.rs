//! What is remembered of a series that a detector watches.

use super::detector::{Detector, DetectorKind, Score, Settings};
use super::series::SeriesState;
use crate::row::Place;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// The detector of a series, as it was before the newest window.
///
/// Another row of that window may yet replace its value, so the detector takes
/// the value in when the next window arrives, and each row is scored by a copy.
/// A row without a window is always the next, and is taken in at once.
#[derive(Debug)]
pub(super) struct Detected {
    newest: Option<(Place, Option<f64>)>,
    detector: Detector,
}

impl Detected {
    pub(super) fn new(kind: DetectorKind, settings: &Settings) -> Self {
        Self { newest: None, detector: Detector::new(kind, settings) }
    }

    /// Takes in the value of a row and scores it; `None` if the series is past
    /// that window.
    pub(super) fn step(&mut self, window: Option<Place>, value: Option<f64>) -> Option<Score> {
        let newest = self.newest.map(|(newest, _)| newest);
        if window.is_some() && window < newest {
            return None;
        }
        if (window.is_none() || window > newest)
            && let Some((_, value)) = self.newest.take()
        {
            self.detector.step(value);
        }
        let Some(window) = window else { return Some(self.detector.step(value)) };
        self.newest = Some((window, value));
        Some(self.detector.clone().step(value))
    }

    /// Whether a row has a window, and it is the newest one.
    pub(super) fn is_at(&self, window: Option<Place>) -> bool {
        window.is_some() && window == self.newest.map(|(newest, _)| newest)
    }

    pub(super) fn restore(
        kind: DetectorKind,
        settings: &Settings,
        state: &mut SnapshotReader<'_>,
    ) -> Result<Self, RestoreError> {
        let newest = state
            .option(|state| Ok((Place::restore(state)?, state.option(SnapshotReader::f64)?)))?;
        Ok(Self { newest, detector: Detector::restore(kind, settings, state)? })
    }
}

impl SeriesState for Detected {
    fn heap_bytes(&self) -> usize {
        self.detector.state_bytes() - size_of::<Detector>()
    }

    fn snapshot(&self, state: &mut SnapshotWriter) {
        state.option(self.newest, |state, (place, value)| {
            place.snapshot(state);
            state.option(value, SnapshotWriter::f64);
        });
        self.detector.snapshot(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;
    use proptest::prelude::*;

    fn place(minute: i64) -> Place {
        let at = |minute: i64| Timestamp::from_micros(minute * 60_000_000);
        Place { end: at(minute + 1), start: at(minute) }
    }

    proptest! {
        /// Rows that are replaced leave no trace, and the last one is scored as
        /// if it had been the only one.
        #[test]
        fn the_last_row_of_a_window_counts(
            windows in prop::collection::vec(
                prop::collection::vec(prop::option::weighted(0.9, -5.0..5.0_f64), 1..3), 1..300)
        ) {
            for kind in DetectorKind::ALL {
                let settings = Settings::default();
                let mut plain = Detector::new(kind, &settings);
                let mut windowed = Detected::new(kind, &settings);
                for (minute, values) in (0..).zip(&windows) {
                    let mut last = None;
                    for value in values {
                        last = windowed.step(Some(place(minute)), *value);
                    }
                    prop_assert_eq!(last, Some(plain.step(values[values.len() - 1])));
                    prop_assert_eq!(windowed.step(Some(place(minute - 1)), Some(99.0)), None);
                }
            }
        }
    }

    #[test]
    fn rows_without_windows_all_count() {
        let settings = Settings::default();
        let mut plain = Detector::new(DetectorKind::Novelty, &settings);
        let mut series = Detected::new(DetectorKind::Novelty, &settings);
        for number in 0..300_u32 {
            let value = Some(f64::from(number % 7));
            assert_eq!(series.step(None, value), Some(plain.step(value)));
        }
    }
}
