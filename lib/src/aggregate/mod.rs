//! Accumulators: what an aggregate remembers of the records of each group.
//!
//! An accumulator holds the states of all groups of one pane side by side, by
//! the group's number, so that a state takes no more room than it needs and a
//! pane is dropped at once. Each can take in a value, take over the state of
//! another one's group (for windows of several panes, in the panes' order),
//! give its result, and write itself down.

mod collect;
mod count;
mod dictionary;
mod distinct;
mod extreme;
mod interner;
mod moments;
mod sum;

use bumpalo::Bump;
use roaring::RoaringBitmap;

use crate::line::Value;
use crate::query::Function;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

use collect::{CollectList, CollectSet};
use count::Count;
pub(crate) use dictionary::Dictionary;
use distinct::Distinct;
use extreme::Extreme;
use interner::Interner;
use moments::Moments;
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
        }
    };
}

impl Accumulator {
    /// An accumulator for no groups yet.
    pub(crate) fn new(function: Function) -> Self {
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
        }
    }

    /// Makes room for one group more.
    pub(crate) fn add_group(&mut self) {
        each!(self, inner => inner.add_group());
    }

    /// Whether the function works on the numbers of values in a dictionary
    /// ([`update_number`](Self::update_number)) or on the values themselves
    /// ([`update`](Self::update)).
    pub(crate) fn takes_numbers(function: Function) -> bool {
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
            return true;
        }
        match self {
            Self::Count(inner) => inner.update(group),
            Self::Sum(inner) | Self::Average(inner) => return inner.update(group, value),
            Self::Extreme(inner) => inner.update(group, value),
            Self::Moments(inner) => return inner.update(group, value),
            Self::CollectList(inner) => inner.update(group, value, sequence),
            Self::Distinct(_) | Self::CollectSet(_) => {}
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
        }
    }

    /// Forgets all about a group, whose number is then free.
    pub(crate) fn clear(&mut self, group: usize) {
        each!(self, inner => inner.clear(group));
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FUNCTIONS: [Function; 12] = [
        Function::Count,
        Function::CountDistinct,
        Function::Sum,
        Function::Avg,
        Function::Min,
        Function::Max,
        Function::StddevSamp,
        Function::StddevPop,
        Function::VarSamp,
        Function::VarPop,
        Function::CollectList,
        Function::CollectSet,
    ];

    fn print(value: Value<'_>) -> String {
        let mut text = Vec::new();
        value.write(&mut text);
        String::from_utf8(text).unwrap()
    }

    fn update(
        accumulator: &mut Accumulator,
        function: Function,
        group: usize,
        value: &Value<'_>,
        sequence: u64,
        dictionary: &mut Dictionary,
    ) {
        if !Accumulator::takes_numbers(function) {
            accumulator.update(group, value, sequence);
        } else if !value.is_null() {
            let mut key = Vec::new();
            value.write_key(&mut key);
            let number = dictionary.number(&key, |_, text| value.write(text));
            accumulator.update_number(group, number, sequence);
        }
    }

    fn run(function: Function, values: &[Value<'_>]) -> String {
        let mut accumulator = Accumulator::new(function);
        let mut dictionary = Dictionary::new(1);
        accumulator.add_group();
        for (sequence, value) in values.iter().enumerate() {
            update(&mut accumulator, function, 0, value, sequence as u64, &mut dictionary);
        }
        print(accumulator.evaluate(0, Some(&dictionary), &Bump::new()))
    }

    #[test]
    fn known_results() {
        use Value::{Double, Int, Null, Str};
        let numbers = [Int(1), Null, Int(4), Int(4), Int(7)];
        for (function, expected) in FUNCTIONS.into_iter().zip([
            "4",
            "3",
            "16",
            "4.0",
            "1",
            "7",
            "2.449489742783178",
            "2.1213203435596424",
            "6.0",
            "4.5",
            "[1,4,4,7]",
            "[1,4,7]",
        ]) {
            assert_eq!(run(function, &numbers), expected, "{function:?}");
        }
        for (function, expected) in FUNCTIONS.into_iter().zip([
            "0", "0", "null", "null", "null", "null", "null", "null", "null", "null", "[]", "[]",
        ]) {
            assert_eq!(run(function, &[Null]), expected, "{function:?} of nothing");
        }
        for (function, values, expected) in [
            (Function::StddevSamp, &[Int(5)][..], "null"),
            (Function::StddevPop, &[Int(5)], "0.0"),
            (Function::Sum, &[Int(i128::from(i64::MAX)), Int(1)], "9223372036854775808"),
            (Function::Sum, &[Int(1), Double(0.5)], "1.5"),
            (Function::Sum, &[Str(b"2"), Str(b"x"), Int(1)], "3.0"),
            (Function::Sum, &[Double(1e100), Double(1.0), Double(-1e100)], "1.0"),
            (Function::Max, &[Str(b"b"), Str(b"a")], "\"b\""),
            (Function::Min, &[Double(2.0), Int(2)], "2.0"),
            (Function::CountDistinct, &[Int(1), Double(1.0), Str(b"1")], "2"),
            (Function::CollectSet, &[Str(b"b"), Str(b"a"), Str(b"b")], r#"["b","a"]"#),
        ] {
            assert_eq!(run(function, values), expected, "{function:?} {values:?}");
        }
    }

    proptest! {
        /// Merging the halves of a stream gives what the whole stream gives,
        /// and a state that has been written and read is the same state.
        #[test]
        fn merge_and_restore(ints in proptest::collection::vec((0_usize..3, -4_i64..4, any::<bool>()), 0..40), cut in 0_usize..40) {
            for function in FUNCTIONS {
                let value = |&(_, number, double): &(usize, i64, bool)| {
                    if double { Value::Double(number as f64 * 0.25) } else { Value::Int(number.into()) }
                };
                let new = || {
                    let mut accumulator = Accumulator::new(function);
                    (0..3).for_each(|_| accumulator.add_group());
                    accumulator
                };
                let (mut whole, mut first, mut second) = (new(), new(), new());
                let mut dictionary = Dictionary::new(1);
                for (sequence, item) in ints.iter().enumerate() {
                    let part = if sequence < cut { &mut first } else { &mut second };
                    for accumulator in [&mut whole, part] {
                        update(accumulator, function, item.0, &value(item), sequence as u64, &mut dictionary);
                    }
                }
                let mut state = SnapshotWriter::new();
                first.snapshot(&mut state);
                let bytes = state.into_bytes();
                let mut restored = Accumulator::new(function);
                let mut reader = SnapshotReader::new(&bytes);
                restored.restore(3, &mut reader).unwrap();
                prop_assert!(reader.is_empty());
                let mut merged = new();
                for group in 0..3 {
                    merged.merge(group, &restored, group);
                    merged.merge(group, &second, group);
                }
                let arena = Bump::new();
                for group in 0..3 {
                    let (ours, whole) = (merged.evaluate(group, Some(&dictionary), &arena), whole.evaluate(group, Some(&dictionary), &arena));
                    match (ours, whole) {
                        (Value::Double(a), Value::Double(b)) => prop_assert!((a - b).abs() < 1e-9),
                        (a, b) => prop_assert_eq!(print(a), print(b), "{:?}", function),
                    }
                }
            }
        }
    }
}
