//! `min` and `max`, in the total order of values.

use std::cmp::Ordering;

use super::held::Held;
use crate::line::Value;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

#[derive(Clone, Debug)]
pub(crate) struct Extreme {
    values: Vec<Option<Held>>,
    /// How a value compares with the one held if it takes its place.
    wanted: Ordering,
}

impl Extreme {
    pub(super) fn least() -> Self {
        Self { values: Vec::new(), wanted: Ordering::Less }
    }

    pub(super) fn greatest() -> Self {
        Self { values: Vec::new(), wanted: Ordering::Greater }
    }

    pub(super) fn add_group(&mut self) {
        self.values.push(None);
    }

    pub(super) fn groups(&self) -> usize {
        self.values.len()
    }

    pub(super) fn clear(&mut self, group: usize) {
        self.values[group] = None;
    }

    #[inline]
    pub(super) fn update(&mut self, group: usize, value: &Value<'_>) {
        let held = &mut self.values[group];
        let wins = held.as_ref().is_none_or(|held| value.total_cmp(&held.value()) == self.wanted);
        if wins {
            *held = Some(Held::new(value));
        }
    }

    pub(super) fn merge(&mut self, group: usize, other: &Self, theirs: usize) {
        if let Some(held) = &other.values[theirs] {
            self.update(group, &held.value());
        }
    }

    pub(super) fn evaluate(&self, group: usize) -> Value<'_> {
        self.values[group].as_ref().map_or(Value::Null, Held::value)
    }

    pub(super) fn size(&self) -> usize {
        self.values.capacity() * size_of::<Option<Held>>()
            + self.values.iter().flatten().map(Held::size).sum::<usize>()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.list(self.values.iter(), |state, held| {
            state.option(held.as_ref(), |state, held| held.snapshot(state));
        });
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.values = state.list(|state| state.option(Held::restore))?;
        Ok(())
    }
}
