//! `first` and `last`: the value of the record that arrived first or last.
//!
//! The record's number is kept with the value: panes overlap in arrival, so
//! that the earlier pane need not hold the earlier record.

use super::held::Held;
use crate::line::Value;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    states: Vec<Option<State>>,
    end: End,
    ignore_nulls: bool,
}

/// Which end of the stream is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    First,
    Last,
}

#[derive(Clone, Debug)]
struct State {
    /// The record's number.
    sequence: u64,
    value: Held,
}

impl Arrival {
    pub(super) fn first(ignore_nulls: bool) -> Self {
        Self { states: Vec::new(), end: End::First, ignore_nulls }
    }

    pub(super) fn last(ignore_nulls: bool) -> Self {
        Self { states: Vec::new(), end: End::Last, ignore_nulls }
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

    /// Takes in a value, which may be null: null counts like any other unless
    /// nulls are ignored.
    #[inline]
    pub(super) fn update(&mut self, group: usize, value: &Value<'_>, sequence: u64) {
        let state = &mut self.states[group];
        if value.is_null() && self.ignore_nulls {
            return;
        }
        let wins = state.as_ref().is_none_or(|held| match self.end {
            End::First => sequence < held.sequence,
            End::Last => sequence > held.sequence,
        });
        if wins {
            *state = Some(State { sequence, value: Held::new(value) });
        }
    }

    pub(super) fn merge(&mut self, group: usize, other: &Self, theirs: usize) {
        if let Some(state) = &other.states[theirs] {
            self.update(group, &state.value.value(), state.sequence);
        }
    }

    pub(super) fn evaluate(&self, group: usize) -> Value<'_> {
        self.states[group].as_ref().map_or(Value::Null, |state| state.value.value())
    }

    pub(super) fn size(&self) -> usize {
        self.states.capacity() * size_of::<Option<State>>()
            + self.states.iter().flatten().map(|state| state.value.size()).sum::<usize>()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.list(self.states.iter(), |state, held| {
            state.option(held.as_ref(), |state, held| {
                state.u64(held.sequence);
                held.value.snapshot(state);
            });
        });
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.states = state.list(|state| {
            state.option(|state| Ok(State { sequence: state.u64()?, value: Held::restore(state)? }))
        })?;
        Ok(())
    }
}
