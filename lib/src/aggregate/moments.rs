//! `stddev_samp`, `stddev_pop`, `var_samp`, `var_pop`: one stable pass.
//!
//! Source: Welford, *Note on a method for calculating corrected sums of squares
//! and products* (1962); merging by Chan, Golub and `LeVeque` (1979).

use super::sum::{as_double, finite};
use crate::line::Value;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

#[derive(Clone, Debug)]
pub(crate) struct Moments {
    states: Vec<State>,
    /// What is taken from the count to divide by: 1 for a sample's variance, 0
    /// for a population's.
    correction: u64,
    /// Whether the result is the deviation or its square.
    root: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    count: u64,
    mean: f64,
    /// Sum of the squared distances from the mean.
    squares: f64,
}

impl Moments {
    pub(super) fn new(correction: u64, root: bool) -> Self {
        Self { states: Vec::new(), correction, root }
    }

    pub(super) fn add_group(&mut self) {
        self.states.push(State::default());
    }

    pub(super) fn groups(&self) -> usize {
        self.states.len()
    }

    pub(super) fn clear(&mut self, group: usize) {
        self.states[group] = State::default();
    }

    /// Returns false if the value is no number.
    #[inline]
    pub(super) fn update(&mut self, group: usize, value: &Value<'_>) -> bool {
        let Some(number) = as_double(value) else { return false };
        let state = &mut self.states[group];
        state.count += 1;
        let distance = number - state.mean;
        state.mean += distance / state.count as f64;
        state.squares += distance * (number - state.mean);
        true
    }

    pub(super) fn merge(&mut self, group: usize, other: &Self, theirs: usize) {
        let (state, other) = (&mut self.states[group], &other.states[theirs]);
        if other.count == 0 {
            return;
        }
        if state.count == 0 {
            *state = *other;
            return;
        }
        let count = state.count + other.count;
        let distance = other.mean - state.mean;
        let share = other.count as f64 / count as f64;
        state.squares += other.squares + distance * distance * state.count as f64 * share;
        state.mean += distance * share;
        state.count = count;
    }

    /// The result; null for too few values, as in SQL.
    pub(super) fn evaluate(&self, group: usize) -> Value<'static> {
        let state = &self.states[group];
        if state.count <= self.correction {
            return Value::Null;
        }
        let variance = state.squares / (state.count - self.correction) as f64;
        finite(if self.root { variance.sqrt() } else { variance })
    }

    pub(super) fn size(&self) -> usize {
        self.states.capacity() * size_of::<State>()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.list(self.states.iter(), |state, moments| {
            state.u64(moments.count);
            state.f64(moments.mean);
            state.f64(moments.squares);
        });
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.states = state.list(|state| {
            Ok(State { count: state.u64()?, mean: state.f64()?, squares: state.f64()? })
        })?;
        Ok(())
    }
}
