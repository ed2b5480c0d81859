//! `collect_list` and `collect_set`: the values themselves, in order of arrival.
//!
//! Values are kept as JSON text. Each remembers the number of its record, so
//! that panes, which overlap in arrival, merge into the right order.

use bumpalo::Bump;
use bumpalo::collections::Vec as ArenaVec;

use super::distinct::Sets;
use crate::line::Value;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// A value in a list: its record's number and where its text ends.
#[derive(Clone, Copy, Debug)]
struct Item {
    sequence: u64,
    start: usize,
    end: usize,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct CollectList {
    text: Vec<u8>,
    lists: Vec<Vec<Item>>,
}

impl CollectList {
    pub(super) fn add_group(&mut self) {
        self.lists.push(Vec::new());
    }

    pub(super) fn groups(&self) -> usize {
        self.lists.len()
    }

    pub(super) fn clear(&mut self, group: usize) {
        self.lists[group] = Vec::new();
    }

    pub(super) fn update(&mut self, group: usize, value: &Value<'_>, sequence: u64) {
        let start = self.text.len();
        value.write(&mut self.text);
        self.lists[group].push(Item { sequence, start, end: self.text.len() });
    }

    pub(super) fn merge(&mut self, group: usize, other: &Self, theirs: usize) {
        for item in &other.lists[theirs] {
            let start = self.text.len();
            self.text.extend_from_slice(&other.text[item.start..item.end]);
            let end = self.text.len();
            self.lists[group].push(Item { sequence: item.sequence, start, end });
        }
    }

    pub(super) fn evaluate<'a>(&'a self, group: usize, arena: &'a Bump) -> Value<'a> {
        let mut items = ArenaVec::from_iter_in(self.lists[group].iter(), arena);
        // Stable, and quick where the list is in order already.
        items.sort_by_key(|item| item.sequence);
        list(items.len(), items.iter().map(|item| &self.text[item.start..item.end]), arena)
    }

    pub(super) fn size(&self) -> usize {
        let items: usize = self.lists.iter().map(|list| list.capacity() * size_of::<Item>()).sum();
        self.text.capacity() + items
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.list(self.lists.iter(), |state, items| {
            state.list(items.iter(), |state, item| {
                state.u64(item.sequence);
                state.bytes(&self.text[item.start..item.end]);
            });
        });
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.text.clear();
        let text = &mut self.text;
        self.lists = state.list(|state| {
            state.list(|state| {
                let (sequence, start) = (state.u64()?, text.len());
                text.extend_from_slice(state.bytes()?);
                Ok(Item { sequence, start, end: text.len() })
            })
        })?;
        Ok(())
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct CollectSet {
    sets: Sets,
    /// JSON text of each distinct value, by its number, as it was first seen,
    /// and in which record: 1 and 1.0 are one value.
    texts: Vec<(u64, Box<[u8]>)>,
    /// Of each group's values, in the order of its set: the record's number.
    sequences: Vec<Vec<u64>>,
    key: Vec<u8>,
}

impl CollectSet {
    pub(super) fn add_group(&mut self) {
        self.sets.members.push(Vec::new());
        self.sequences.push(Vec::new());
    }

    pub(super) fn groups(&self) -> usize {
        self.sequences.len()
    }

    pub(super) fn clear(&mut self, group: usize) {
        self.sets.clear(group);
        self.sequences[group] = Vec::new();
    }

    #[inline]
    pub(super) fn update(&mut self, group: usize, value: &Value<'_>, sequence: u64) {
        self.key.clear();
        value.write_key(&mut self.key);
        let known = self.sets.insert(group, &self.key);
        if self.sets.values.len() > self.texts.len() {
            let mut text = Vec::new();
            value.write(&mut text);
            self.texts.push((sequence, text.into()));
        }
        if known.is_none() {
            self.sequences[group].push(sequence);
        }
    }

    pub(super) fn merge(&mut self, group: usize, other: &Self, theirs: usize) {
        let members = other.sets.members[theirs].iter().zip(&other.sequences[theirs]);
        for (&number, &sequence) in members {
            let number = number as usize;
            let ours = self.sets.values.intern(other.sets.values.get(number)).0;
            match self.texts.get_mut(ours) {
                None => self.texts.push(other.texts[number].clone()),
                Some(text) if other.texts[number].0 < text.0 => *text = other.texts[number].clone(),
                Some(_) => {}
            }
            match self.sets.insert_number(group, ours) {
                None => self.sequences[group].push(sequence),
                // Seen in both panes: the earlier record counts.
                Some(place) => {
                    let first = &mut self.sequences[group][place];
                    *first = sequence.min(*first);
                }
            }
        }
    }

    pub(super) fn evaluate<'a>(&'a self, group: usize, arena: &'a Bump) -> Value<'a> {
        let members = self.sequences[group].iter().zip(&self.sets.members[group]);
        let mut members = ArenaVec::from_iter_in(members, arena);
        members.sort_by_key(|(sequence, _)| **sequence);
        let texts = members.iter().map(|(_, number)| &*self.texts[**number as usize].1);
        list(members.len(), texts, arena)
    }

    pub(super) fn size(&self) -> usize {
        let texts: usize = self.texts.iter().map(|(_, text)| text.len() + 24).sum();
        let sequences: usize = self.sequences.iter().map(|list| list.capacity() * 8 + 24).sum();
        self.sets.size() + texts + sequences
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        self.sets.snapshot(state);
        state.list(self.texts.iter(), |state, (sequence, text)| {
            state.u64(*sequence);
            state.bytes(text);
        });
        state.list(self.sequences.iter(), |state, sequences| {
            state.list(sequences.iter(), |state, sequence| state.u64(*sequence));
        });
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.sets = Sets::restore(state)?;
        self.texts = state.list(|state| Ok((state.u64()?, state.bytes()?.into())))?;
        self.sequences = state.list(|state| state.list(SnapshotReader::u64))?;
        let sizes = |(members, sequences): (&Vec<u32>, &Vec<u64>)| members.len() == sequences.len();
        let fits = self.texts.len() == self.sets.values.len()
            && self.sequences.len() == self.sets.members.len()
            && self.sets.members.iter().zip(&self.sequences).all(sizes);
        if fits { Ok(()) } else { Err(RestoreError::Damaged("a set and its order differ in size")) }
    }
}

/// A list value out of its items' JSON texts.
fn list(length: usize, items: impl Iterator<Item = impl AsRef<[u8]>>, arena: &Bump) -> Value<'_> {
    let mut text = ArenaVec::new_in(arena);
    text.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            text.push(b',');
        }
        text.extend_from_slice(item.as_ref());
    }
    text.push(b']');
    Value::List(length, text.into_bump_slice())
}
