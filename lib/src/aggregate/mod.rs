//! Accumulators: what an aggregate remembers of the records of each group.
//!
//! An accumulator holds the states of all groups of one pane side by side, by
//! the group's number, so that a state takes no more room than it needs and a
//! pane is dropped at once. Each can take in a value, take over the state of
//! another one's group (for windows of several panes, in the panes' order),
//! give its result, and write itself down.

mod approx_distinct;
mod arrival;
mod collect;
mod count;
mod dictionary;
mod distinct;
mod extreme;
mod extreme_by;
mod held;
mod histogram;
mod interner;
mod mode;
mod moments;
mod percentile;
mod percentile_approx;
#[cfg(test)]
mod sketch_tests;
mod sum;
#[cfg(test)]
mod tests;

use bumpalo::Bump;
use roaring::RoaringBitmap;

use crate::line::Value;
use crate::query::Function;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

use approx_distinct::ApproxDistinct;
use arrival::Arrival;
use collect::{CollectList, CollectSet};
use count::Count;
pub(crate) use dictionary::Dictionary;
use distinct::Distinct;
use extreme::Extreme;
use extreme_by::ExtremeBy;
pub(crate) use interner::Interner;
use mode::Mode;
use moments::Moments;
use percentile::Percentile;
use percentile_approx::PercentileApprox;
use sum::Sum;

/// The states of one aggregate, for all groups of a pane.
#[derive(Clone, Debug)]
pub(crate) enum Accumulator {
    Count(Count),
    Distinct(Distinct),
    Sum(Sum),
    Average(Sum),
    Extreme(Extreme),
    Moments(Moments),
    CollectList(CollectList),
    CollectSet(CollectSet),
    ApproxDistinct(ApproxDistinct),
    Percentile(Percentile),
    PercentileApprox(PercentileApprox),
    Arrival(Arrival),
    ExtremeBy(ExtremeBy),
    Mode(Mode),
}

/// Passes a call on to whatever accumulator it is.
macro_rules! each {
    ($self:expr, $inner:ident => $call:expr) => {
        match $self {
            Accumulator::Count($inner) => $call,
            Accumulator::Distinct($inner) => $call,
            Accumulator::Sum($inner) | Accumulator::Average($inner) => $call,
            Accumulator::Extreme($inner) => $call,
            Accumulator::Moments($inner) => $call,
            Accumulator::CollectList($inner) => $call,
            Accumulator::CollectSet($inner) => $call,
            Accumulator::ApproxDistinct($inner) => $call,
            Accumulator::Percentile($inner) => $call,
            Accumulator::PercentileApprox($inner) => $call,
            Accumulator::Arrival($inner) => $call,
            Accumulator::ExtremeBy($inner) => $call,
            Accumulator::Mode($inner) => $call,
        }
    };
}

impl Accumulator {
    /// An accumulator for no groups yet.
    pub(crate) fn new(function: &Function) -> Self {
        match function {
            Function::Count => Self::Count(Count::default()),
            Function::CountDistinct => Self::Distinct(Distinct::default()),
            Function::Sum => Self::Sum(Sum::default()),
            Function::Avg => Self::Average(Sum::default()),
            Function::Min => Self::Extreme(Extreme::least()),
            Function::Max => Self::Extreme(Extreme::greatest()),
            Function::StddevSamp => Self::Moments(Moments::new(1, true)),
            Function::StddevPop => Self::Moments(Moments::new(0, true)),
            Function::VarSamp => Self::Moments(Moments::new(1, false)),
            Function::VarPop => Self::Moments(Moments::new(0, false)),
            Function::CollectList => Self::CollectList(CollectList::default()),
            Function::CollectSet => Self::CollectSet(CollectSet::default()),
            Function::ApproxCountDistinct(error) => {
                Self::ApproxDistinct(ApproxDistinct::new(error.lg_k()))
            }
            Function::Percentile(at) => Self::Percentile(Percentile::new(at.clone())),
            Function::PercentileApprox(at) => {
                Self::PercentileApprox(PercentileApprox::new(at.clone()))
            }
            Function::First { ignore_nulls } => Self::Arrival(Arrival::first(*ignore_nulls)),
            Function::Last { ignore_nulls } => Self::Arrival(Arrival::last(*ignore_nulls)),
            Function::MinBy => Self::ExtremeBy(ExtremeBy::least()),
            Function::MaxBy => Self::ExtremeBy(ExtremeBy::greatest()),
            Function::Mode => Self::Mode(Mode::default()),
        }
    }

    /// Makes room for one group more.
    pub(crate) fn add_group(&mut self) {
        each!(self, inner => inner.add_group());
    }

    /// Makes a group's state empty again, for another group to use.
    pub(crate) fn clear(&mut self, group: usize) {
        each!(self, inner => inner.clear(group));
    }

    /// Whether the function works on the numbers of values in a dictionary
    /// ([`update_number`](Self::update_number)) or on the values themselves
    /// ([`update`](Self::update)).
    pub(crate) fn takes_numbers(function: &Function) -> bool {
        matches!(function, Function::CountDistinct | Function::CollectSet)
    }

    /// Takes in the number of the value, not null, of record number `sequence`.
    #[inline]
    pub(crate) fn update_number(&mut self, group: usize, number: u32, sequence: u64) {
        match self {
            Self::Distinct(inner) => inner.update(group, number),
            Self::CollectSet(inner) => inner.update(group, number, sequence),
            _ => {}
        }
    }

    /// Takes in the value of record number `sequence`. Returns false if the
    /// value could not be cast to what the function takes; it then counts as
    /// null.
    #[inline]
    pub(crate) fn update(&mut self, group: usize, value: &Value<'_>, sequence: u64) -> bool {
        if value.is_null() {
            // To most of them null is nothing.
            if let Self::Arrival(inner) = self {
                inner.update(group, value, sequence);
            }
            return true;
        }
        match self {
            Self::Count(inner) => inner.update(group),
            Self::Sum(inner) | Self::Average(inner) => return inner.update(group, value),
            Self::Extreme(inner) => inner.update(group, value),
            Self::Moments(inner) => return inner.update(group, value),
            Self::CollectList(inner) => inner.update(group, value, sequence),
            Self::ApproxDistinct(inner) => inner.update(group, value),
            Self::Percentile(inner) => return inner.update(group, value),
            Self::PercentileApprox(inner) => return inner.update(group, value),
            Self::Arrival(inner) => inner.update(group, value, sequence),
            Self::Mode(inner) => inner.update(group, value, sequence),
            Self::ExtremeBy(_) => unreachable!("functions of two values take both"),
            Self::Distinct(_) | Self::CollectSet(_) => unreachable!("sets take numbers"),
        }
        true
    }

    /// As [`update`](Self::update), for a function of two values, of which
    /// both may be null.
    pub(crate) fn update_by(
        &mut self,
        group: usize,
        value: &Value<'_>,
        by: &Value<'_>,
        sequence: u64,
    ) -> bool {
        match self {
            Self::ExtremeBy(inner) => inner.update(group, value, by, sequence),
            _ => return self.update(group, value, sequence),
        }
        true
    }

    /// Takes over what `other`, an accumulator of the same function, knows of
    /// its group `theirs`.
    pub(crate) fn merge(&mut self, group: usize, other: &Self, theirs: usize) {
        match (self, other) {
            (Self::Count(a), Self::Count(b)) => a.merge(group, b, theirs),
            (Self::Sum(a), Self::Sum(b)) | (Self::Average(a), Self::Average(b)) => {
                a.merge(group, b, theirs);
            }
            (Self::Extreme(a), Self::Extreme(b)) => a.merge(group, b, theirs),
            (Self::Moments(a), Self::Moments(b)) => a.merge(group, b, theirs),
            (Self::CollectList(a), Self::CollectList(b)) => a.merge(group, b, theirs),
            (Self::CollectSet(a), Self::CollectSet(b)) => a.merge(group, b, theirs),
            (Self::Distinct(a), Self::Distinct(b)) => a.merge(group, b, theirs),
            (Self::ApproxDistinct(a), Self::ApproxDistinct(b)) => a.merge(group, b, theirs),
            (Self::Percentile(a), Self::Percentile(b)) => a.merge(group, b, theirs),
            (Self::PercentileApprox(a), Self::PercentileApprox(b)) => a.merge(group, b, theirs),
            (Self::Arrival(a), Self::Arrival(b)) => a.merge(group, b, theirs),
            (Self::ExtremeBy(a), Self::ExtremeBy(b)) => a.merge(group, b, theirs),
            (Self::Mode(a), Self::Mode(b)) => a.merge(group, b, theirs),
            _ => unreachable!("panes of one query have the same accumulators"),
        }
    }

    /// The result for a group. Text that has to be made lives in `arena`;
    /// `dictionary` is the one whose numbers the accumulator took.
    pub(crate) fn evaluate<'a>(
        &'a self,
        group: usize,
        dictionary: Option<&Dictionary>,
        arena: &'a Bump,
    ) -> Value<'a> {
        match self {
            Self::Count(inner) => inner.evaluate(group),
            Self::Distinct(inner) => inner.evaluate(group),
            Self::Sum(inner) => inner.total(group),
            Self::Average(inner) => inner.average(group),
            Self::Extreme(inner) => inner.evaluate(group),
            Self::Moments(inner) => inner.evaluate(group),
            Self::CollectList(inner) => inner.evaluate(group, arena),
            Self::CollectSet(inner) => dictionary
                .map_or(Value::Null, |dictionary| inner.evaluate(group, dictionary, arena)),
            Self::ApproxDistinct(inner) => inner.evaluate(group),
            Self::Percentile(inner) => inner.evaluate(group, arena),
            Self::PercentileApprox(inner) => inner.evaluate(group, arena),
            Self::Arrival(inner) => inner.evaluate(group),
            Self::ExtremeBy(inner) => inner.evaluate(group),
            Self::Mode(inner) => inner.evaluate(group),
        }
    }

    /// Adds the numbers that the states hold.
    pub(crate) fn mark(&self, used: &mut RoaringBitmap) {
        match self {
            Self::Distinct(inner) => inner.mark(used),
            Self::CollectSet(inner) => inner.mark(used),
            _ => {}
        }
    }

    /// Gives the values the numbers that they have in a dictionary now.
    pub(crate) fn renumber(&mut self, numbers: &[u32]) {
        match self {
            Self::Distinct(inner) => inner.renumber(numbers),
            Self::CollectSet(inner) => inner.renumber(numbers),
            _ => {}
        }
    }

    /// Bytes that the states take, near enough.
    pub(crate) fn size(&self) -> usize {
        each!(self, inner => inner.size())
    }

    pub(crate) fn snapshot(&self, state: &mut SnapshotWriter) {
        each!(self, inner => inner.snapshot(state));
    }

    /// Reads the states of `groups` groups into a new accumulator.
    pub(crate) fn restore(
        &mut self,
        groups: usize,
        state: &mut SnapshotReader<'_>,
    ) -> Result<(), RestoreError> {
        each!(self, inner => inner.restore(state))?;
        if each!(self, inner => inner.groups()) == groups {
            Ok(())
        } else {
            Err(RestoreError::Damaged("an accumulator has another number of groups than its pane"))
        }
    }
}
