//! `collect_list` and `collect_set`: the values themselves, in order of arrival.
//!
//! Values remember the number of their record, so that panes, which overlap in
//! arrival, merge into the right order.

use bumpalo::Bump;
use bumpalo::collections::Vec as ArenaVec;
use roaring::RoaringBitmap;

use super::Dictionary;
use super::distinct::{read_set, size_of_set, write_set};
use crate::line::Value;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// A value in a list: its record's number and where its text ends.
#[derive(Clone, Copy, Debug)]
struct Item {
    sequence: u64,
    end: usize,
}

/// JSON texts, one behind the other.
#[derive(Clone, Debug, Default)]
struct List {
    text: Vec<u8>,
    items: Vec<Item>,
}

impl List {
    fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut start = 0;
        self.items.iter().map(move |item| {
            let text = &self.text[start..item.end];
            start = item.end;
            (item.sequence, text)
        })
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct CollectList {
    lists: Vec<List>,
}

impl CollectList {
    pub(super) fn add_group(&mut self) {
        self.lists.push(List::default());
    }

    pub(super) fn groups(&self) -> usize {
        self.lists.len()
    }

    pub(super) fn clear(&mut self, group: usize) {
        self.lists[group] = List::default();
    }

    pub(super) fn update(&mut self, group: usize, value: &Value<'_>, sequence: u64) {
        let List { text, items } = &mut self.lists[group];
        value.write(text);
        items.push(Item { sequence, end: text.len() });
    }

    pub(super) fn merge(&mut self, group: usize, other: &Self, theirs: usize) {
        let (ours, theirs) = (&mut self.lists[group], &other.lists[theirs]);
        let start = ours.text.len();
        ours.text.extend_from_slice(&theirs.text);
        let moved = |item: &Item| Item { sequence: item.sequence, end: start + item.end };
        ours.items.extend(theirs.items.iter().map(moved));
    }

    pub(super) fn evaluate<'a>(&'a self, group: usize, arena: &'a Bump) -> Value<'a> {
        let mut items = ArenaVec::from_iter_in(self.lists[group].iter(), arena);
        // Stable, and quick where the list is in order already.
        items.sort_by_key(|(sequence, _)| *sequence);
        list(items.iter().map(|(_, text)| *text), arena)
    }

    pub(super) fn size(&self) -> usize {
        let size = |list: &List| {
            size_of::<List>() + list.text.capacity() + list.items.capacity() * size_of::<Item>()
        };
        self.lists.iter().map(size).sum()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.list(self.lists.iter(), |state, list| {
            state.list(list.items.iter(), |state, item| {
                state.u64(item.sequence);
                state.u64(item.end as u64);
            });
            state.bytes(&list.text);
        });
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.lists = state.list(|state| {
            let items = state.list(|s| Ok(Item { sequence: s.u64()?, end: s.u64()? as usize }))?;
            let text = state.bytes()?.to_vec();
            let ends = || items.iter().map(|item| item.end);
            if ends().is_sorted() && ends().next_back().unwrap_or(0) == text.len() {
                Ok(List { text, items })
            } else {
                Err(RestoreError::Damaged("a list's texts and their ends differ"))
            }
        })?;
        Ok(())
    }
}

/// A set of numbers that knows the order in which they came.
#[derive(Clone, Debug, Default)]
struct Members {
    set: RoaringBitmap,
    /// Each number with its first record's. Merging leaves a number that both
    /// have in twice: the earlier record counts.
    arrivals: Vec<(u32, u64)>,
}

impl Members {
    fn insert(&mut self, number: u32, sequence: u64) {
        if self.set.insert(number) {
            self.arrivals.push((number, sequence));
        }
    }

    fn merge(&mut self, other: &Self) {
        self.set |= &other.set;
        self.arrivals.extend_from_slice(&other.arrivals);
        // Sessions merge without end; their sets are no larger for it.
        if self.arrivals.len() as u64 > 2 * self.set.len() {
            self.arrivals = self.in_order();
        }
    }

    /// Each number once, in order of arrival.
    fn in_order(&self) -> Vec<(u32, u64)> {
        let mut arrivals = self.arrivals.clone();
        arrivals.sort_unstable_by_key(|&(number, sequence)| (sequence, number));
        if arrivals.len() as u64 > self.set.len() {
            let mut seen = RoaringBitmap::new();
            arrivals.retain(|&(number, _)| seen.insert(number));
        }
        arrivals
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct CollectSet {
    sets: Vec<Members>,
}

impl CollectSet {
    pub(super) fn add_group(&mut self) {
        self.sets.push(Members::default());
    }

    pub(super) fn groups(&self) -> usize {
        self.sets.len()
    }

    pub(super) fn clear(&mut self, group: usize) {
        self.sets[group] = Members::default();
    }

    #[inline]
    pub(super) fn update(&mut self, group: usize, number: u32, sequence: u64) {
        self.sets[group].insert(number, sequence);
    }

    pub(super) fn merge(&mut self, group: usize, other: &Self, theirs: usize) {
        self.sets[group].merge(&other.sets[theirs]);
    }

    pub(super) fn evaluate<'a>(
        &self,
        group: usize,
        dictionary: &Dictionary,
        arena: &'a Bump,
    ) -> Value<'a> {
        let members = self.sets[group].in_order();
        list(members.iter().map(|&(number, _)| dictionary.text(number, 0)), arena)
    }

    pub(super) fn mark(&self, used: &mut RoaringBitmap) {
        for members in &self.sets {
            *used |= &members.set;
        }
    }

    pub(super) fn renumber(&mut self, numbers: &[u32]) {
        for members in &mut self.sets {
            members.set = members.set.iter().map(|number| numbers[number as usize]).collect();
            for (number, _) in &mut members.arrivals {
                *number = numbers[*number as usize];
            }
        }
    }

    pub(super) fn size(&self) -> usize {
        let size = |set: &Members| size_of_set(&set.set) + 24 + set.arrivals.capacity() * 16;
        self.sets.iter().map(size).sum()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.list(self.sets.iter(), |state, members| {
            write_set(state, &members.set);
            state.list(members.arrivals.iter(), |state, &(number, sequence)| {
                state.u64(number.into());
                state.u64(sequence);
            });
        });
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.sets = state.list(|state| {
            let set = read_set(state)?;
            let arrivals = state.list(|state| Ok((state.u64()? as u32, state.u64()?)))?;
            Ok(Members { set, arrivals })
        })?;
        let is_whole = |members: &Members| {
            let numbers: RoaringBitmap =
                members.arrivals.iter().map(|(number, _)| number).collect();
            numbers == members.set
        };
        if self.sets.iter().all(is_whole) {
            Ok(())
        } else {
            Err(RestoreError::Damaged("a set and its order differ"))
        }
    }
}

/// A list value out of its items' JSON texts.
fn list(items: impl Iterator<Item = impl AsRef<[u8]>>, arena: &Bump) -> Value<'_> {
    let mut text = ArenaVec::new_in(arena);
    let mut length = 0;
    text.push(b'[');
    for item in items {
        if length > 0 {
            text.push(b',');
        }
        text.extend_from_slice(item.as_ref());
        length += 1;
    }
    text.push(b']');
    Value::List(length, text.into_bump_slice())
}
