//! `min_by` and `max_by`: the value beside the least or greatest of another.

use std::cmp::Ordering;

use super::held::Held;
use crate::line::Value;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// Of records whose second values are equal, the first to arrive counts. A
/// record whose second value is null does not; a null beside the winner is the
/// result.
#[derive(Clone, Debug)]
pub(crate) struct ExtremeBy {
    states: Vec<Option<State>>,
    /// How a second value compares with the one held if it takes its place.
    wanted: Ordering,
}

#[derive(Clone, Debug)]
struct State {
    by: Held,
    /// The record's number.
    sequence: u64,
    value: Held,
}

impl ExtremeBy {
    pub(super) fn least() -> Self {
        Self { states: Vec::new(), wanted: Ordering::Less }
    }

    pub(super) fn greatest() -> Self {
        Self { states: Vec::new(), wanted: Ordering::Greater }
    }

    pub(super) fn add_group(&mut self) {
        self.states.push(None);
    }

    pub(super) fn groups(&self) -> usize {
        self.states.len()
    }

    pub(super) fn clear(&mut self, group: usize) {
        self.states[group] = None;
    }

    #[inline]
    pub(super) fn update(
        &mut self,
        group: usize,
        value: &Value<'_>,
        by: &Value<'_>,
        sequence: u64,
    ) {
        if by.is_null() {
            return;
        }
        let state = &mut self.states[group];
        let wins = state.as_ref().is_none_or(|held| match by.total_cmp(&held.by.value()) {
            Ordering::Equal => sequence < held.sequence,
            order => order == self.wanted,
        });
        if wins {
            *state = Some(State { by: Held::new(by), sequence, value: Held::new(value) });
        }
    }

    pub(super) fn merge(&mut self, group: usize, other: &Self, theirs: usize) {
        if let Some(state) = &other.states[theirs] {
            self.update(group, &state.value.value(), &state.by.value(), state.sequence);
        }
    }

    pub(super) fn evaluate(&self, group: usize) -> Value<'_> {
        self.states[group].as_ref().map_or(Value::Null, |state| state.value.value())
    }

    pub(super) fn size(&self) -> usize {
        let held = |state: &State| state.by.size() + state.value.size();
        self.states.capacity() * size_of::<Option<State>>()
            + self.states.iter().flatten().map(held).sum::<usize>()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.list(self.states.iter(), |state, held| {
            state.option(held.as_ref(), |state, held| {
                held.by.snapshot(state);
                state.u64(held.sequence);
                held.value.snapshot(state);
            });
        });
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.states = state.list(|state| {
            state.option(|state| {
                Ok(State {
                    by: Held::restore(state)?,
                    sequence: state.u64()?,
                    value: Held::restore(state)?,
                })
            })
        })?;
        Ok(())
    }
}
