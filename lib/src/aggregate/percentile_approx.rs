//! `percentile_approx`: exact for few values, then by a sketch.
//!
//! A percentile is the least value that at least that share of all values does
//! not exceed (the nearest rank). Up to [`EXACT`] values a group it is that
//! very value; beyond, it lies within 1/128 (0.79 %) of it, and the least and
//! the greatest value stay exact. What the result is depends on the values
//! alone, not on their order nor on how they were split and merged.

use bumpalo::Bump;
use bumpalo::collections::Vec as ArenaVec;

use super::histogram::Histogram;
use super::percentile::result;
use super::sum::{as_double, finite};
use crate::line::Value;
use crate::query::Percentages;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// The most values of a group that are kept themselves. They take 32 KiB; a
/// sketch of values that span six powers of ten takes 10.
const EXACT: usize = 4_096;

#[derive(Clone, Debug)]
pub(crate) struct PercentileApprox {
    states: Vec<State>,
    percentages: Percentages,
}

#[derive(Clone, Debug, Default)]
struct State {
    numbers: Numbers,
    /// Whether one of them was no integer; if none, the result is one.
    has_doubles: bool,
}

#[derive(Clone, Debug)]
enum Numbers {
    Exact(Vec<f64>),
    Sketch(Box<Histogram>),
}

impl Default for Numbers {
    fn default() -> Self {
        Self::Exact(Vec::new())
    }
}

impl Numbers {
    #[inline]
    fn add(&mut self, number: f64) {
        match self {
            Self::Exact(numbers) if numbers.len() < EXACT => numbers.push(number),
            Self::Exact(_) => self.sketch().add(number),
            Self::Sketch(sketch) => sketch.add(number),
        }
    }

    /// The numbers as a sketch, from here on.
    fn sketch(&mut self) -> &mut Histogram {
        if let Self::Exact(numbers) = self {
            let mut sketch = Box::<Histogram>::default();
            for number in numbers {
                sketch.add(*number);
            }
            *self = Self::Sketch(sketch);
        }
        match self {
            Self::Sketch(sketch) => sketch,
            Self::Exact(_) => unreachable!("it has just been made a sketch"),
        }
    }

    fn merge(&mut self, other: &Self) {
        match other {
            Self::Exact(numbers) => numbers.iter().for_each(|number| self.add(*number)),
            Self::Sketch(sketch) => self.sketch().merge(sketch),
        }
    }
}

impl PercentileApprox {
    pub(super) fn new(percentages: Percentages) -> Self {
        Self { states: Vec::new(), percentages }
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
        state.has_doubles |= !matches!(value, Value::Int(_));
        state.numbers.add(number);
        true
    }

    pub(super) fn merge(&mut self, group: usize, other: &Self, theirs: usize) {
        let (state, other) = (&mut self.states[group], &other.states[theirs]);
        state.has_doubles |= other.has_doubles;
        state.numbers.merge(&other.numbers);
    }

    /// The percentiles: integers if all values were, past 2^53 to the nearest
    /// double; null without values.
    pub(super) fn evaluate<'a>(&self, group: usize, arena: &'a Bump) -> Value<'a> {
        let state = &self.states[group];
        let integers = !state.has_doubles;
        let value =
            |number: f64| if integers { Value::Int(number as i128) } else { finite(number) };
        match &state.numbers {
            Numbers::Exact(numbers) if numbers.is_empty() => Value::Null,
            Numbers::Exact(numbers) => {
                let mut numbers = ArenaVec::from_iter_in(numbers.iter().copied(), arena);
                numbers.sort_unstable_by(f64::total_cmp);
                let at = |share| numbers[rank(share, numbers.len() as u64) as usize];
                result(&self.percentages, |share| value(at(share)), arena)
            }
            Numbers::Sketch(sketch) => {
                let at = |share| sketch.value_at(rank(share, sketch.count()), integers);
                result(&self.percentages, |share| value(at(share)), arena)
            }
        }
    }

    pub(super) fn size(&self) -> usize {
        let numbers = |state: &State| match &state.numbers {
            Numbers::Exact(numbers) => numbers.capacity() * 8,
            Numbers::Sketch(sketch) => sketch.size(),
        };
        self.states.capacity() * size_of::<State>() + self.states.iter().map(numbers).sum::<usize>()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.list(self.states.iter(), |state, group| {
            state.bool(group.has_doubles);
            match &group.numbers {
                Numbers::Exact(numbers) => {
                    state.bool(false);
                    state.list(numbers.iter(), |state, number| state.f64(*number));
                }
                Numbers::Sketch(sketch) => {
                    state.bool(true);
                    sketch.snapshot(state);
                }
            }
        });
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.states = state.list(|state| {
            let has_doubles = state.bool()?;
            let numbers = if state.bool()? {
                Numbers::Sketch(Box::new(Histogram::restore(state)?))
            } else {
                Numbers::Exact(state.list(SnapshotReader::f64)?)
            };
            Ok(State { numbers, has_doubles })
        })?;
        Ok(())
    }
}

/// How many of `count` values, which is not zero, stand before the one at
/// `share`: Spark's own arithmetic.
fn rank(share: f64, count: u64) -> u64 {
    let wanted = (share * count as f64).ceil() as u64;
    wanted.clamp(1, count) - 1
}
