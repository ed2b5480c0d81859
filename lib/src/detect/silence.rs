//! Series that had a row in every window, and then none.

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::series::{SeriesBounds, Usage};
use crate::row::Place;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};
use crate::time::Timestamp;

/// A series' window without a row, found when a later one had a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outage {
    /// The bytes that name the series.
    pub(super) key: Box<[u8]>,
    /// The members of a row that say which series it is.
    pub(super) members: Box<[u8]>,
    /// The window.
    pub(super) window: Place,
    /// How many windows in a row before it had a row.
    pub(super) run: u64,
    /// How many windows without a row there are so far, this one included.
    pub(super) missed: u64,
}

/// Watches the series of several queries for windows without a row.
///
/// The windows of a query are as far apart as the greatest common divisor of
/// the distances between those seen says. A query whose windows differ in length
/// has sessions, which nothing can be missing between: it is left alone.
///
/// A series whose last window is not the newest one or that before it is
/// forgotten, so memory goes with the series that are active at a time, and an
/// outage is told once.
#[derive(Debug)]
pub(super) struct Silence {
    /// So many windows in a row make the next row expected.
    windows: u64,
    bounds: SeriesBounds,
    hasher: RandomState,
    /// By the bytes that name them.
    queries: BTreeMap<Box<[u8]>, Query>,
    /// Series of all queries.
    count: usize,
    refused: u64,
}

#[derive(Debug)]
struct Query {
    newest: Place,
    /// Length of its windows in microseconds; `None` if they differ.
    length: Option<u64>,
    /// Distance of its windows in microseconds; 0 if there was but one.
    step: u64,
    series: HashTable<Series>,
}

#[derive(Debug)]
struct Series {
    key: Box<[u8]>,
    members: Box<[u8]>,
    last: Place,
    /// Windows with a row in a row, up to the last.
    run: u64,
    /// The distance of those windows, if there are several.
    step: u64,
}

impl Silence {
    pub(super) fn new(windows: u32, bounds: SeriesBounds) -> Self {
        Self {
            windows: windows.into(),
            bounds,
            hasher: RandomState::default(),
            queries: BTreeMap::new(),
            count: 0,
            refused: 0,
        }
    }

    /// Takes in a row of the series `key` of `query`. Outages that it brings to
    /// light are added to `outages`, in the order of their keys. `members` makes
    /// what an [`Outage`] will have of the row.
    pub(super) fn row(
        &mut self,
        query: &[u8],
        key: &[u8],
        window: Place,
        members: impl FnOnce() -> Box<[u8]>,
        outages: &mut Vec<Outage>,
    ) {
        let Self { windows, bounds, hasher, queries, count, refused } = self;
        let length = distance(window.start, window.end);
        if !queries.contains_key(query) {
            if queries.len() >= bounds.most {
                *refused += 1;
                return;
            }
            let series = HashTable::new();
            let new = Query { newest: window, length: Some(length), step: 0, series };
            queries.insert(query.into(), new);
        }
        let Some(query) = queries.get_mut(query) else { return };
        if query.length != Some(length) {
            *count -= query.series.len();
            (query.length, query.series) = (None, HashTable::new());
            return;
        }
        if window.end > query.newest.end {
            let before = query.series.len();
            query.advance(window, *windows, outages);
            *count -= before - query.series.len();
        }
        let hash = |series: &Series| hasher.hash_one(&*series.key);
        match query.series.entry(hasher.hash_one(key), |series| *series.key == *key, hash) {
            Entry::Occupied(entry) => entry.into_mut().advance(window, query.step),
            Entry::Vacant(_) if *count >= bounds.most => *refused += 1,
            Entry::Vacant(entry) => {
                *count += 1;
                let (key, members) = (key.into(), members());
                entry.insert(Series { key, members, last: window, run: 1, step: 0 });
            }
        }
    }

    pub(super) fn usage(&self) -> Usage {
        let slot = size_of::<Series>() + 1;
        let of_query = |query: &Query| -> usize {
            let behind = query.series.iter().map(|one| one.key.len() + one.members.len());
            query.series.capacity() * slot + behind.sum::<usize>()
        };
        let bytes: usize = self.queries.values().map(of_query).sum();
        Usage { series: self.count as u64, expired: 0, refused: self.refused, bytes: bytes as u64 }
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.list(self.queries.iter(), |state, (name, query)| {
            state.bytes(name);
            query.snapshot(state);
        });
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let hasher = &self.hasher;
        let read = |state: &mut SnapshotReader<'_>| {
            Ok((state.bytes()?.into(), Query::restore(state, hasher)?))
        };
        self.queries = state.list(read)?.into_iter().collect();
        self.count = self.queries.values().map(|query| query.series.len()).sum();
        Ok(())
    }
}

impl Query {
    /// Goes on to a later window: all those before it are over.
    fn advance(&mut self, window: Place, windows: u64, outages: &mut Vec<Outage>) {
        self.step = gcd(self.step, distance(self.newest.end, window.end));
        self.newest = window;
        let (step, first) = (self.step, outages.len());
        self.series.retain(|series| {
            let behind = distance(series.last.end, window.end);
            if behind <= step {
                return true;
            }
            if series.run >= windows.max(1) && (series.run == 1 || series.step == step) {
                outages.push(series.outage(step, behind / step - 1));
            }
            false
        });
        outages[first..].sort_unstable_by(|one, other| one.key.cmp(&other.key));
    }

    fn snapshot(&self, state: &mut SnapshotWriter) {
        self.newest.snapshot(state);
        state.option(self.length, SnapshotWriter::u64);
        state.u64(self.step);
        let mut series: Vec<_> = self.series.iter().collect();
        series.sort_unstable_by_key(|series| &series.key);
        state.list(series.into_iter(), |state, series| {
            state.bytes(&series.key);
            state.bytes(&series.members);
            series.last.snapshot(state);
            state.u64(series.run);
            state.u64(series.step);
        });
    }

    fn restore(state: &mut SnapshotReader<'_>, hasher: &RandomState) -> Result<Self, RestoreError> {
        let newest = Place::restore(state)?;
        let (length, step) = (state.option(SnapshotReader::u64)?, state.u64()?);
        let all = state.list(|state| {
            let (key, members) = (state.bytes()?.into(), state.bytes()?.into());
            let last = Place::restore(state)?;
            Ok(Series { key, members, last, run: state.u64()?, step: state.u64()? })
        })?;
        let mut series = HashTable::with_capacity(all.len());
        let hash = |series: &Series| hasher.hash_one(&*series.key);
        for one in all {
            series.insert_unique(hash(&one), one, hash);
        }
        Ok(Self { newest, length, step, series })
    }
}

impl Series {
    /// Goes on to a window of its query, which may be its last one or an older
    /// one that came late.
    fn advance(&mut self, window: Place, step: u64) {
        if window.end <= self.last.end {
            return;
        }
        let follows = distance(self.last.end, window.end) == step;
        let goes_on = follows && (self.run == 1 || self.step == step);
        self.run = if goes_on { self.run + 1 } else { 1 };
        (self.last, self.step) = (window, step);
    }

    fn outage(&self, step: u64, missed: u64) -> Outage {
        let next = |time: Timestamp| {
            let micros = time.micros.saturating_add(i64::try_from(step).unwrap_or(i64::MAX));
            Timestamp { micros, ..time }
        };
        Outage {
            key: self.key.clone(),
            members: self.members.clone(),
            window: Place { start: next(self.last.start), end: next(self.last.end) },
            run: self.run,
            missed,
        }
    }
}

/// Microseconds between two instants.
fn distance(one: Timestamp, other: Timestamp) -> u64 {
    one.micros.abs_diff(other.micros)
}

/// The greatest common divisor; that with 0 is the other number.
fn gcd(one: u64, other: u64) -> u64 {
    if other == 0 { one } else { gcd(other, one % other) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds rows: letters of series by the minute in which their windows begin.
    /// Tells outages as series, minute, run, missed.
    fn outages(rows: &[(&str, i64)], length: i64) -> Vec<(String, i64, u64, u64)> {
        let mut silence = Silence::new(3, SeriesBounds::default());
        let mut found = Vec::new();
        let at = |minute: i64| Timestamp::from_micros(minute * 60_000_000);
        for (series, minute) in rows {
            let window = Place { start: at(*minute), end: at(minute + length) };
            for key in series.split_terminator("").skip(1) {
                silence.row(b"q", key.as_bytes(), window, Box::default, &mut found);
            }
        }
        let tell = |outage: Outage| {
            let minute = outage.window.start.micros / 60_000_000;
            assert_eq!(outage.window.end, at(minute + length), "{outage:?}");
            (String::from_utf8(outage.key.into()).unwrap(), minute, outage.run, outage.missed)
        };
        found.into_iter().map(tell).collect()
    }

    #[test]
    fn a_window_without_a_row_is_told_once_when_a_later_one_has_one() {
        let rows = [
            ("abc", 0),
            ("ab", 1), // c: after one window only
            ("ab", 2),
            ("abc", 3),
            ("b", 4), // a: not yet, its row may still come
            ("b", 5), // now
            ("b", 6), // once
            ("ab", 7),
            ("ab", 8),
            ("b", 9),
            ("b", 10), // a came back for two windows only
        ];
        assert_eq!(outages(&rows, 1), [("a".into(), 4, 4, 1)]);
    }

    #[test]
    fn several_are_told_in_the_order_of_their_keys() {
        let rows = [("dcba", 0), ("adbc", 1), ("bdca", 2), ("b", 3), ("b", 4)];
        let told = outages(&rows, 1);
        let told: Vec<&str> = told.iter().map(|(key, ..)| &**key).collect();
        assert_eq!(told, ["a", "c", "d"]);
    }

    #[test]
    fn an_outage_of_all_is_told_when_it_is_over() {
        let rows = [("ab", 0), ("ab", 1), ("ab", 2), ("a", 60), ("a", 61)];
        let both = [("a".into(), 3, 3, 57), ("b".into(), 3, 3, 57)];
        assert_eq!(outages(&rows, 1), both);
    }

    #[test]
    fn sliding_windows_are_as_far_apart_as_those_seen() {
        // Five minutes long, every two minutes.
        let rows = [("ab", 0), ("ab", 2), ("ab", 4), ("ab", 6), ("a", 8), ("a", 10)];
        assert_eq!(outages(&rows, 5), [("b".into(), 8, 4, 1)]);
        // At first they seem farther apart than they are.
        let rows = [("ab", 0), ("ab", 4), ("ab", 8), ("b", 10), ("b", 12), ("b", 14)];
        assert_eq!(outages(&rows, 5), []);
    }

    #[test]
    fn sessions_are_left_alone() {
        let mut rows = vec![("a", 0), ("a", 1), ("a", 2)];
        let mut silence = Silence::new(3, SeriesBounds::default());
        let mut found = Vec::new();
        let at = |minute: i64| Timestamp::from_micros(minute * 60_000_000);
        rows.extend([("b", 4), ("b", 9)]);
        for (index, (key, minute)) in rows.into_iter().enumerate() {
            let length = 1 + index as i64;
            let window = Place { start: at(minute), end: at(minute + length) };
            silence.row(b"q", key.as_bytes(), window, Box::default, &mut found);
        }
        assert_eq!(found, []);
        assert_eq!(silence.usage().series, 0);
    }

    #[test]
    fn late_rows_change_nothing() {
        let rows =
            [("ab", 0), ("ab", 1), ("ab", 2), ("ab", 1), ("ab", 3), ("a", 4), ("b", 3), ("a", 5)];
        assert_eq!(outages(&rows, 1), [("b".into(), 4, 4, 1)]);
    }
}
