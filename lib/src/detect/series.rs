//! The states of all series of a rule, by the bytes that name them.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::row::{restore_time, snapshot_time};
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};
use crate::time::{TimeDelta, Timestamp};

/// What keeps the number of series from growing without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesBounds {
    /// A series without a row for twice this long in event time is forgotten,
    /// one without for less than this is not. Above 0.
    pub expire: TimeDelta,
    /// So many series a rule has at most; it does not look at the rows of
    /// further ones.
    pub most: usize,
}

impl Default for SeriesBounds {
    /// A week, as long as a detector remembers a level seen once a minute, and
    /// 100,000 series.
    fn default() -> Self {
        Self { expire: TimeDelta::from_seconds(7 * 86_400), most: 100_000 }
    }
}

/// What is remembered of one series.
pub(super) trait SeriesState {
    /// Bytes that it takes beside its own size, near enough.
    fn heap_bytes(&self) -> usize;

    fn snapshot(&self, state: &mut SnapshotWriter);
}

/// The states of all series of a rule.
///
/// Event time is cut into spans: one ends with the first row more than
/// [`expire`](SeriesBounds::expire) behind the row that began it. Series that
/// had no row in a span are forgotten at its end. So one row far ahead of all
/// others, sent by a wrong clock, forgets nothing that has just been seen; it
/// only stops the forgetting until time has caught up.
#[derive(Debug)]
pub(super) struct SeriesTable<S> {
    table: HashTable<Series<S>>,
    hasher: RandomState,
    bounds: SeriesBounds,
    /// The present span's last instant.
    until: Option<Timestamp>,
    expired: u64,
    refused: u64,
}

#[derive(Debug)]
struct Series<S> {
    key: Box<[u8]>,
    /// Whether it had a row in the present span.
    is_awake: bool,
    state: S,
}

impl<S: SeriesState> SeriesTable<S> {
    pub(super) fn new(bounds: SeriesBounds) -> Self {
        Self {
            table: HashTable::new(),
            hasher: RandomState::default(),
            bounds,
            until: None,
            expired: 0,
            refused: 0,
        }
    }

    /// The state of the series `key`, which has a row at `at`. One that is new
    /// is made by `make`; `None` if there is no room for it.
    pub(super) fn entry(
        &mut self,
        key: &[u8],
        at: Option<Timestamp>,
        make: impl FnOnce() -> S,
    ) -> Option<&mut S> {
        self.pass(at);
        let is_full = self.table.len() >= self.bounds.most;
        let hasher = &self.hasher;
        let hash = |series: &Series<S>| hasher.hash_one(&*series.key);
        let is_it = |series: &Series<S>| *series.key == *key;
        match self.table.entry(hasher.hash_one(key), is_it, hash) {
            Entry::Occupied(entry) => {
                let series = entry.into_mut();
                series.is_awake = true;
                Some(&mut series.state)
            }
            Entry::Vacant(_) if is_full => {
                self.refused += 1;
                None
            }
            Entry::Vacant(entry) => {
                let series = Series { key: key.into(), is_awake: true, state: make() };
                Some(&mut entry.insert(series).into_mut().state)
            }
        }
    }

    /// As [`entry`](Self::entry), for a row that does not begin a series.
    pub(super) fn known(&mut self, key: &[u8], at: Option<Timestamp>) -> Option<&mut S> {
        self.pass(at);
        let is_it = |series: &Series<S>| *series.key == *key;
        let series = self.table.find_mut(self.hasher.hash_one(key), is_it)?;
        series.is_awake = true;
        Some(&mut series.state)
    }

    /// Goes on to `at` in event time.
    fn pass(&mut self, at: Option<Timestamp>) {
        let Some(at) = at else { return };
        if self.until.is_some_and(|until| at <= until) {
            return;
        }
        if self.until.is_some() {
            let before = self.table.len();
            self.table.retain(|series| std::mem::take(&mut series.is_awake));
            self.expired += (before - self.table.len()) as u64;
        }
        let micros = at.micros.saturating_add(self.bounds.expire.micros);
        self.until = Some(Timestamp { micros, ..at });
    }

    pub(super) fn usage(&self) -> Usage {
        let Self { expired, refused, .. } = *self;
        let slot = size_of::<Series<S>>() + 1;
        let behind = |series: &Series<S>| series.key.len() + series.state.heap_bytes();
        let bytes = self.table.capacity() * slot + self.table.iter().map(behind).sum::<usize>();
        Usage { series: self.table.len() as u64, expired, refused, bytes: bytes as u64 }
    }

    /// Writes all series, in the order of their keys.
    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.option(self.until, |state, until| snapshot_time(until, state));
        let mut series: Vec<_> = self.table.iter().collect();
        series.sort_unstable_by_key(|series| &series.key);
        state.list(series.into_iter(), |state, series| {
            state.bytes(&series.key);
            state.bool(series.is_awake);
            series.state.snapshot(state);
        });
    }

    /// Reads back what [`snapshot`](Self::snapshot) wrote, in place of what
    /// there is; `read` reads one state.
    pub(super) fn restore<'a>(
        &mut self,
        state: &mut SnapshotReader<'a>,
        mut read: impl FnMut(&mut SnapshotReader<'a>) -> Result<S, RestoreError>,
    ) -> Result<(), RestoreError> {
        self.until = state.option(restore_time)?;
        let all = state.list(|state| {
            let (key, is_awake) = (state.bytes()?.into(), state.bool()?);
            Ok(Series { key, is_awake, state: read(state)? })
        })?;
        let hasher = &self.hasher;
        let hash = |series: &Series<S>| hasher.hash_one(&*series.key);
        self.table.clear();
        for series in all {
            self.table.insert_unique(hash(&series), series, hash);
        }
        Ok(())
    }
}

/// What the states of some series take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// How many series there are.
    pub(super) series: u64,
    /// How many have been forgotten.
    pub(super) expired: u64,
    /// Rows of series for which there was no room.
    pub(super) refused: u64,
    /// Bytes that their states take, near enough.
    pub(super) bytes: u64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.series += other.series;
        self.expired += other.expired;
        self.refused += other.refused;
        self.bytes += other.bytes;
    }
}

/// An instant is the state of a series of which only that is remembered.
impl SeriesState for Timestamp {
    fn heap_bytes(&self) -> usize {
        0
    }

    fn snapshot(&self, state: &mut SnapshotWriter) {
        snapshot_time(*self, state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn table(most: usize) -> SeriesTable<Timestamp> {
        SeriesTable::new(SeriesBounds { expire: TimeDelta::from_seconds(10), most })
    }

    /// A row of the series `key`, a letter; whether the series was known.
    fn row(table: &mut SeriesTable<Timestamp>, key: char, at: i64) -> bool {
        let mut is_new = false;
        let make = || {
            is_new = true;
            Timestamp::EPOCH
        };
        table.entry(key.to_string().as_bytes(), Some(seconds(at)), make);
        !is_new
    }

    #[test]
    fn a_series_that_slept_for_a_whole_span_is_forgotten() {
        // 0        10 12        22 25        35
        // [ a b a   ] [ b        ] [ …
        let mut table = table(9);
        for (key, at, known) in [
            ('a', 0, false),
            ('b', 4, false),
            ('a', 10, true),
            ('b', 12, true),
            ('b', 22, true),
            // The second span had no `a`.
            ('b', 25, true),
            ('a', 26, false),
            // Rows that come late are of the present span.
            ('b', 3, true),
            ('c', 3, false),
        ] {
            assert_eq!(row(&mut table, key, at), known, "{key} at {at}");
        }
        assert_eq!((table.usage().series, table.usage().expired), (3, 1));
    }

    #[test]
    fn a_clock_ahead_forgets_nothing_that_is_awake() {
        let mut table = table(9);
        for (key, at, known) in
            [('a', 0, false), ('z', 1_000_000, false), ('a', 1, true), ('a', 99, true)]
        {
            assert_eq!(row(&mut table, key, at), known, "{key} at {at}");
        }
    }

    #[test]
    fn there_is_room_for_so_many_and_known_ones_stay() {
        let mut table = table(2);
        assert!(!row(&mut table, 'a', 0) && !row(&mut table, 'b', 0));
        assert!(table.entry(b"c", None, || seconds(0)).is_none());
        assert!(row(&mut table, 'a', 1));
        assert_eq!((table.usage().series, table.usage().refused), (2, 1));
    }
}
