//! Groups and what they add up to.

use std::collections::BTreeMap;

use hashbrown::HashTable;
use roaring::RoaringBitmap;

use super::lookup::{Lookups, Spelling};
use super::record::Record;
use crate::aggregate::Accumulator;
use crate::query::{Expr, Plan};
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// The number of the group that takes what `--max-groups` keeps out: no key.
pub(super) const OVERFLOW: u32 = u32::MAX;

/// The groups of a piece of event time, by the numbers of their keys.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// Groups by number.
    index: HashTable<u32>,
    /// Each group's number.
    pub(super) numbers: Vec<u32>,
    /// The record that each group was first seen in.
    first: Vec<u64>,
    /// The groups whose keys that record spells in a way of its own; few.
    spelled: BTreeMap<u32, Spelling>,
    pub(super) accumulators: Vec<Accumulator>,
}

impl Table {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            index: HashTable::new(),
            numbers: Vec::new(),
            first: Vec::new(),
            spelled: BTreeMap::new(),
            accumulators: accumulators(plan),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The group of a number.
    #[inline]
    pub(super) fn find(&self, number: u32) -> Option<usize> {
        let is_same = |&group: &u32| self.numbers[group as usize] == number;
        self.index.find(hash(number), is_same).map(|&group| group as usize)
    }

    /// A new group, first seen in record `sequence`.
    pub(super) fn add(&mut self, number: u32, sequence: u64) -> usize {
        let Self { index, numbers, .. } = self;
        let group = numbers.len();
        numbers.push(number);
        index.insert_unique(hash(number), group as u32, |&group| hash(numbers[group as usize]));
        self.first.push(sequence);
        for accumulator in &mut self.accumulators {
            accumulator.add_group();
        }
        group
    }

    /// Notes a spelling for the keys of a group.
    pub(super) fn spell(&mut self, group: usize, spelling: Spelling) {
        self.spelled.insert(group as u32, spelling);
    }

    /// The spelling of a group's keys where it is not the dictionary's.
    pub(super) fn spelling(&self, group: usize) -> Option<&Spelling> {
        self.spelled.get(&(group as u32))
    }

    /// Takes over everything from the table of another piece of time, a later
    /// one.
    pub(super) fn merge(&mut self, other: &Self) {
        let groups: Vec<u32> = (0..other.len()).map(|theirs| self.adopt(other, theirs)).collect();
        for (ours, other) in self.accumulators.iter_mut().zip(&other.accumulators) {
            for (theirs, &group) in groups.iter().enumerate() {
                ours.merge(group as usize, other, theirs);
            }
        }
    }

    /// Takes over one group.
    pub(super) fn merge_group(&mut self, other: &Self, theirs: usize) {
        let group = self.adopt(other, theirs) as usize;
        for (ours, other) in self.accumulators.iter_mut().zip(&other.accumulators) {
            ours.merge(group, other, theirs);
        }
    }

    /// The group here that another table's group is, with the spelling of
    /// whichever was seen first.
    fn adopt(&mut self, other: &Self, theirs: usize) -> u32 {
        let (number, sequence) = (other.numbers[theirs], other.first[theirs]);
        let known = self.find(number);
        let group = known.unwrap_or_else(|| self.add(number, sequence));
        if (!self.spelled.is_empty() || !other.spelled.is_empty())
            && (known.is_none() || sequence < self.first[group])
        {
            self.spelled.remove(&(group as u32));
            self.spelled.extend(other.spelling(theirs).map(|text| (group as u32, text.clone())));
        }
        self.first[group] = sequence.min(self.first[group]);
        group as u32
    }

    /// Adds the numbers of the keys.
    pub(super) fn mark(&self, used: &mut RoaringBitmap) {
        used.extend(self.numbers.iter().filter(|number| **number != OVERFLOW));
    }

    /// Gives the keys the numbers that they have now.
    pub(super) fn renumber(&mut self, renumbered: &[u32]) {
        for number in &mut self.numbers {
            *number = new_number(renumbered, *number);
        }
        self.rebuild_index();
    }

    fn rebuild_index(&mut self) {
        let Self { index, numbers, .. } = self;
        index.clear();
        for (group, &number) in numbers.iter().enumerate() {
            index.insert_unique(hash(number), group as u32, |&group| hash(numbers[group as usize]));
        }
    }

    /// Bytes of memory taken, near enough.
    pub(super) fn size(&self) -> usize {
        let groups = self.index.capacity() * 5 + self.numbers.capacity() * 4;
        let spelled = self.spelled.len() * 64;
        let states = self.accumulators.iter().map(Accumulator::size).sum::<usize>();
        groups + self.first.capacity() * 8 + spelled + states
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.list(self.numbers.iter(), |state, number| state.u64((*number).into()));
        state.list(self.first.iter(), |state, sequence| state.u64(*sequence));
        state.list(self.spelled.iter(), |state, (group, spelling)| {
            state.u64((*group).into());
            write_spelling(state, spelling);
        });
        for accumulator in &self.accumulators {
            accumulator.snapshot(state);
        }
    }

    pub(super) fn restore(
        plan: &Plan,
        state: &mut SnapshotReader<'_>,
    ) -> Result<Self, RestoreError> {
        let mut table = Self::new(plan);
        table.numbers = state.list(|state| Ok(state.u64()? as u32))?;
        table.first = state.list(SnapshotReader::u64)?;
        let spelled = state.list(|state| Ok((state.u64()? as u32, read_spelling(state)?)))?;
        table.spelled = spelled.into_iter().collect();
        table.rebuild_index();
        let groups = table.numbers.len();
        for accumulator in &mut table.accumulators {
            accumulator.restore(groups, state)?;
        }
        if table.first.len() == groups {
            Ok(table)
        } else {
            Err(RestoreError::Damaged("groups and their first records differ in number"))
        }
    }
}

/// One accumulator for each aggregate, without groups.
pub(super) fn accumulators(plan: &Plan) -> Vec<Accumulator> {
    plan.aggregates.iter().map(|aggregate| Accumulator::new(&aggregate.function)).collect()
}

/// Where a number is now; the overflow stays what it is.
pub(super) fn new_number(renumbered: &[u32], number: u32) -> u32 {
    if number == OVERFLOW { OVERFLOW } else { renumbered[number as usize] }
}

pub(super) fn write_spelling(state: &mut SnapshotWriter, spelling: &Spelling) {
    state.list(spelling.iter(), |state, text| state.bytes(text));
}

pub(super) fn read_spelling(state: &mut SnapshotReader<'_>) -> Result<Spelling, RestoreError> {
    Ok(state.list(SnapshotReader::bytes)?.into_iter().map(Into::into).collect())
}

/// Numbers are dense and nobody can choose them, so this needs no more than to
/// spread them.
#[inline]
pub(super) fn hash(number: u32) -> u64 {
    u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(20)
}

/// How each aggregate of a query gets its values.
#[derive(Debug)]
pub(super) struct Inputs {
    /// The dictionary of the keys.
    pub(super) keys: usize,
    aggregates: Vec<Input>,
    /// The second arguments of those that have one.
    by: Vec<Option<Expr>>,
}

#[derive(Debug)]
enum Input {
    /// Each record counts.
    Record,
    Value(Expr),
    /// The number of the value in a dictionary.
    Number(usize),
}

impl Inputs {
    pub(super) fn new(plan: &Plan, lookups: &mut Lookups) -> Self {
        let keys = lookups.add(plan.keys.iter().map(|key| key.expr.clone()).collect());
        let input = |aggregate: &crate::query::Aggregate| match &aggregate.argument {
            None => Input::Record,
            Some(value) if Accumulator::takes_numbers(&aggregate.function) => {
                Input::Number(lookups.add(vec![value.clone()]))
            }
            Some(value) => Input::Value(value.clone()),
        };
        Self {
            keys,
            aggregates: plan.aggregates.iter().map(input).collect(),
            by: plan.aggregates.iter().map(|aggregate| aggregate.by.clone()).collect(),
        }
    }

    /// The dictionary whose numbers an aggregate takes.
    pub(super) fn dictionary(&self, aggregate: usize) -> Option<usize> {
        match self.aggregates[aggregate] {
            Input::Number(place) => Some(place),
            _ => None,
        }
    }

    /// Lets a group's accumulators take in a record.
    #[inline]
    pub(super) fn update(
        &self,
        plan: &Plan,
        accumulators: &mut [Accumulator],
        group: usize,
        record: &Record<'_>,
        lookups: &mut Lookups,
    ) {
        for (index, accumulator) in accumulators.iter_mut().enumerate() {
            let filter = plan.aggregates[index].filter.as_ref();
            if filter.is_some_and(|filter| !filter.is_true(&record.context)) {
                continue;
            }
            let value = match &self.aggregates[index] {
                Input::Number(place) => {
                    let found = lookups.find(*place, record);
                    if !found.has_null {
                        accumulator.update_number(group, found.number, record.sequence);
                    }
                    continue;
                }
                Input::Value(value) => value.operand(&record.context),
                Input::Record => crate::line::Value::Bool(true),
            };
            let taken = match &self.by[index] {
                None => accumulator.update(group, &value, record.sequence),
                Some(by) => {
                    let by = by.operand(&record.context);
                    accumulator.update_by(group, &value, &by, record.sequence)
                }
            };
            if !taken {
                let failed = record.context.casts_failed;
                failed.set(failed.get() + 1);
            }
        }
    }
}
