//! Records that come more than once.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher as _;

use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};
use crate::time::TimeDelta;

/// Fewer keys than this are not worth a sweep.
const FEW: usize = 1_024;

/// Tells a key's first record from those that repeat it.
///
/// A record repeats the one kept last for its key if their event times are at
/// most a given length apart. A key is forgotten exactly when event time, less
/// the delay, is past the kept time and that length; memory is swept later, when
/// the number of keys has doubled, and that never shows.
///
/// A key takes 16 bytes, about 7 in the table, and its own length; up to twice
/// that between two sweeps, and keys that are forgotten but not yet swept as
/// much again.
#[derive(Clone, Debug)]
pub(super) struct Deduper {
    within: i64,
    /// The greatest `until` so far.
    until: Option<i64>,
    hasher: RandomState,
    /// Places in `kept`, by the hash of their keys.
    table: HashTable<u32>,
    kept: Vec<Kept>,
    /// The keys, one behind the other.
    keys: Vec<u8>,
    sweep_at: usize,
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    /// Event time of the record kept last.
    time: i64,
    /// Where the key ends; it begins where the one before ends.
    end: usize,
}

impl Deduper {
    pub(super) fn new(within: TimeDelta) -> Self {
        Self {
            within: within.micros,
            until: None,
            hasher: RandomState::default(),
            table: HashTable::new(),
            kept: Vec::new(),
            keys: Vec::new(),
            sweep_at: FEW,
        }
    }

    /// Whether a record repeats another; if not, it is kept. `until` is event
    /// time less the query's delay, `None` before the first record.
    pub(super) fn is_duplicate(&mut self, key: &[u8], time: i64, until: Option<i64>) -> bool {
        self.until = self.until.max(until);
        let hash = self.hasher.hash_one(key);
        let Self { kept, keys, .. } = self;
        let found = self.table.find(hash, |&place| key_at(kept, keys, place) == key);
        if let Some(&place) = found {
            let first = self.kept[place as usize].time;
            if !self.is_forgotten(first) && first.abs_diff(time) <= self.within.unsigned_abs() {
                return true;
            }
            self.kept[place as usize].time = time;
            return false;
        }
        if self.kept.len() >= self.sweep_at {
            self.sweep();
        }
        self.insert(hash, key, time);
        false
    }

    fn is_forgotten(&self, first: i64) -> bool {
        self.until.is_some_and(|until| until > first.saturating_add(self.within))
    }

    fn insert(&mut self, hash: u64, key: &[u8], time: i64) {
        let place = self.kept.len() as u32;
        self.keys.extend_from_slice(key);
        self.kept.push(Kept { time, end: self.keys.len() });
        let Self { hasher, table, kept, keys, .. } = self;
        table.insert_unique(hash, place, |&place| hasher.hash_one(key_at(kept, keys, place)));
    }

    /// Frees the memory of forgotten keys.
    #[cold]
    fn sweep(&mut self) {
        let (kept, keys) = (std::mem::take(&mut self.kept), std::mem::take(&mut self.keys));
        self.table = HashTable::new();
        for place in 0..kept.len() as u32 {
            let time = kept[place as usize].time;
            if !self.is_forgotten(time) {
                let key = key_at(&kept, &keys, place);
                self.insert(self.hasher.hash_one(key), key, time);
            }
        }
        self.sweep_at = (2 * self.kept.len()).max(FEW);
    }

    /// Bytes of memory taken, near enough.
    pub(super) fn size(&self) -> usize {
        self.kept.capacity() * size_of::<Kept>() + self.keys.capacity() + self.table.capacity() * 5
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.option(self.until, SnapshotWriter::i64);
        let live = (0..self.kept.len() as u32)
            .map(|place| (self.kept[place as usize].time, key_at(&self.kept, &self.keys, place)))
            .filter(|(time, _)| !self.is_forgotten(*time));
        let live: Vec<_> = live.collect();
        state.list(live.into_iter(), |state, (time, key)| {
            state.i64(time);
            state.bytes(key);
        });
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        *self = Self::new(TimeDelta::from_micros(self.within));
        self.until = state.option(SnapshotReader::i64)?;
        for (time, key) in state.list(|state| Ok((state.i64()?, state.bytes()?)))? {
            self.insert(self.hasher.hash_one(key), key, time);
        }
        self.sweep_at = (2 * self.kept.len()).max(FEW);
        Ok(())
    }
}

#[inline]
fn key_at<'a>(kept: &[Kept], keys: &'a [u8], place: u32) -> &'a [u8] {
    let place = place as usize;
    let start = if place == 0 { 0 } else { kept[place - 1].end };
    &keys[start..kept[place].end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn restored(dedupe: &Deduper) -> Deduper {
        let mut state = SnapshotWriter::new();
        dedupe.snapshot(&mut state);
        let bytes = state.into_bytes();
        let mut reader = SnapshotReader::new(&bytes);
        let mut fresh = Deduper::new(TimeDelta::from_micros(dedupe.within));
        fresh.restore(&mut reader).unwrap();
        assert!(reader.is_empty());
        fresh
    }

    #[test]
    fn times_at_most_so_far_apart_are_one() {
        // within 10:  0 kept  5 dup  -10 dup  10 dup  11 kept  21 dup  0 kept (11 apart)
        let mut dedupe = Deduper::new(TimeDelta::from_micros(10));
        let times =
            [(0, false), (5, true), (-10, true), (10, true), (11, false), (21, true), (0, false)];
        for (number, (time, is_duplicate)) in times.into_iter().enumerate() {
            assert_eq!(dedupe.is_duplicate(b"k", time, None), is_duplicate, "{time}");
            assert!(!dedupe.is_duplicate(&[number as u8], time, None), "another key");
        }
    }

    #[test]
    fn a_key_is_forgotten_past_its_time_and_not_at_it() {
        let mut dedupe = Deduper::new(TimeDelta::from_micros(10));
        assert!(!dedupe.is_duplicate(b"k", 0, None));
        assert!(dedupe.is_duplicate(b"k", 5, Some(10)));
        assert!(!dedupe.is_duplicate(b"k", 5, Some(11)));
        assert!(dedupe.is_duplicate(b"k", 5, Some(3)), "kept anew at 5");
        assert!(dedupe.is_duplicate(b"k", 15, Some(15)));
        assert!(!dedupe.is_duplicate(b"", i64::MIN, Some(15)), "an empty key is a key");
        assert!(!dedupe.is_duplicate(b"", i64::MAX, Some(15)));
    }

    #[test]
    fn an_endless_stream_takes_no_more_memory() {
        // Each key comes twice; 2,000 are within reach at a time.
        let mut dedupe = Deduper::new(TimeDelta::from_micros(2_000));
        let mut most = 0;
        for time in 0..300_000_i64 {
            let key = format!("user-{time:012}");
            assert!(!dedupe.is_duplicate(key.as_bytes(), time, Some(time)));
            assert!(dedupe.is_duplicate(key.as_bytes(), time + 7, Some(time)));
            most = most.max(dedupe.size());
        }
        assert!(most < 400_000, "{most} bytes");
        let whole = dedupe.size();
        assert!(restored(&dedupe).size() <= whole);
    }

    proptest! {
        /// By the contract's words, over the list of all records kept.
        #[test]
        fn like_a_search_through_all_kept(
            records in proptest::collection::vec((0_u8..4, 0_i64..60), 0..120),
            within in 0_i64..15, delay in 0_i64..10, cut in 0_usize..120, sweeps in 0_usize..6,
        ) {
            let mut dedupe = Deduper::new(TimeDelta::from_micros(within));
            let mut all: Vec<(u8, i64)> = Vec::new();
            let mut greatest: Option<i64> = None;
            for (index, &(key, jitter)) in records.iter().enumerate() {
                if index == cut {
                    dedupe = restored(&dedupe);
                }
                if sweeps > 0 && index % sweeps == 0 {
                    dedupe.sweep();
                }
                let time = index as i64 / 4 + jitter - 30;
                let until = greatest.map(|greatest| greatest - delay);
                let last = all.iter().rev().find(|(kept, _)| *kept == key);
                let repeats = last.is_some_and(|&(_, first)| {
                    until.is_none_or(|until| until <= first + within)
                        && (time - first).abs() <= within
                });
                prop_assert_eq!(dedupe.is_duplicate(&[key], time, until), repeats, "{}", index);
                if !repeats {
                    all.push((key, time));
                }
                greatest = greatest.max(Some(time));
            }
        }
    }
}
