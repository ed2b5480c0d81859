//! What is remembered of a series: the rows before.

use std::collections::VecDeque;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

use crate::row::Place;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// The newest row of a series, and the values of those before it.
///
/// The newest row's value is kept apart, since another row of its window may
/// yet replace it; it joins those before when the next window arrives. A null
/// takes no place among them.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    newest: Place,
    last: Option<f64>,
    before: VecDeque<f64>,
}

impl History {
    /// A series that begins at `place`.
    fn new(place: Place) -> Self {
        Self { newest: place, last: None, before: VecDeque::new() }
    }

    /// Goes on to `place`, which may be the newest row's own, keeping at most
    /// `capacity` values before it. Then [`before`](Self::before) is what the
    /// row there is to be judged by, and [`set`](Self::set) takes its value.
    ///
    /// Returns `false`, and does nothing, if the series is past that place.
    fn advance(&mut self, place: Place, capacity: usize) -> bool {
        if place > self.newest {
            if let Some(value) = self.last.take() {
                if self.before.len() == capacity {
                    self.before.pop_front();
                }
                self.before.push_back(value);
            }
            self.newest = place;
        }
        place == self.newest
    }

    /// The values before the newest row, oldest first.
    pub fn before(&self) -> &VecDeque<f64> {
        &self.before
    }

    /// Gives the newest row its value.
    pub fn set(&mut self, value: Option<f64>) {
        self.last = value;
    }

    fn snapshot(&self, state: &mut SnapshotWriter) {
        self.newest.snapshot(state);
        state.option(self.last, SnapshotWriter::f64);
        state.list(self.before.iter(), |state, value| state.f64(*value));
    }

    fn restore(state: &mut SnapshotReader<'_>) -> Result<Self, RestoreError> {
        Ok(Self {
            newest: Place::restore(state)?,
            last: state.option(SnapshotReader::f64)?,
            before: state.list(SnapshotReader::f64)?.into(),
        })
    }
}

/// Mean and sample deviation of a few values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// How many values there are.
    pub count: usize,
    /// Their mean; 0 if there are none.
    pub mean: f64,
    /// Their sample deviation (n − 1), in their unit; `None` of fewer than 2.
    pub deviation: Option<f64>,
}

impl Moments {
    /// The moments of `values`, by Welford's recurrence: that of equal values
    /// is exactly zero, whatever they are.
    ///
    /// Source: Welford, *Note on a method for calculating corrected sums of
    /// squares and products* (1962).
    pub fn of<'a>(values: impl IntoIterator<Item = &'a f64>) -> Self {
        let (mut count, mut mean, mut squares) = (0_usize, 0.0, 0.0);
        for value in values {
            count += 1;
            let delta = value - mean;
            mean += delta / count as f64;
            squares += delta * (value - mean);
        }
        let deviation = (count > 1).then(|| (squares / (count - 1) as f64).sqrt());
        Self { count, mean, deviation }
    }

    /// How many deviations `value` lies above the mean; `None` without a
    /// deviation to measure by.
    pub fn z_score(&self, value: f64) -> Option<f64> {
        let deviation = self.deviation.filter(|deviation| *deviation > 0.0)?;
        Some((value - self.mean) / deviation)
    }
}

/// The histories of all series, by the bytes that name them.
///
/// Takes memory for each series, never more for a longer one.
#[derive(Clone, Debug, Default)]
pub struct SeriesTable {
    table: HashTable<(Box<[u8]>, History)>,
    hasher: RandomState,
}

impl SeriesTable {
    /// The history of the series `key`, gone on to `place`; see
    /// [`History`]. `None` if the series is past that place.
    pub fn advance(&mut self, key: &[u8], place: Place, capacity: usize) -> Option<&mut History> {
        let hasher = &self.hasher;
        let entry = self.table.entry(
            hasher.hash_one(key),
            |(known, _)| **known == *key,
            |(known, _)| hasher.hash_one(&**known),
        );
        let entry = entry.or_insert_with(|| (key.into(), History::new(place)));
        let history = &mut entry.into_mut().1;
        history.advance(place, capacity).then_some(history)
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are no series.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Writes all series, in the order of their keys.
    pub fn snapshot(&self, state: &mut SnapshotWriter) {
        let mut series: Vec<_> = self.table.iter().collect();
        series.sort_unstable_by_key(|(key, _)| key);
        state.list(series.into_iter(), |state, (key, history)| {
            state.bytes(key);
            history.snapshot(state);
        });
    }

    /// Reads back what [`snapshot`](Self::snapshot) wrote, in place of what
    /// there is.
    ///
    /// # Errors
    ///
    /// Fails if the state is damaged.
    pub fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let hasher = &self.hasher;
        let hash = |(key, _): &(Box<[u8]>, History)| hasher.hash_one(&**key);
        self.table.clear();
        for series in state.list(|state| Ok((state.bytes()?.into(), History::restore(state)?)))? {
            self.table.insert_unique(hash(&series), series, hash);
        }
        Ok(())
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
            let moments = Moments::of(&[value; 10]);
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
            assert_eq!(Moments::of(values), Moments { count: values.len(), mean, deviation });
        }
        assert_eq!(Moments::of(&[2.0, 4.0, 6.0]).z_score(9.0), Some(2.5));
    }

    #[test]
    fn the_newest_row_can_be_replaced_and_older_ones_are_refused() {
        let mut table = SeriesTable::default();
        let mut step = |minute, value| {
            table.advance(b"auth", place(minute), 2).map(|history| {
                history.set(value);
                history.before().iter().copied().collect::<Vec<f64>>()
            })
        };
        // Each row: its window, its value, the rows before it.
        for (minute, value, before) in [
            (5, Some(1.0), Some(vec![])),
            (6, Some(2.0), Some(vec![1.0])),
            (6, Some(3.0), Some(vec![1.0])),
            (5, Some(9.0), None),
            (9, None, Some(vec![1.0, 3.0])),
            (9, Some(4.0), Some(vec![1.0, 3.0])),
            (10, None, Some(vec![3.0, 4.0])),
            (11, Some(5.0), Some(vec![3.0, 4.0])),
            (11, None, Some(vec![3.0, 4.0])),
            (12, Some(6.0), Some(vec![3.0, 4.0])),
        ] {
            assert_eq!(step(minute, value), before, "{minute}: {value:?}");
        }
    }

    #[test]
    fn windows_are_ordered_by_end_then_start() {
        let mut table = SeriesTable::default();
        let at = Timestamp::from_micros;
        for (start, end, taken) in
            [(0, 10, true), (5, 10, true), (0, 10, false), (0, 11, true), (9, 10, false)]
        {
            let place = Place { end: at(end), start: at(start) };
            assert_eq!(table.advance(b"", place, 1).is_some(), taken, "[{start}, {end})");
        }
    }
}
