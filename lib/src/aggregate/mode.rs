//! `mode`: the most frequent value.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::cmp::Reverse;
use std::hash::BuildHasher as _;

use super::held::Held;
use crate::line::Value;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// How often each group has each of its values. Of values that are equally
/// frequent, the first to arrive counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mode {
    hasher: RandomState,
    groups: Vec<Group>,
    key: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
struct Group {
    /// In order of arrival, or of merging.
    tallies: Vec<Tally>,
    /// Their places, by the hash of their keys.
    places: HashTable<u32>,
}

#[derive(Clone, Debug)]
struct Tally {
    /// Equal for equal values.
    key: Box<[u8]>,
    count: u64,
    /// The number of the first record with the value.
    first: u64,
    /// The value as that record has it: 1 and 1.0 are one.
    value: Held,
}

impl Group {
    fn find(&mut self, hasher: &RandomState, key: &[u8]) -> Option<&mut Tally> {
        let is_same = |place: &u32| *self.tallies[*place as usize].key == *key;
        let place = *self.places.find(hasher.hash_one(key), is_same)?;
        self.tallies.get_mut(place as usize)
    }

    /// Appends a tally whose value the group does not have yet.
    fn push(&mut self, hasher: &RandomState, tally: Tally) {
        let hash = hasher.hash_one(&*tally.key);
        self.tallies.push(tally);
        let tallies = &self.tallies;
        let hash_of = |place: &u32| hasher.hash_one(&*tallies[*place as usize].key);
        self.places.insert_unique(hash, tallies.len() as u32 - 1, hash_of);
    }
}

impl Mode {
    pub(super) fn add_group(&mut self) {
        self.groups.push(Group::default());
    }

    pub(super) fn groups(&self) -> usize {
        self.groups.len()
    }

    pub(super) fn clear(&mut self, group: usize) {
        self.groups[group] = Group::default();
    }

    pub(super) fn update(&mut self, group: usize, value: &Value<'_>, sequence: u64) {
        self.key.clear();
        value.write_key(&mut self.key);
        let group = &mut self.groups[group];
        if let Some(tally) = group.find(&self.hasher, &self.key) {
            tally.count += 1;
            return;
        }
        let value = Held::new(value);
        let tally = Tally { key: (&*self.key).into(), count: 1, first: sequence, value };
        group.push(&self.hasher, tally);
    }

    pub(super) fn merge(&mut self, group: usize, other: &Self, theirs: usize) {
        let group = &mut self.groups[group];
        for tally in &other.groups[theirs].tallies {
            let Some(ours) = group.find(&self.hasher, &tally.key) else {
                group.push(&self.hasher, tally.clone());
                continue;
            };
            ours.count += tally.count;
            if tally.first < ours.first {
                ours.first = tally.first;
                ours.value = tally.value.clone();
            }
        }
    }

    pub(super) fn evaluate(&self, group: usize) -> Value<'_> {
        let tallies = self.groups[group].tallies.iter();
        let most = tallies.max_by_key(|tally| (tally.count, Reverse(tally.first)));
        most.map_or(Value::Null, |tally| tally.value.value())
    }

    pub(super) fn size(&self) -> usize {
        let tally = |tally: &Tally| tally.key.len() + tally.value.size();
        let group = |group: &Group| {
            group.tallies.capacity() * size_of::<Tally>()
                + group.tallies.iter().map(tally).sum::<usize>()
                + group.places.capacity() * 5
                + size_of::<Group>()
        };
        self.groups.iter().map(group).sum()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.list(self.groups.iter(), |state, group| {
            state.list(group.tallies.iter(), |state, tally| {
                state.u64(tally.count);
                state.u64(tally.first);
                tally.value.snapshot(state);
            });
        });
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let groups = state.list(|state| {
            state.list(|state| Ok((state.u64()?, state.u64()?, Held::restore(state)?)))
        })?;
        for tallies in groups {
            let mut group = Group::default();
            for (count, first, value) in tallies {
                let mut key = Vec::new();
                value.value().write_key(&mut key);
                if group.find(&self.hasher, &key).is_some() {
                    return Err(RestoreError::Damaged("a value is counted in two places"));
                }
                group.push(&self.hasher, Tally { key: key.into(), count, first, value });
            }
            self.groups.push(group);
        }
        Ok(())
    }
}
