//! What is remembered of a series: the rows before.

use std::borrow::Borrow;
use std::collections::VecDeque;

use super::series::SeriesState;
use crate::row::Place;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// The newest row of a series, and the values of those before it.
///
/// The newest row's value is kept apart, since another row of its window may
/// yet replace it; it joins those before when the next row arrives. A null takes
/// a place among them like any other value, as it does in SQL's row windows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct History {
    /// The newest row's window, if it has one.
    newest: Option<Place>,
    /// The newest row's value, NaN for null.
    last: Option<f64>,
    /// NaN for null.
    before: VecDeque<f64>,
}

impl History {
    /// Goes on to a row, keeping at most `capacity` values before it. Then
    /// [`before`](Self::before) is what the row is to be judged by, and
    /// [`set`](Self::set) takes its value.
    ///
    /// `window` is the row's, which may be that of the newest one. A row without
    /// a window is always the next.
    ///
    /// Returns `false`, and does nothing, if the series is past that window.
    pub(super) fn advance(&mut self, window: Option<Place>, capacity: usize) -> bool {
        if window.is_some() && window <= self.newest {
            return window == self.newest;
        }
        if let Some(value) = self.last.take() {
            if self.before.len() == capacity {
                self.before.pop_front();
            }
            self.before.push_back(value);
        }
        self.newest = window;
        true
    }

    /// The values before the newest row, oldest first.
    pub(super) fn before(&self) -> impl DoubleEndedIterator<Item = Option<f64>> {
        self.before.iter().map(|value| Some(*value).filter(|value| !value.is_nan()))
    }

    /// Gives the newest row its value.
    pub(super) fn set(&mut self, value: Option<f64>) {
        self.last = Some(value.unwrap_or(f64::NAN));
    }

    pub(super) fn restore(state: &mut SnapshotReader<'_>) -> Result<Self, RestoreError> {
        Ok(Self {
            newest: state.option(Place::restore)?,
            last: state.option(SnapshotReader::f64)?,
            before: state.list(SnapshotReader::f64)?.into(),
        })
    }
}

impl SeriesState for History {
    fn heap_bytes(&self) -> usize {
        self.before.capacity() * size_of::<f64>()
    }

    fn snapshot(&self, state: &mut SnapshotWriter) {
        state.option(self.newest, |state, place| place.snapshot(state));
        state.option(self.last, SnapshotWriter::f64);
        state.list(self.before.iter(), |state, value| state.f64(*value));
    }
}

/// Mean and sample deviation of a few values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moments {
    /// How many values there are.
    pub(super) count: usize,
    /// Their mean; 0 if there are none.
    pub(super) mean: f64,
    /// Their sample deviation (n − 1), in their unit; `None` of fewer than 2.
    pub(super) deviation: Option<f64>,
}

impl Moments {
    /// The moments of `values`, by Welford's recurrence: that of equal values
    /// is exactly zero, whatever they are.
    ///
    /// Source: Welford, *Note on a method for calculating corrected sums of
    /// squares and products* (1962).
    pub(super) fn of(values: impl IntoIterator<Item: Borrow<f64>>) -> Self {
        let (mut count, mut mean, mut squares) = (0_usize, 0.0, 0.0);
        for value in values {
            let value = *value.borrow();
            count += 1;
            let delta = value - mean;
            mean += delta / count as f64;
            squares += delta * (value - mean);
        }
        let deviation = (count > 1).then(|| (squares / (count - 1) as f64).sqrt());
        Self { count, mean, deviation }
    }

    /// How many deviations `value` lies above the mean, at most the greatest
    /// double; `None` without a deviation to measure by.
    pub(super) fn z_score(&self, value: f64) -> Option<f64> {
        let deviation = self.deviation.filter(|deviation| *deviation > 0.0)?;
        Some(((value - self.mean) / deviation).clamp(f64::MIN, f64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn place(minute: i64) -> Place {
        let at = |minute: i64| Timestamp::from_micros(minute * 60_000_000);
        Place { end: at(minute + 1), start: at(minute) }
    }

    #[test]
    fn equal_values_do_not_deviate() {
        for value in [0.1, 1.0 / 3.0, 1e15 + 0.3, -7.7] {
            let moments = Moments::of([value; 10]);
            assert_eq!((moments.mean, moments.deviation), (value, Some(0.0)));
            assert_eq!(moments.z_score(value + 1.0), None);
        }
    }

    #[test]
    fn moments_of_known_values() {
        for (values, mean, deviation) in [
            (&[][..], 0.0, None),
            (&[3.0][..], 3.0, None),
            (&[1.0, 3.0][..], 2.0, Some(2.0_f64.sqrt())),
            (&[2.0, 4.0, 6.0][..], 4.0, Some(2.0)),
        ] {
            let moments = Moments::of(values.iter().copied());
            assert_eq!(moments, Moments { count: values.len(), mean, deviation });
        }
        assert_eq!(Moments::of([2.0, 4.0, 6.0]).z_score(9.0), Some(2.5));
        assert_eq!(Moments::of([0.0, 1e-170]).z_score(1e149), None, "underflow is no deviation");
        assert_eq!(Moments::of([0.0, 1e-161]).z_score(1e149), Some(f64::MAX));
    }

    #[test]
    fn the_newest_row_can_be_replaced_and_older_ones_are_refused() {
        let mut history = History::default();
        let mut step = |window: Option<i64>, value| {
            history.advance(window.map(place), 2).then(|| {
                history.set(value);
                history.before().collect::<Vec<_>>()
            })
        };
        // Each row: its window, its value, the rows before it.
        let (one, three, four) = (Some(1.0), Some(3.0), Some(4.0));
        for (window, value, before) in [
            (Some(5), one, Some(vec![])),
            (Some(6), Some(2.0), Some(vec![one])),
            (Some(6), three, Some(vec![one])),
            (Some(5), Some(9.0), None),
            (Some(9), None, Some(vec![one, three])),
            (Some(9), four, Some(vec![one, three])),
            (Some(10), None, Some(vec![three, four])),
            (Some(11), one, Some(vec![four, None])),
            (Some(11), None, Some(vec![four, None])),
            // Without windows every row is the next.
            (None, one, Some(vec![None, None])),
            (None, three, Some(vec![None, one])),
            (Some(12), four, Some(vec![one, three])),
        ] {
            assert_eq!(step(window, value), before, "{window:?}: {value:?}");
        }
    }

    #[test]
    fn windows_are_ordered_by_end_then_start() {
        let mut history = History::default();
        let at = Timestamp::from_micros;
        for (start, end, taken) in
            [(0, 10, true), (5, 10, true), (0, 10, false), (0, 11, true), (9, 10, false)]
        {
            let place = Place { end: at(end), start: at(start) };
            assert_eq!(history.advance(Some(place), 1), taken, "[{start}, {end})");
        }
    }
}
