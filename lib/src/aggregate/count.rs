//! `count`: how many values.

use crate::line::Value;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

#[derive(Clone, Debug, Default)]
pub(crate) struct Count {
    counts: Vec<u64>,
}

impl Count {
    pub(super) fn add_group(&mut self) {
        self.counts.push(0);
    }

    pub(super) fn groups(&self) -> usize {
        self.counts.len()
    }

    pub(super) fn clear(&mut self, group: usize) {
        self.counts[group] = 0;
    }

    #[inline]
    pub(super) fn update(&mut self, group: usize) {
        self.counts[group] += 1;
    }

    pub(super) fn merge(&mut self, group: usize, other: &Self, theirs: usize) {
        self.counts[group] += other.counts[theirs];
    }

    pub(super) fn evaluate(&self, group: usize) -> Value<'static> {
        Value::Int(self.counts[group].into())
    }

    pub(super) fn size(&self) -> usize {
        self.counts.capacity() * size_of::<u64>()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.list(self.counts.iter(), |state, count| state.u64(*count));
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.counts = state.list(SnapshotReader::u64)?;
        Ok(())
    }
}
