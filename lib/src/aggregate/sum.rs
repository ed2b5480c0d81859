//! `sum` and `avg`: integers exactly, doubles with compensation.

use crate::line::{Value, json};
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

#[derive(Clone, Debug, Default)]
pub(crate) struct Sum {
    states: Vec<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Sum of the integers, exact; saturates at 38 digits.
    integers: i128,
    /// Sum of the doubles, and what rounding has taken from it (Neumaier's
    /// variant of Kahan's summation).
    doubles: f64,
    lost: f64,
    /// How many values, and how many of them doubles.
    count: u64,
    double_count: u64,
}

impl State {
    #[inline]
    fn add_double(&mut self, value: f64) {
        let sum = self.doubles + value;
        self.lost += if self.doubles.abs() >= value.abs() {
            (self.doubles - sum) + value
        } else {
            (value - sum) + self.doubles
        };
        self.doubles = sum;
    }

    fn total_double(&self) -> f64 {
        // An infinite sum has lost an infinity to rounding, which is no number.
        let doubles = self.doubles + if self.lost.is_finite() { self.lost } else { 0.0 };
        self.integers as f64 + doubles
    }
}

impl Sum {
    pub(super) fn add_group(&mut self) {
        self.states.push(State::default());
    }

    pub(super) fn groups(&self) -> usize {
        self.states.len()
    }

    pub(super) fn clear(&mut self, group: usize) {
        self.states[group] = State::default();
    }

    /// Returns false if the value is no number; text that is one counts as a
    /// double, as in SQL.
    #[inline]
    pub(super) fn update(&mut self, group: usize, value: &Value<'_>) -> bool {
        let state = &mut self.states[group];
        if let Value::Int(number) = *value {
            state.integers = state.integers.saturating_add(number);
        } else {
            let Some(number) = as_double(value) else { return false };
            state.add_double(number);
            state.double_count += 1;
        }
        state.count += 1;
        true
    }

    pub(super) fn merge(&mut self, group: usize, other: &Self, theirs: usize) {
        let (state, other) = (&mut self.states[group], &other.states[theirs]);
        state.integers = state.integers.saturating_add(other.integers);
        state.add_double(other.doubles);
        state.lost += other.lost;
        state.count += other.count;
        state.double_count += other.double_count;
    }

    /// The sum: an integer if all values were, null if there were none.
    pub(super) fn total(&self, group: usize) -> Value<'static> {
        let state = &self.states[group];
        match (state.count, state.double_count) {
            (0, _) => Value::Null,
            (_, 0) => Value::Int(state.integers),
            _ => finite(state.total_double()),
        }
    }

    /// The arithmetic mean, a double; null if there were no values.
    pub(super) fn average(&self, group: usize) -> Value<'static> {
        let state = &self.states[group];
        if state.count == 0 {
            return Value::Null;
        }
        finite(state.total_double() / state.count as f64)
    }

    pub(super) fn size(&self) -> usize {
        self.states.capacity() * size_of::<State>()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.list(self.states.iter(), |state, sum| {
            state.i128(sum.integers);
            state.f64(sum.doubles);
            state.f64(sum.lost);
            state.u64(sum.count);
            state.u64(sum.double_count);
        });
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.states = state.list(|state| {
            Ok(State {
                integers: state.i128()?,
                doubles: state.f64()?,
                lost: state.f64()?,
                count: state.u64()?,
                double_count: state.u64()?,
            })
        })?;
        Ok(())
    }
}

/// A result; null if it is beyond what a double can say.
pub(super) fn finite(number: f64) -> Value<'static> {
    if number.is_finite() { Value::Double(number) } else { Value::Null }
}

/// A value as a double, with text that is a number cast to it.
#[inline]
pub(super) fn as_double(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Str(text) => json::parse_double(text.trim_ascii()),
        value => value.as_f64(),
    }
}
