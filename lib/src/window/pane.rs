//! A pane: the groups of one piece of event time, and what they add up to.

use super::group::Groups;
use crate::aggregate::Accumulator;
use crate::query::Plan;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// The aggregates of the records between two neighbouring window edges.
#[derive(Clone, Debug)]
pub(super) struct Pane {
    /// In microseconds of event time.
    pub(super) start: i64,
    pub(super) groups: Groups,
    pub(super) accumulators: Vec<Accumulator>,
}

impl Pane {
    pub(super) fn new(start: i64, plan: &Plan) -> Self {
        let accumulators =
            plan.aggregates.iter().map(|aggregate| Accumulator::new(&aggregate.function)).collect();
        Self { start, groups: Groups::new(plan.keys.len()), accumulators }
    }

    /// Makes room for a group that has just been added.
    pub(super) fn add_group(&mut self) {
        for accumulator in &mut self.accumulators {
            accumulator.add_group();
        }
    }

    /// Takes over everything from a later pane.
    pub(super) fn merge(&mut self, other: &Self) {
        for theirs in 0..other.groups.len() {
            let (group, new) = self.groups.merge(&other.groups, theirs);
            if new {
                self.add_group();
            }
            for (ours, other) in self.accumulators.iter_mut().zip(&other.accumulators) {
                ours.merge(group, other, theirs);
            }
        }
    }

    /// Bytes of memory taken, near enough.
    pub(super) fn size(&self) -> usize {
        self.groups.size() + self.accumulators.iter().map(Accumulator::size).sum::<usize>()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.i64(self.start);
        self.groups.snapshot(state);
        for accumulator in &self.accumulators {
            accumulator.snapshot(state);
        }
    }

    pub(super) fn restore(
        plan: &Plan,
        state: &mut SnapshotReader<'_>,
    ) -> Result<Self, RestoreError> {
        let mut pane = Self::new(state.i64()?, plan);
        pane.groups = Groups::restore(plan.keys.len(), state)?;
        for accumulator in &mut pane.accumulators {
            accumulator.restore(pane.groups.len(), state)?;
        }
        Ok(pane)
    }
}
