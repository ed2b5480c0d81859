//! `count(DISTINCT x)`, exactly: sets of the values' numbers.

use roaring::RoaringBitmap;

use crate::line::Value;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// A set for each group. Numbers are small and dense, as dictionaries give
/// them, which is what compressed bitmaps are made for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Distinct {
    sets: Vec<RoaringBitmap>,
}

impl Distinct {
    pub(super) fn add_group(&mut self) {
        self.sets.push(RoaringBitmap::new());
    }

    pub(super) fn groups(&self) -> usize {
        self.sets.len()
    }

    pub(super) fn clear(&mut self, group: usize) {
        self.sets[group] = RoaringBitmap::new();
    }

    #[inline]
    pub(super) fn update(&mut self, group: usize, number: u32) {
        self.sets[group].insert(number);
    }

    pub(super) fn merge(&mut self, group: usize, other: &Self, theirs: usize) {
        self.sets[group] |= &other.sets[theirs];
    }

    pub(super) fn evaluate(&self, group: usize) -> Value<'static> {
        Value::Int(self.sets[group].len().into())
    }

    pub(super) fn mark(&self, used: &mut RoaringBitmap) {
        for set in &self.sets {
            *used |= set;
        }
    }

    pub(super) fn renumber(&mut self, numbers: &[u32]) {
        for set in &mut self.sets {
            *set = set.iter().map(|number| numbers[number as usize]).collect();
        }
    }

    pub(super) fn size(&self) -> usize {
        self.sets.iter().map(size_of_set).sum()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.list(self.sets.iter(), write_set);
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.sets = state.list(read_set)?;
        Ok(())
    }
}

/// Bytes of memory that a set takes, near enough.
pub(super) fn size_of_set(set: &RoaringBitmap) -> usize {
    size_of::<RoaringBitmap>() + set.serialized_size() + 32
}

pub(super) fn write_set(state: &mut SnapshotWriter, set: &RoaringBitmap) {
    let mut bytes = Vec::with_capacity(set.serialized_size());
    // Writing to memory does not fail.
    let _ = set.serialize_into(&mut bytes);
    state.bytes(&bytes);
}

pub(super) fn read_set(state: &mut SnapshotReader<'_>) -> Result<RoaringBitmap, RestoreError> {
    let bytes = state.bytes()?;
    RoaringBitmap::deserialize_from(bytes).map_err(|_| RestoreError::Damaged("a set is no set"))
}
