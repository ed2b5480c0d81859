//! `percentile` and `median`: exact, between two values by interpolation.

use bumpalo::Bump;
use bumpalo::collections::Vec as ArenaVec;

use super::sum::{as_double, finite};
use crate::line::{Value, json};
use crate::query::Percentages;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// All numbers of each group: the price of being exact.
#[derive(Clone, Debug)]
pub(crate) struct Percentile {
    groups: Vec<Vec<f64>>,
    percentages: Percentages,
}

impl Percentile {
    pub(super) fn new(percentages: Percentages) -> Self {
        Self { groups: Vec::new(), percentages }
    }

    pub(super) fn add_group(&mut self) {
        self.groups.push(Vec::new());
    }

    pub(super) fn groups(&self) -> usize {
        self.groups.len()
    }

    pub(super) fn clear(&mut self, group: usize) {
        self.groups[group] = Vec::new();
    }

    /// Returns false if the value is no number.
    #[inline]
    pub(super) fn update(&mut self, group: usize, value: &Value<'_>) -> bool {
        let Some(number) = as_double(value) else { return false };
        self.groups[group].push(number);
        true
    }

    pub(super) fn merge(&mut self, group: usize, other: &Self, theirs: usize) {
        self.groups[group].extend_from_slice(&other.groups[theirs]);
    }

    /// The percentiles, doubles; null without values.
    pub(super) fn evaluate<'a>(&self, group: usize, arena: &'a Bump) -> Value<'a> {
        let mut numbers = ArenaVec::from_iter_in(self.groups[group].iter().copied(), arena);
        if numbers.is_empty() {
            return Value::Null;
        }
        numbers.sort_unstable_by(f64::total_cmp);
        result(&self.percentages, |share| finite(interpolated(&numbers, share)), arena)
    }

    pub(super) fn size(&self) -> usize {
        self.groups.iter().map(|numbers| numbers.capacity() * 8 + size_of::<Vec<f64>>()).sum()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.list(self.groups.iter(), |state, numbers| {
            state.list(numbers.iter(), |state, number| state.f64(*number));
        });
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.groups = state.list(|state| state.list(SnapshotReader::f64))?;
        Ok(())
    }
}

/// The number at `share` of the way from the first to the last, as Spark
/// computes it.
fn interpolated(numbers: &[f64], share: f64) -> f64 {
    let position = (numbers.len() - 1) as f64 * share;
    let (below, above) = (position.floor(), position.ceil());
    let (low, high) = (numbers[below as usize], numbers[above as usize]);
    if low.total_cmp(&high).is_eq() {
        return low;
    }
    (above - position) * low + (position - below) * high
}

/// One percentile, or the list of them if a list was asked for.
pub(super) fn result<'a>(
    percentages: &Percentages,
    at: impl Fn(f64) -> Value<'static>,
    arena: &'a Bump,
) -> Value<'a> {
    if let Percentages::One(share) = percentages {
        return at(*share);
    }
    let shares = percentages.shares();
    let mut text = Vec::with_capacity(shares.len() * 8);
    text.push(b'[');
    for (index, share) in shares.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        match at(*share) {
            Value::Double(number) => json::write_double(number, &mut text),
            other => other.write(&mut text),
        }
    }
    text.push(b']');
    Value::List(shares.len(), arena.alloc_slice_copy(&text))
}
