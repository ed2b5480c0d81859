//! `count(DISTINCT x)`, exactly: values are kept, not their hashes.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher as _;

use super::Interner;
use crate::line::Value;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

#[derive(Clone, Debug, Default)]
pub(crate) struct Distinct {
    sets: Sets,
    key: Vec<u8>,
}

impl Distinct {
    pub(super) fn add_group(&mut self) {
        self.sets.members.push(Vec::new());
    }

    pub(super) fn groups(&self) -> usize {
        self.sets.members.len()
    }

    pub(super) fn clear(&mut self, group: usize) {
        self.sets.clear(group);
    }

    #[inline]
    pub(super) fn update(&mut self, group: usize, value: &Value<'_>) {
        self.key.clear();
        value.write_key(&mut self.key);
        self.sets.insert(group, &self.key);
    }

    pub(super) fn merge(&mut self, group: usize, other: &Self, theirs: usize) {
        for &number in &other.sets.members[theirs] {
            self.sets.insert(group, other.sets.values.get(number as usize));
        }
    }

    pub(super) fn evaluate(&self, group: usize) -> Value<'static> {
        Value::Int(self.sets.members[group].len() as i128)
    }

    pub(super) fn size(&self) -> usize {
        self.sets.size()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        self.sets.snapshot(state);
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.sets = Sets::restore(state)?;
        Ok(())
    }
}

/// A value in a group's set.
#[derive(Clone, Copy, Debug)]
struct Pair {
    group: u32,
    /// The value's number.
    number: u32,
    /// Its place among the group's values.
    place: u32,
}

/// One set of values for each group: each value is kept once, however many
/// groups have it.
#[derive(Clone, Debug, Default)]
pub(super) struct Sets {
    pub(super) values: Interner,
    hasher: RandomState,
    pairs: HashTable<Pair>,
    /// The numbers of each group's values, in order of arrival.
    pub(super) members: Vec<Vec<u32>>,
}

impl Sets {
    /// Puts a value into a group's set; returns its place there if it was in it
    /// already.
    #[inline]
    pub(super) fn insert(&mut self, group: usize, value: &[u8]) -> Option<usize> {
        let (number, _) = self.values.intern(value);
        self.insert_number(group, number)
    }

    /// As [`insert`](Self::insert), for a value that has a number.
    #[inline]
    pub(super) fn insert_number(&mut self, group: usize, number: usize) -> Option<usize> {
        let Self { hasher, pairs, members, .. } = self;
        let (group, number) = (group as u32, number as u32);
        let hash = hasher.hash_one((group, number));
        let is_same = |pair: &Pair| (pair.group, pair.number) == (group, number);
        if let Some(pair) = pairs.find(hash, is_same) {
            return Some(pair.place as usize);
        }
        let members = &mut members[group as usize];
        let pair = Pair { group, number, place: members.len() as u32 };
        pairs.insert_unique(hash, pair, |pair| hasher.hash_one((pair.group, pair.number)));
        members.push(number);
        None
    }

    /// Empties a group's set.
    pub(super) fn clear(&mut self, group: usize) {
        let Self { hasher, pairs, members, .. } = self;
        for number in std::mem::take(&mut members[group]) {
            let hash = hasher.hash_one((group as u32, number));
            let is_same = |pair: &Pair| (pair.group, pair.number) == (group as u32, number);
            if let Ok(pair) = pairs.find_entry(hash, is_same) {
                pair.remove();
            }
        }
    }

    pub(super) fn size(&self) -> usize {
        let members: usize = self.members.iter().map(|members| members.capacity() * 4 + 24).sum();
        self.values.size() + self.pairs.capacity() * (size_of::<Pair>() + 1) + members
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        self.values.snapshot(state);
        state.list(self.members.iter(), |state, members| {
            state.list(members.iter(), |state, number| state.u64((*number).into()));
        });
    }

    pub(super) fn restore(state: &mut SnapshotReader<'_>) -> Result<Self, RestoreError> {
        let mut sets = Self { values: Interner::restore(state)?, ..Self::default() };
        for (group, members) in state.list(|s| s.list(SnapshotReader::len))?.iter().enumerate() {
            sets.members.push(Vec::new());
            for &number in members {
                if number >= sets.values.len() || sets.insert_number(group, number).is_some() {
                    return Err(RestoreError::Damaged("a set holds what it cannot hold"));
                }
            }
        }
        Ok(sets)
    }
}
